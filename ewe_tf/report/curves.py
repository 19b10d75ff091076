"""Curves over a setting: of a removal attack, or the number of the thief's queries."""

import math

from ewe_tf.report import records as records_lib
from ewe_tf.report.legend import legend
from ewe_tf.report.svg import MARKERS
from ewe_tf.report.svg import Axis
from ewe_tf.report.svg import Chart

# A setting that grows by more than this factor is drawn on logarithmic paper.
_WIDE = 15


def removal_curves(records):
    """The mark and the accuracy over every setting of every attack that was varied.

    Returns:
        A list of pairs (title, markup). A line is a scheme, a kind of copy and the attack's other
        settings; points are means over the models.
    """
    known = [
        record
        for record in records_lib.models(records)
        if record.get("family") and record.get("rate_held_out") is not None
    ]
    figures = []
    for (family,), part in records_lib.group(known, "family").items():
        numbers = [name for r in part for name, v in _settings(r).items() if _is_number(v)]
        for setting in dict.fromkeys(numbers):
            words = setting.replace("_", " ")
            for scheme, lines in _lines(part, setting).items():
                markup = _two_charts(lines, words, "the copy after the attack")
                if markup:
                    title = f"Removal: {family} over {words}"
                    figures.append((f"{title}; {scheme}" if scheme else title, markup))
    return figures


def _lines(records, setting):
    """Lines of a setting, by scheme, or all under "" if colours suffice for them."""
    by_scheme = {}
    for record in records:
        others = dict(_settings(record))
        if _is_number(others.pop(setting, None)):
            name = ", ".join([record["role"], *(f"{k} {v}" for k, v in others.items())])
            lines = by_scheme.setdefault(record["scheme"], {})
            lines.setdefault(name, []).append((_settings(record)[setting], record))
    if sum(map(len, by_scheme.values())) > len(MARKERS):
        return by_scheme
    return {"": {f"{s}, {n}": line for s, lines in by_scheme.items() for n, line in lines.items()}}


def query_curve(records):
    """The mark and the accuracy of copies over the number of queries; markup, or `None`.

    A line is a scheme and an extraction attack that was run with several budgets.
    """
    lines = {}
    for record in records_lib.models(records):
        if record.get("thief_queries") and record.get("extraction") and not record.get("attack"):
            name = f"{record['scheme']}, {record['extraction']}"
            lines.setdefault(name, []).append((record["thief_queries"], record))
    return _two_charts(lines, "queries of the thief", "the copy")


def _settings(record):
    return record.get("settings") or {}


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _two_charts(lines, across, whose):
    """The mark above, the accuracy below, over the same axis; `None` if no line has two points."""
    lines = {name: points for name, points in lines.items() if len({x for x, _ in points}) > 1}
    if not lines:
        return None
    xs = [x for points in lines.values() for x, _ in points]
    log = min(xs) > 0 and max(xs) / min(xs) >= _WIDE
    places = tuple(sorted(set(xs)))
    ticks = places if len(places) <= 7 else None
    room = 0 if log else 0.03 * (max(xs) - min(xs))
    low, high = (min(xs) / 1.1, max(xs) * 1.1) if log else (min(xs) - room, max(xs) + room)
    markup = [
        legend(
            [
                *((i, MARKERS[i % len(MARKERS)], False, name) for i, name in enumerate(lines)),
                (5, "circle", True, "hollow: no evidence any more"),
            ]
        )
    ]
    for field, title, bounds in (
        ("rate_held_out", "held-out triggers (%)", (-4, 104)),
        ("accuracy", "accuracy (%)", None),
    ):
        means = {name: _means(points, field) for name, points in lines.items()}
        bounds = bounds or _bounds([y for points in means.values() for _, y, _ in points])
        upwards = Axis(*bounds, title, ticks=(0, 25, 50, 75, 100) if bounds[0] == -4 else None)
        bottom = 46 if field == "accuracy" else 28
        chart = Chart(
            Axis(low, high, across if field == "accuracy" else "", log=log, ticks=ticks),
            upwards,
            f"{title} of {whose} over {across}",
            height=172 + bottom,
            bottom=bottom,
        )
        for series, (name, points) in enumerate(means.items()):
            chart.line([(x, y) for x, y, _ in points], series)
            for x, y, found in points:
                words = f"{name}: {title} {y:.1f} at {x:g}"
                chart.point(x, y, series, hollow=not found, size=4.5, title=words)
        markup.append(chart.svg())
    return "".join(markup)


def _bounds(values):
    room = max(1.0, 0.08 * (max(values) - min(values)))
    return max(0.0, math.floor(min(values) - room)), min(100.0, math.ceil(max(values) + room))


def _means(points, field):
    """Triples (x, mean in per cent, whether more than half of the verdicts were evidence)."""
    by_place = {}
    for x, record in points:
        if record.get(field) is not None:
            by_place.setdefault(x, []).append(record)
    return [
        (
            x,
            100 * sum(record[field] for record in part) / len(part),
            2 * sum(record.get("decision") == "evidence" for record in part) > len(part),
        )
        for x, part in sorted(by_place.items())
    ]
