"""What attacks on the mark did: the mark and the accuracy before and after, side by side."""

from ewe_tf.report import records as records_lib
from ewe_tf.report.svg import escape
from ewe_tf.report.table import percent

WORDS = (
    "Each cell: the share of held-out triggers that the copy answers with the target, before and "
    "after; the verdict (● recognised, ◐ some recognised, ○ no evidence); the share of matched "
    "controls that it answers so, which must be smaller; and the accuracy that is left, with its "
    "change in points. The copy needs half of what it had over a model trained "
    "from scratch on the labels spent, or the theft was not worth it. ✗ removed: the verdict fell "
    "and the copy has what it needs. ✓ held: still evidence. ✓ too costly: the verdict fell and "
    "so did the accuracy."
)


def table(rows):
    """A line for each kind of copy and attack, a column for each scheme.

    Args:
        rows: rows of `records.summarise` with an attack.

    Returns:
        Markup; empty if there are no rows.
    """
    if not rows:
        return ""
    schemes = list(dict.fromkeys(row["scheme"] for row in rows))
    body = []
    for (role, attack), part in records_lib.group(rows, "role", "attack").items():
        by_scheme = {row["scheme"]: row for row in part}
        cells = "".join(_cell(by_scheme.get(scheme)) for scheme in schemes)
        below = f"{role} copy"
        if part[0]["scratch_accuracy"] is not None:
            scratch = percent(part[0]["scratch_accuracy"])
            below += f"; {part[0]['labels']:g} labels, {scratch} from scratch"
        name = f"{escape(attack)}<small>{escape(below)}</small>"
        body.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    head = "".join(f"<th>{escape(scheme)}</th>" for scheme in schemes)
    return (
        '<div class="wide"><table class="data narrow"><thead><tr><th class="word">attack</th>'
        f"{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def counts(rows):
    """For each scheme how many removals succeeded, out of those tried on a copy with evidence.

    Args:
        rows: rows of `records.summarise` with an attack.

    Returns:
        Dict from scheme to `(succeeded, tried)`; schemes whose copies never showed evidence have
        tried 0.
    """
    return {
        scheme: (sum(row["succeeded"] for row in part), sum(row["tried"] for row in part))
        for (scheme,), part in records_lib.group(rows, "scheme").items()
    }


def verdict_sign(row):
    """A sign for how many of a row's verdicts were "evidence", readable without colour."""
    if not row["evidence"]:
        return "○"
    return "●" if row["evidence"] == row["verdicts"] else "◐"


def _cell(row):
    if row is None:
        return "<td>–</td>"
    before = "" if row["stolen_rate"] is None else f"{percent(row['stolen_rate'])} → "
    sign = verdict_sign(row) if row["verdicts"] else ""
    lost = "" if row["cost"] is None else f" ({-row['cost']:+.1f})".replace("-", "−")
    controls = row["rate_controls"]
    controls = "" if controls is None else f"controls {percent(controls, 0)}, "
    return (
        f"<td>{before}{_percent(row['rate_held_out'])} {sign}"
        f"<small>{controls}acc. {_percent(row['accuracy'])}{lost}</small>{_outcome(row)}</td>"
    )


def _outcome(row):
    if row["needed_accuracy"] is None:
        return ""
    needs = f"needs {percent(row['needed_accuracy'])}"
    if not row["tried"]:
        return f"<small>{needs}: nothing to remove</small>"
    if row["succeeded"]:
        several = f" {row['succeeded']} of {row['tried']}" if row["tried"] > 1 else ""
        return f'<small>{needs}: <span class="wrong">✗ removed{several}</span></small>'
    words = "✓ held" if row["evidence"] == row["verdicts"] else "✓ too costly"
    return f'<small>{needs}: <span class="yes">{words}</span></small>'


def _percent(share):
    return "–" if share is None else percent(share)
