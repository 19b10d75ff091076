"""The charts of a report, drawn from its records."""

import math

from ewe_tf.report import records as records_lib
from ewe_tf.report.legend import legend
from ewe_tf.report.svg import MARKERS
from ewe_tf.report.svg import Axis
from ewe_tf.report.svg import Chart
from ewe_tf.report.table import percent
from ewe_tf.report.table import small

_SHARE = {
    "low": 0.0,
    "high": 1.0,
    "ticks": (0, 0.25, 0.5, 0.75, 1),
    "labels": ("0", "25", "50", "75", "100"),
}
_SCATTER_WORDS = '<p class="soft">Large: victims. Small grey dots: innocent models.</p>'


def _roles(records):
    return sorted({record["role"]: None for record in records}, key=records_lib.role_order)


def _describe(record):
    attack = record.get("attack")
    return f"{record['role']}{', ' + attack if attack else ''}, seed {record['seed']}"


def _parties(roles):
    """A word for each role: itself, or where markers do not suffice, one for all copies."""
    kept = roles if len(roles) <= len(MARKERS) else ("victim", *records_lib.INNOCENT_ROLES)
    return {role: role if role in kept else "stolen copy" for role in roles}


def _look(record, schemes, party, parties):
    """Series, marker, size and hollowness of a model in the scatter."""
    hollow = bool(record.get("attack"))
    if len(schemes) == 1:
        return 0, MARKERS[parties.index(party)], 5, hollow
    if record["role"] in records_lib.INNOCENT_ROLES:
        return 5, "circle", 1.8, False
    scheme = schemes.index(record["scheme"])
    size = 7 if record["role"] == "victim" else 4.5
    return scheme, _shape(scheme), size, hollow


