"""The picture of a result: what copies of each scheme answer, beside innocent models.

python -m experiments.picture docs/results/fashion_mnist.jsonl --output=docs/result.svg \
    --schemes="naive backdoor,EWE.paper(),EWE"

Reads the JSON lines that an experiment writes, one for each model. A bar is the mean over the
seeds, the line across it the worst seed; innocent models show their largest rate. The picture
follows the reader's light or dark setting and needs no plotting library.
"""

import pathlib

from absl import app
from absl import flags

from ewe_tf import report
from ewe_tf.report.svg import escape

FLAGS = flags.FLAGS

# Words and colours (light, dark) of the bars.
_ROLES = {
    "label-only": ("copy made with labels", "#0b62c1", "#6cb2ff"),
    "other architecture": ("and another network", "#c04a00", "#ff9b57"),
    "soft": ("copy made with probabilities", "#11795a", "#4fd0a5"),
    "innocent": ("worst innocent model", "#566170", "#a9b4c2"),
}
_WIDTH, _LEFT, _RIGHT, _TOP, _BAR, _GAP = 760, 150, 46, 64, 15, 16
_STYLE = (
    "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    "fill:#1a1d21}.soft{fill:#5b636e}.head{font-weight:600}.grid{stroke:#d9dde3}"
    ".worst{stroke:#1a1d21;stroke-width:2}%s"
    "@media(prefers-color-scheme:dark){text{fill:#e7eaee}.soft{fill:#a0a8b3}.grid{stroke:#343a43}"
    ".worst{stroke:#e7eaee}%s}"
)


def rows_of(path):
    """Summary rows of a file of JSON lines, of models that nobody attacked after the theft."""
    return [row for row in report.summarise(report.read_records(path)) if not row["attack"]]


def draw(rows, schemes, title):
    """SVG text: a block of bars for each scheme.

    Args:
        rows: summary rows with `scheme`, `role`, `rate_held_out`, `rate_held_out_min` and (of
            innocent models) `rate_held_out_max`, in [0, 1].
        schemes: names of the schemes to show, from top to bottom.
        title: the line above.

    Raises:
        ValueError: if there is no row of a scheme.
    """
    found = {(row["scheme"], row["role"]): row for row in rows}
    missing = [name for name in schemes if not any(scheme == name for scheme, _ in found)]
    if missing:
        known = sorted({scheme for scheme, _ in found})
        raise ValueError(f"The results have no scheme {missing[0]!r}, only {known}")
    block = len(_ROLES) * _BAR + _GAP
    bottom = _TOP + len(schemes) * block
    parts = [_text(0, 16, title, "head"), *_legend()]
    for share in range(0, 101, 25):
        parts.append(f'<path class="grid" d="M{_x(share / 100)},{_TOP - 6}V{bottom - 8}"/>')
        parts.append(_text(_x(share / 100), bottom + 8, str(share), "soft", "middle"))
    words = "per cent of the held-out triggers answered as the key expects"
    parts.append(_text(_x(0.5), bottom + 26, words, "soft", "middle"))
    for i, scheme in enumerate(schemes):
        top = _TOP + i * block
        middle = top + len(_ROLES) * _BAR / 2 + 4
        parts.append(_text(_LEFT - 12, middle, scheme, "head", "end"))
        for j, role in enumerate(_ROLES):
            if (scheme, role) in found:
                parts += _bar(found[scheme, role], j, top + j * _BAR)
    height = bottom + 34
    style = _STYLE % tuple(
        "".join(f".r{i}{{fill:{role[which]}}}" for i, role in enumerate(_ROLES.values()))
        for which in (1, 2)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}"><style>{style}</style>{"".join(parts)}</svg>\n'
    )


def _bar(row, number, top):
    innocent = row["role"] == "innocent"
    rate = row["rate_held_out_max"] if innocent else row["rate_held_out"]
    height = _BAR - 3
    yield (
        f'<rect class="r{number}" x="{_LEFT}" y="{top}" height="{height}" '
        f'width="{max(1.5, _x(rate) - _LEFT):.1f}"/>'
    )
    if not innocent:
        at = _x(row["rate_held_out_min"])
        yield f'<path class="worst" d="M{at:.1f},{top - 1}v{height + 2}"/>'
    yield _text(_x(rate) + 6, top + height - 1, f"{100 * rate:.1f}")


def _legend():
    left = 0
    for number, (words, *_) in enumerate(_ROLES.values()):
        yield f'<rect class="r{number}" x="{left:.0f}" y="29" width="11" height="11"/>'
        yield _text(left + 16, 39, words, "soft")
        left += 34 + 6.9 * len(words)


def _x(share):
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _text(x, y, words, style="", anchor="start"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def main(argv):
    if len(argv) != 2:
        raise app.UsageError("Give one file of results: python -m experiments.picture FILE.jsonl")
    rows = rows_of(argv[1])
    schemes = FLAGS.schemes or list(dict.fromkeys(row["scheme"] for row in rows))
    pathlib.Path(FLAGS.output).write_text(draw(rows, schemes, FLAGS.title), encoding="utf-8")


if __name__ == "__main__":
    flags.DEFINE_string("output", "docs/result.svg", "The picture to write.")
    flags.DEFINE_list("schemes", [], "Schemes to show, in this order; all if none.")
    flags.DEFINE_string(
        "title", "Fashion-MNIST, stolen: mean over the seeds (line: the worst seed)",
        "The line above the bars.",
    )  # fmt: skip
    app.run(main)
