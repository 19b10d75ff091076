"""When has a thief won? The scratch baseline, and how many attacks pass it."""

from ewe_tf.report import records as records_lib


def judge_removal(record):
    """Whether the removal behind a record succeeded, and what it cost.

    The mark must be gone: the verdict was "evidence" on the copy and is no longer. And the theft
    must have been worth it: the thief keeps at least half of what the copy gave him over the
    accuracy that he reaches from scratch with the labels he spends,

        accuracy >= scratch + max(0, stolen - scratch) / 2.

    Args:
        record: with `accuracy`, `decision`, `stolen_accuracy`, `stolen_decision` and
            `scratch_accuracy`.

    Returns:
        Dictionary: `cost`, points of accuracy lost; `needed_accuracy`, the bound above; and
        `succeeded`, `None` where the copy showed no evidence to begin with.
    """
    scratch, stolen = record["scratch_accuracy"], record["stolen_accuracy"]
    needed = scratch + max(0.0, stolen - scratch) / 2
    gone = record["decision"] != "evidence"
    kept = record["accuracy"] >= needed
    return {
        "cost": 100 * (stolen - record["accuracy"]),
        "needed_accuracy": needed,
        "succeeded": gone and kept if record["stolen_decision"] == "evidence" else None,
    }


def count(records):
    """How many removals succeed.

    Args:
        records: any records; those of other models are left out.

    Returns:
        `(succeeded, tried)`: tried on copies that showed evidence.
    """
    known = records_lib.values(records, "succeeded")
    return sum(known), len(known)
