"""The records that a report is made of: one line of JSON for each model that was asked.

A record says who answered and how well. Required are

    experiment  the program, such as "fashion"
    dataset     such as "fashion_mnist"
    scheme      the watermark, such as "ewe"
    seed        integer
    role        victim | twin | label-only | soft | other architecture | innocent
                (further roles are shown under their own names), or failed, with the field
                `error`, for what could not be measured

and, where known (null or absent otherwise),

    attack         the removal attack that the model went through, with its settings; "" for none
    family         its name without settings, for curves
    settings       its settings that were stated, by name, for curves
    extraction     the name of the extraction attack without settings
    thief_queries  rows that the extraction sent
    accuracy       on the clean test set, in [0, 1]
    rate_key       share of the key's selected triggers answered with the target class
    rate_held_out  the same for held-out triggers of the key's rule
    rate_controls  share of the key's matched controls answered with the target class
    n              how many triggers were asked for `rate_held_out`
    rate_low, rate_high
                   the 95 % interval of `rate_held_out`
    labels         after a removal attack: true labels that it spent
    stolen_accuracy, stolen_rate, stolen_decision
                   after a removal attack: what the copy had before
    scratch_accuracy
                   what a model has that was trained from scratch on those labels
    needed_accuracy, cost, succeeded
                   the least accuracy at which the theft was worth it, points of accuracy lost,
                   and whether the mark was removed (null: there was no evidence before)
    price          of a victim: points of accuracy that a clean twin has more
    twin_accuracy  of a victim: the accuracy of its clean twins
    p_value        of the exact test, in [0, 1]
    decision       the verdict's: "evidence", "no evidence" or "could not tell"
    queries        rows that the verdict asked
    seconds        what it took
    command        the command line that repeats it

Other fields are kept and exported. A record with the field `figure` is a picture instead:

    {"figure": "triggers", "file": "triggers.npz", "title": …}
        arrays `triggers` and `controls`, (n, height, width, 1 or 3) in [0, 1]; optionally
        `names`, two words for what they are
    {"figure": "features", "file": "features.npz", "title": …}
        arrays `points` (n, d), projected to two dimensions, `groups` (n,) integers and
        `names` (groups,) words
    {"figure": "evidence", "curves": [{"name", "queries": […], "p_value": […]}], "alpha": …}
        a verdict's `evidence_path` holds log(1 / p)

where `file` is relative to the folder of the records. The optional fields experiment, dataset,
seed, command, title and caption say where a picture stands and what is written below it.
"""

import json
import pathlib
import statistics

from ewe_tf.report.files import replace_text

ROLES = ("victim", "twin", "label-only", "soft", "other architecture", "innocent")
INNOCENT_ROLES = ("twin", "innocent")
_REQUIRED = {"experiment": str, "dataset": str, "scheme": str, "seed": int, "role": str}
_SHARES = ("accuracy", "twin_accuracy", "rate_key", "rate_held_out", "p_value")
_MEANS = (
    "rate_controls", "labels", "cost", "stolen_rate", "scratch_accuracy", "needed_accuracy",
)  # fmt: skip
FIGURES = ("triggers", "features", "evidence")


def check(record):
    """Returns a record, or says what is wrong with it.

    Raises:
        ValueError: If a required field is missing or of another type, or a share is not in
            [0, 1].
    """
    if "figure" in record:
        if record["figure"] not in FIGURES:
            raise ValueError(
                f"`figure` must be one of {', '.join(FIGURES)}. "
                f"Received: figure={record['figure']!r}"
            )
        return record
    for field, kind in _REQUIRED.items():
        if not isinstance(record.get(field), kind) or isinstance(record.get(field), bool):
            raise ValueError(
                f"a record needs the field `{field}` of type {kind.__name__}. "
                f"Received: {json.dumps(record, default=str)[:200]}"
            )
    for field in _SHARES:
        share = record.get(field)
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"`{field}` must lie in [0, 1]. Received: {field}={share!r}")
    return record


def read(path):
    """Reads and checks a file of JSON lines; empty lines are skipped.

    Raises:
        ValueError: If a line is not a valid record; the message names the line.
    """
    records = []
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), start=1):
        if line.strip():
            try:
                records.append(check(json.loads(line)))
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
    return records


def write(path, records):
    """Writes records as JSON lines, replacing the file at once or not at all."""
    lines = [json.dumps(check(record), allow_nan=False) for record in records]
    replace_text(path, "".join(f"{line}\n" for line in lines))


def models(records):
    """The records of models, without those of figures and of failures."""
    return [r for r in records if "figure" not in r and r["role"] != "failed"]


def failures(records):
    """The records of what could not be measured."""
    return [r for r in records if r.get("role") == "failed"]


def role_order(role):
    """Owner, copies in their order, other roles, and the innocent last."""
    if role == "innocent":
        return len(ROLES)
    return ROLES.index(role) if role in ROLES else len(ROLES) - 1


def group(records, *fields):
    """Records by the values of some fields, in order of first appearance."""
    groups = {}
    for record in records:
        groups.setdefault(tuple(record.get(field) for field in fields), []).append(record)
    return groups


def values(records, field):
    """The known values of a field."""
    return [record[field] for record in records if record.get(field) is not None]


def summarise(records):
    """One row for each role and attack of each scheme: mean, spread and verdicts.

    Args:
        records: Records of models.

    Returns:
        A list of dictionaries with experiment, dataset, scheme, role, attack, `count` (models),
        `seeds`, for each of accuracy, rate_key and rate_held_out its mean, `_sd` (sample
        standard deviation, null for one model), `_min` and `_max`; the smallest `rate_low` and
        the largest `rate_high`; the largest `p_value`, the median `queries`, and `evidence` and
        `verdicts`: how many decisions were "evidence", out of how many; the means of rate_controls
        and, after an attack, of labels, cost, stolen_rate, scratch_accuracy and needed_accuracy,
        and `succeeded` and `tried`. Ordered by experiment, data set and scheme as they came, then
        role.
    """
    rows = []
    fields = ("experiment", "dataset", "scheme")
    for place, of_place in group(models(records), *fields).items():
        named = [{**record, "attack": record.get("attack") or ""} for record in of_place]
        parts = group(named, "role", "attack")
        for (role, attack), part in sorted(parts.items(), key=lambda item: role_order(item[0][0])):
            row = dict(zip(fields, place, strict=True))
            row |= {"role": role, "attack": attack, "count": len(part)}
            row["seeds"] = sorted({record["seed"] for record in part})
            for field in ("accuracy", "rate_key", "rate_held_out"):
                known = values(part, field)
                row[field] = statistics.fmean(known) if known else None
                row[f"{field}_sd"] = statistics.stdev(known) if len(known) > 1 else None
                row[f"{field}_min"] = min(known, default=None)
                row[f"{field}_max"] = max(known, default=None)
            for field in _MEANS:
                known = values(part, field)
                row[field] = statistics.fmean(known) if known else None
            row["rate_low"] = min(values(part, "rate_low"), default=None)
            row["rate_high"] = max(values(part, "rate_high"), default=None)
            outcomes = values(part, "succeeded")
            row["succeeded"], row["tried"] = sum(outcomes), len(outcomes)
            decisions = values(part, "decision")
            row["p_value"] = max(values(part, "p_value"), default=None)
            queries = values(part, "queries")
            row["queries"] = statistics.median(queries) if queries else None
            row["evidence"] = decisions.count("evidence")
            row["verdicts"] = len(decisions)
            rows.append(row)
    return rows
