"""A chart in SVG: axes, points, lines, rules and words; colours come from the page's CSS.

A series has a number, which decides its colour (CSS class `s0` to `s5`), its dash pattern and,
unless given, its marker, so that every chart can be read without colours.
"""

import dataclasses
import html
import math

MARKERS = ("circle", "square", "triangle", "diamond", "cross", "plus")
DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 4", "10 4")


def escape(text):
    """Text for use in markup."""
    return html.escape(str(text), quote=True)


def _number(value):
    return f"{value:.2f}".rstrip("0").rstrip(".")


def nice_ticks(low, high, about=5):
    """Round numbers from `low` to `high`, some `about` of them, by steps of 1, 2 or 5."""
    raw = (high - low) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis: its range, its ticks and how they are written.

    Attributes:
        low, high: Range, `low < high`; positive for logarithmic axes.
        title: What is measured, with its unit.
        log: Logarithmic.
        ticks: Positions; by default round numbers, decades for logarithmic axes.
        labels: Their texts; by default the numbers.
        grid: Draw a line across the chart at each tick.
    """

    low: float
    high: float
    title: str = ""
    log: bool = False
    ticks: tuple | None = None
    labels: tuple | None = None
    grid: bool = True

    def __post_init__(self):
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                "`low` must be below `high`, and positive on a logarithmic axis. "
                f"Received: low={self.low}, high={self.high}, log={self.log}"
            )

    def fraction(self, value):
        """Where a value lies between `low` (0) and `high` (1); values outside are clipped."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def marks(self):
        """Pairs of position and text."""
        ticks = self.ticks
        if ticks is None and self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            step = max(1, math.ceil((last - first) / 6))
            ticks = [10.0**power for power in range(last, first - 1, -step)]
        elif ticks is None:
            ticks = nice_ticks(self.low, self.high)
        texts = self.labels or [f"{tick:g}" for tick in ticks]
        return list(zip(ticks, texts, strict=True))


def marker(kind, x, y, size, classes, title=""):
    """One data point. `kind` is one of `MARKERS`; a title is shown when it is pointed at."""
    s = size
    if kind == "circle":
        shape = f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{_number(s)}"'
    else:
        paths = {
            "square": f"m{-s * 0.9},{-s * 0.9}h{s * 1.8}v{s * 1.8}h{-s * 1.8}z",
            "triangle": f"m0,{-s * 1.15}l{s * 1.1},{s * 1.95}h{-s * 2.2}z",
            "diamond": f"m0,{-s * 1.3}l{s * 1.3},{s * 1.3}l{-s * 1.3},{s * 1.3}"
            f"l{-s * 1.3},{-s * 1.3}z",
            "cross": f"m{-s},{-s}l{s * 2},{s * 2}m0,{-s * 2}l{-s * 2},{s * 2}",
            "plus": f"m{-s * 1.2},0h{s * 2.4}m{-s * 1.2},{-s * 1.2}v{s * 2.4}",
        }
        shape = f'<path d="M{_number(x)},{_number(y)}{paths[kind]}"'
    inner = f"<title>{escape(title)}</title>" if title else ""
    tag = shape[1 : shape.index(" ")]
    return f'{shape} class="mark {classes}">{inner}</{tag}>'


class Chart:
    """Collects shapes and writes them between two axes.

    Args:
        x, y: `Axis`.
        label: What the chart shows, for those who cannot see it.
        width, height: In pixels at full size.
        left, right, top, bottom: Room around the axes.
    """

    def __init__(self, x, y, label, *, width=560, height=330, left=56, right=16, top=14, bottom=46):
        self.x, self.y, self._label = x, y, label
        self.width, self.height = width, height
        self._box = (left, top, width - right, height - bottom)
        self._shapes = []

    def place(self, x, y):
        """Data to pixels."""
        left, top, right, bottom = self._box
        return (
            left + (right - left) * self.x.fraction(x),
            bottom - (bottom - top) * self.y.fraction(y),
        )

    def point(self, x, y, series=0, *, kind=None, size=5, hollow=False, dy=0.0, title=""):
        """A marker at (x, y), `dy` pixels lower."""
        left, top = self.place(x, y)
        kind = kind or MARKERS[series % len(MARKERS)]
        classes = f"s{series % 6}{' hollow' if hollow else ''}"
        self._shapes.append(marker(kind, left, top + dy, size, classes, title))

    def line(self, points, series=0, *, dashed=None, title=""):
        """A line through points, dashed by its series unless `dashed` says otherwise."""
        path = "M" + "L".join(",".join(map(_number, self.place(x, y))) for x, y in points)
        dash = DASHES[series % len(DASHES)] if dashed is None else dashed
        pattern = f' stroke-dasharray="{dash}"' if dash else ""
        inner = f"<title>{escape(title)}</title>" if title else ""
        self._shapes.append(f'<path d="{path}" class="line s{series % 6}"{pattern}>{inner}</path>')

    def rule(self, text, *, x=None, y=None):
        """A thin line across the chart at one value, with a word beside it."""
        left, top, right, bottom = self._box
        if x is not None:
            at = self.place(x, self.y.low)[0]
            ends, words = (at, top, at, bottom), (at + 4, top + 10, "start")
        else:
            at = self.place(self.x.low, y)[1]
            ends, words = (left, at, right, at), (right - 4, at - 5, "end")
        x1, y1, x2, y2 = map(_number, ends)
        self._shapes.append(f'<path d="M{x1},{y1}L{x2},{y2}" class="rule"/>')
        self._shapes.append(self._text(text, *words, "note"))

    def words(self, text, x, y, *, dx=0.0, dy=0.0, anchor="start", series=None):
        """A word at (x, y), shifted by pixels."""
        left, top = self.place(x, y)
        classes = "note" if series is None else f"name s{series % 6}"
        self._shapes.append(self._text(text, left + dx, top + dy, anchor, classes))

    def svg(self):
        """The chart as an `svg` element."""
        body = "".join([*self._axes(), *self._shapes])
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self._label)}" style="max-width:{self.width}px">{body}</svg>'
        )

    def _text(self, text, x, y, anchor, classes):
        return (
            f'<text x="{_number(x)}" y="{_number(y)}" text-anchor="{anchor}" '
            f'class="{classes}">{escape(text)}</text>'
        )

    def _axes(self):
        left, top, right, bottom = self._box
        for tick, text in self.x.marks():
            at = self.place(tick, self.y.low)[0]
            if self.x.grid:
                yield f'<path d="M{_number(at)},{top}V{bottom}" class="grid"/>'
            yield self._text(text, at, bottom + 16, "middle", "tick")
        for tick, text in self.y.marks():
            at = self.place(self.x.low, tick)[1]
            if self.y.grid:
                yield f'<path d="M{left},{_number(at)}H{right}" class="grid"/>'
            yield self._text(text, left - 8, at + 4, "end", "tick")
        yield f'<path d="M{left},{bottom}H{right}" class="axis"/>'
        middle = (left + right) / 2
        yield self._text(self.x.title, middle, self.height - 8, "middle", "title")
        if self.y.title:
            yield (
                f'<text transform="translate(13 {_number((top + bottom) / 2)}) rotate(-90)" '
                f'text-anchor="middle" class="title">{escape(self.y.title)}</text>'
            )