def _shape(scheme):
    """A marker that differs between schemes of the same colour."""
    return MARKERS[(scheme + scheme // len(MARKERS)) % len(MARKERS)]


def accuracy_against_mark(records):
    """What does the thief pay? Accuracy across, held-out rate upwards, a point a model.

    One scheme: the shape is the role, all copies having one where there are many. Several:
    colour and shape are the scheme, victims are larger, innocent models small grey dots. Models
    that went through a removal attack are hollow. Returns markup, or None if no record has both
    figures.
    """
    known = [
        record
        for record in records_lib.models(records)
        if record.get("accuracy") is not None and record.get("rate_held_out") is not None
    ]
    if not known:
        return None
    schemes = list(dict.fromkeys(record["scheme"] for record in known))
    party_of = _parties(_roles(known))
    parties = list(dict.fromkeys(party_of.values()))
    accuracies = [record["accuracy"] for record in known]
    room = max(0.01, (max(accuracies) - min(accuracies)) * 0.06)
    low, high = max(0, min(accuracies) - room), min(1, max(accuracies) + room)
    across = Axis(100 * low, 100 * high, "accuracy on the test set (%)")
    upwards = Axis(-4, 104, "held-out triggers (%)", ticks=(0, 25, 50, 75, 100))
    chart = Chart(across, upwards, "Accuracy against the rate on held-out triggers")
    for record in known:
        series, kind, size, hollow = _look(record, schemes, party_of[record["role"]], parties)
        chart.point(
            100 * record["accuracy"],
            100 * record["rate_held_out"],
            series,
            kind=kind,
            size=size,
            hollow=hollow,
            title=f"{record['scheme']}: {_describe(record)}: accuracy "
            f"{percent(record['accuracy'])} %, rate {percent(record['rate_held_out'])} %",
        )
    if len(schemes) == 1:
        entries = [(0, MARKERS[i], False, party) for i, party in enumerate(parties)]
    else:
        entries = [(i, _shape(i), False, name) for i, name in enumerate(schemes)]
    if any(record.get("attack") for record in known):
        entries.append((0 if len(schemes) == 1 else 5, "circle", True, "hollow: after an attack"))
    words = "" if len(schemes) == 1 else _SCATTER_WORDS
    return legend(entries) + words + chart.svg()


def _swarm(shares, width=0.014):
    """Levels (0, 1, -1, 2, …) that keep points of nearly the same share apart."""
    placed, levels = [], []
    for share in shares:
        level = 0
        while any(abs(share - x) < width and level == taken for x, taken in placed):
            level = -level if level > 0 else -level + 1
        placed.append((share, level))
        levels.append(level)
    return levels


def null_against_copies(records, field="rate_held_out"):
    """Rates of innocent models and of stolen copies, one row of points for each role.

    Returns markup, or None if no record has the rate.
    """
    known = [
        record
        for record in records_lib.models(records)
        if record.get(field) is not None and not record.get("attack")
    ]
    if not known:
        return None
    rows = list(reversed(_roles(known)))
    points = [
        sorted((r for r in known if r["role"] == role), key=lambda r: r[field]) for role in rows
    ]
    levels = [_swarm([record[field] for record in part]) for part in points]
    heights = [16 + 14 * max(1, *map(abs, part)) for part in levels]
    middles = [sum(heights[:i]) + heights[i] / 2 for i in range(len(rows))]
    upwards = Axis(0, sum(heights), ticks=tuple(middles), labels=tuple(rows))
    title = "held-out triggers answered with the target (%)"
    chart = Chart(
        Axis(-0.02, 1.02, title, **{k: _SHARE[k] for k in ("ticks", "labels")}),
        upwards,
        "Rates of innocent models and of stolen copies",
        height=60 + sum(heights),
        left=max(128, 16 + 7 * max(map(len, rows))),
    )
    innocent = [r[field] for r in known if r["role"] in records_lib.INNOCENT_ROLES]
    if innocent:
        chart.rule("worst innocent", x=max(innocent))
    for index, role in enumerate(rows):
        blameless = role in records_lib.INNOCENT_ROLES
        for record, level in zip(points[index], levels[index], strict=True):
            chart.point(
                record[field],
                middles[index],
                1 if blameless else 0,
                kind="square" if blameless else "circle",
                hollow=blameless,
                size=3.6,
                dy=7 * level,
                title=f"{_describe(record)}: {percent(record[field])} %",
            )
    return chart.svg()


def _spread_labels(heights, gap=13.0):
    """Moves label heights apart by at least `gap`, keeping their order."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    moved, previous = list(heights), -math.inf
    for index in order:
        moved[index] = previous = max(heights[index], previous + gap)
    return moved


def evidence_over_queries(curves, alpha=None):
    """How the p-value falls with every query, on logarithmic paper, a line a suspect.

    Args:
        curves: Dictionaries with `name`, `queries` and `p_value` (lists of one length).
        alpha: Level of the decision, drawn as a rule.

    Returns:
        Markup. Values below 1e-30 are drawn at 1e-30.
    """
    smallest = min(min(curve["p_value"]) for curve in curves)
    bounds = (smallest / 3, 0.3 if alpha is None else alpha / 3)
    floor = max(1e-30, min(*bounds, 0.1))
    last = max(max(curve["queries"]) for curve in curves)
    chart = Chart(
        Axis(0, max(1, last), "queries"),
        Axis(floor, 1.0, "p-value", log=True),
        "The p-value over the number of queries",
        left=74,
        right=150,
    )
    if alpha is not None:
        chart.rule(f"level {alpha:g}", y=alpha)
    ends = []
    for series, curve in enumerate(curves):
        points = list(zip(curve["queries"], curve["p_value"], strict=True))
        title = f"{curve['name']}: p = {small(points[-1][1])} after {points[-1][0]} queries"
        chart.line(points, series, title=title)
        chart.point(*points[-1], series, size=4, title=title)
        ends.append((points[-1], chart.place(*points[-1])[1]))
    heights = _spread_labels([height for _, height in ends])
    for series, ((end, was), height) in enumerate(zip(ends, heights, strict=True)):
        chart.words(curves[series]["name"], *end, dx=9, dy=height - was + 4, series=series)
    return chart.svg()


def feature_scatter(points, groups, names):
    """Rows of several groups in two dimensions.

    Args:
        points: Array (n, 2).
        groups: Integers (n,), indices into `names`.
        names: One word a group.

    Returns:
        Markup; each group has its colour and its shape.
    """
    xs, ys = ([float(value) for value in column] for column in zip(*points, strict=True))

    def axis(values, title):
        room = 0.05 * (max(values) - min(values)) or 1.0
        return Axis(min(values) - room, max(values) + room, title, ticks=(), grid=False)

    chart = Chart(
        axis(xs, "first component"),
        axis(ys, "second component"),
        "Features in two dimensions",
        left=30,
        bottom=30,
        height=360,
    )
    for x, y, group in zip(xs, ys, groups, strict=True):
        chart.point(x, y, int(group), size=3, hollow=True, title=names[int(group)])
    entries = [(i, MARKERS[i % len(MARKERS)], True, name) for i, name in enumerate(names)]
    return legend(entries) + chart.svg()
