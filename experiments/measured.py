"""What was measured on one suspect, as a JSON record."""

from ewe_tf.verification import clopper_pearson
from experiments.stages import Failure


def measured(owner, outcomes, experiment, suspect, verdict, fields, needed=()):
    """The record of one suspect, or of the failure of what it needs.

    Args:
        owner: the `Owner`.
        outcomes: what `stages.run` returned.
        experiment: name of the experiment.
        suspect, verdict: their stages.
        fields: fields of the record that say who the suspect is.
        needed: further stages without which there is no record.
    """
    place = owner.place(experiment)
    for stage in (owner.victims[0], owner.judge, suspect, verdict, *needed):
        found = outcomes[stage]
        if isinstance(found, Failure):
            error = f"{found.stage.title}: {found.error}"
            name = fields.get("name", fields["role"])
            return {**place, **fields, "role": "failed", "name": name, "error": error}
    value, made = outcomes[verdict].value, outcomes[suspect]
    low, high = _interval(value["held_out"])
    return {
        **place,
        "name": fields["role"],
        **fields,
        "accuracy": made.value["accuracy"],
        **judged(value),
        "rate_low": low,
        "rate_high": high,
        "key_refused": outcomes[owner.judge].value["refused"],
        "pairs": outcomes[owner.victims[0]].value.get("pairs"),
        "seconds": made.seconds,
    }


def judged(value):
    """What a record says of a verdict, from the value of its stage."""
    return {
        "rate_held_out": rate_of(value["held_out"]),
        "rate_key": rate_of(value["keys"]),
        "rate_controls": rate_of(value["controls"]),
        "n": value["held_out"][1],
        "decision": value["decision"],
        "p_value": value["p_value"],
        "queries": value["queries"],
    }


def rate_of(counts):
    """A rate of `(hits, asked)`, or `None` if nothing was asked."""
    hits, asked = counts
    return hits / asked if asked else None


def _interval(counts):
    """The 95 % Clopper-Pearson interval of a rate."""
    hits, asked = counts
    if not asked:
        return None, None
    interval = clopper_pearson(hits, asked)
    return float(interval.low), float(interval.high)
