"""Plain text tables for the terminal."""

import statistics

from ewe_tf.report import records as records_lib


def percent(share, digits=1):
    """A share as per cent, without the sign: 0.9412 is "94.1"; None is a dash."""
    return "-" if share is None else f"{100 * share:.{digits}f}"


def small(p_value):
    """A p-value: 0.021, 3e-14; below 1e-300 that bound; None is a dash."""
    if p_value is None:
        return "-"
    if p_value < 1e-300:
        return "<1e-300"
    return f"{p_value:.2g}" if p_value >= 1e-3 else f"{p_value:.0e}".replace("e-0", "e-")


def spread(row, field):
    """Mean and standard deviation in per cent, then the worst: "94.1 ± 2.0 (91.8)".

    The worst is the smallest value, for twins and innocent models the largest rate. One
    model alone has neither.
    """
    mean = percent(row[field])
    if row[f"{field}_sd"] is None:
        return mean
    innocent = row["role"] in records_lib.INNOCENT_ROLES and field != "accuracy"
    worst = row[f"{field}_max"] if innocent else row[f"{field}_min"]
    return f"{mean} ± {percent(row[f'{field}_sd'])} ({percent(worst)})"


def _numeric(cell):
    return cell == "" or cell[0].isdigit() or cell[0] in "-<+"


def text(headers, rows):
    """An aligned table: words to the left, columns of numbers to the right.

    Args:
        headers: Column titles.
        rows: Rows of strings, as long as `headers`.

    Returns:
        Lines joined by newlines, without trailing blanks.

    Example:
        >>> print(text(["role", "rate"], [["victim", "99.0"], ["innocent", "1.0"]]))
        role      rate
        ────────  ────
        victim    99.0
        innocent   1.0
    """
    columns = list(zip(headers, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [bool(rows) and all(map(_numeric, column[1:])) for column in columns]

    def line(cells):
        padded = (
            cell.rjust(width) if align else cell.ljust(width)
            for cell, width, align in zip(cells, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    rule = "  ".join("─" * width for width in widths)
    return "\n".join([line(headers), rule, *(line(row) for row in rows)])


def results(records):
    """The results of an experiment as text: one block for each data set and scheme.

    Rates and accuracies are per cent: mean, standard deviation and worst over the models.
    Below a block stands the price of the mark where the victims' records have one.
    """
    blocks = []
    summary = records_lib.summarise(records)
    for place, rows in records_lib.group(summary, "experiment", "dataset", "scheme").items():
        experiment, dataset, scheme = place
        attacked = any(row["attack"] for row in rows)
        headers = [
            "model",
            "attack",
            "n",
            "accuracy",
            "held-out",
            "key",
            "p",
            "queries",
            "verdict",
        ]
        lines = [
            [
                row["role"],
                row["attack"],
                str(row["count"]),
                spread(row, "accuracy"),
                spread(row, "rate_held_out"),
                spread(row, "rate_key"),
                small(row["p_value"]),
                "-" if row["queries"] is None else f"{row['queries']:g}",
                f"evidence {row['evidence']}/{row['verdicts']}" if row["verdicts"] else "",
            ]
            for row in rows
        ]
        if not attacked:
            headers.pop(1)
            for line in lines:
                line.pop(1)
        prices = [
            record["price"]
            for record in records_lib.models(records)
            if record["role"] == "victim"
            and (record["experiment"], record["dataset"], record["scheme"]) == place
            and record.get("price") is not None
        ]
        where = dataset if experiment == dataset else f"{dataset} ({experiment})"
        block = f"{scheme} on {where}\n{text(headers, lines)}"
        if prices:
            block += f"\nprice of the mark: {statistics.fmean(prices):.2f} points of accuracy"
            twins = [
                record["twin_accuracy"]
                for record in records_lib.models(records)
                if (record["experiment"], record["dataset"], record["scheme"]) == place
                and record.get("twin_accuracy") is not None
            ]
            if twins:
                block += f" (clean twins: {percent(statistics.fmean(twins))} %)"
        blocks.append(block)
    for record in records_lib.failures(records):
        blocks.append(f"FAILED {record['scheme']}, seed {record['seed']}: {record.get('error')}")
    return "\n\n".join(blocks)
