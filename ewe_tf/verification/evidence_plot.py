"""The evidence over the triggers asked, as an SVG picture that needs no plotting library."""

import html
import math

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 16, 44, 48


def draw(verdict):
    """SVG text: 1 / p-value on a logarithmic scale, and the level that the decision needs.

    Args:
        verdict: a `Verdict` of a sequential verification.

    Raises:
        ValueError: for a verdict without an evidence path.
    """
    path = [value / math.log(10) for value in verdict.evidence_path]
    if not path:
        raise ValueError(
            "`plot` needs the path of a sequential verification with at least one answer: this "
            "verdict has none"
        )
    level = -math.log10(verdict.alpha)
    low, high = min(0.0, math.floor(min(path))), max(level, *path) + 0.5
    last = max(len(path), 5)

    def x(asked):
        return _LEFT + asked / last * (_WIDTH - _LEFT - _RIGHT)

    def y(value):
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 20, f"{verdict.decision}: {verdict.hits} of {verdict.asked}", size=15),
    ]
    for value in _ticks(low, high):
        parts.append(_line(x(0), y(value), x(last), y(value), "#ddd"))
        parts.append(_text(_LEFT - 8, y(value) + 4, f"1e{value:g}", anchor="end"))
    for asked in _ticks(0, last):
        parts.append(_text(x(asked), _HEIGHT - _BOTTOM + 18, f"{asked:g}", anchor="middle"))
    parts.append(_line(x(0), y(level), x(last), y(level), "#b3261e", ' stroke-dasharray="6 4"'))
    words = f"evidence at level {verdict.alpha:g}"
    parts.append(_text(x(0) + 4, y(level) - 6, words, colour="#b3261e"))
    points = " ".join(f"{x(asked):.1f},{y(value):.1f}" for asked, value in enumerate([0.0, *path]))
    parts.append(
        f'<polyline points="{points}" fill="none" stroke="#1a5fb4" stroke-width="2" '
        'stroke-linejoin="round"/>'
    )
    words = "triggers asked, each with its control"
    parts.append(_text((x(0) + x(last)) / 2, _HEIGHT - 10, words, anchor="middle"))
    parts.append(_text(_LEFT, 36, "1 / p-value"))
    return "\n".join([*parts, "</svg>\n"])


def _ticks(low, high):
    """Whole numbers at even distances, at most eight."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**6) if (high - low) / s <= 8)
    return range(math.ceil(low / step) * step, math.floor(high) + 1, step)


def _line(x1, y1, x2, y2, colour, more=""):
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{more}/>'
    )


def _text(x, y, words, anchor="start", size=12, colour="#333"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}">{html.escape(words)}</text>'
    )
