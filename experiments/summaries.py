"""What the removals did, as text: mark and accuracy side by side, and how many succeed."""

import statistics

from ewe_tf import report
from ewe_tf.report import records as records_lib
from ewe_tf.report.table import percent
from experiments import success


def removals_text(records):
    """A table for each data set, scheme and kind of copy, and one line for each scheme.

    Means over the seeds; `kept` is the accuracy over that of training from scratch on the labels
    spent, against what the copy had over it: from 0.5 on the theft was worth it.
    """
    washed = [r for r in records_lib.models(records) if r.get("attack")]
    blocks = []
    for place, part in records_lib.group(washed, "dataset", "scheme", "role").items():
        dataset, scheme, role = place
        rows = [_row(mine) for mine in records_lib.group(part, "attack").values()]
        headers = [
            "removal", "labels", "accuracy", "cost", "scratch", "needed", "mark before", "after",
            "evidence", "succeeds",
        ]  # fmt: skip
        blocks.append(f"{scheme} on {dataset}, {role} copy\n{report.text_table(headers, rows)}")
    for (dataset, scheme), part in records_lib.group(washed, "dataset", "scheme").items():
        won, tried = success.count(part)
        line = f"{scheme} on {dataset}: {won} of {tried} removals succeed"
        if len(part) > tried:
            line += f" ({len(part) - tried} on copies without evidence do not count)"
        blocks.append(line)
    return "\n\n".join(blocks)


def _row(mine):
    def mean(field):
        known = records_lib.values(mine, field)
        return statistics.fmean(known) if known else None

    won, tried = success.count(mine)
    found = [record["decision"] for record in mine].count("evidence")
    return [
        mine[0]["attack"],
        str(mine[0]["labels"]),
        percent(mean("accuracy")),
        f"{mean('cost'):.1f}",
        percent(mean("scratch_accuracy")),
        percent(mean("needed_accuracy")),
        percent(mean("stolen_rate")),
        percent(mean("rate_held_out")),
        f"{found}/{len(mine)}",
        f"{won}/{tried}" if tried else "-",
    ]
