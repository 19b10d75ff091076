"""What the markers of a chart mean."""

from ewe_tf.report.svg import escape
from ewe_tf.report.svg import marker


def legend(entries):
    """Markers and words in a line above a chart.

    Args:
        entries: Tuples (series, marker, hollow, text).
    """
    items = []
    for series, kind, hollow, text in entries:
        classes = f"s{series % 6}{' hollow' if hollow else ''}"
        drawn = marker(kind, 8, 8, 5, classes)
        items.append(f'<span><svg viewBox="0 0 16 16">{drawn}</svg>{escape(text)}</span>')
    return f'<p class="legend">{"".join(items)}</p>'
