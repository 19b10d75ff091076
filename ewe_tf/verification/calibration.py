"""Calibration: what models that never met the watermark answer to a key."""

import dataclasses

import numpy as np

from ewe_tf.verification.innocents import null_rate_bound

# No null rate below this is used, however innocent the models asked.
FLOOR = 0.05
# Keys that an innocent model answers more often than this are refused.
ACCEPTED = 0.05


def calibrate(key, innocent_models, *, names=None):
    """The key with the answers of innocent models stored in it.

    Give models that had no part in the making of the key: several seeds, at least two
    architectures, copies distilled from an unmarked model, and fine-tuned copies of all of
    these. Five is few; the verdict states what their number supports.

    Args:
        key: a `TriggerKey`.
        innocent_models: a sequence of models, of any kind that `ewe_tf.Oracle` takes.
        names: one name for each, for the record; `None` numbers them.

    Returns:
        A new key with `calibration` set; its commitment is that of `key`.

    Raises:
        ValueError: without models, or if a model answers more than 5 % of the key's triggers or
            held-out triggers with the target: the message says which, and what to do.
    """
    innocent_models = list(innocent_models)
    if not innocent_models:
        raise ValueError("`innocent_models` must hold at least one model. Received: none")
    names = [f"innocent {i + 1}" for i in range(len(innocent_models))] if names is None else names
    if len(names) != len(innocent_models):
        raise ValueError(
            f"`names` must be one for each of the {len(innocent_models)} models. "
            f"Received: {len(names)}"
        )
    records = [
        {"name": str(name), **answers_of(key, model)}
        for name, model in zip(names, innocent_models, strict=True)
    ]
    for record in records:
        for part in ("keys", "held_out"):
            hits, asked = record[part]
            if hits > ACCEPTED * asked:
                raise ValueError(
                    f"The key is not fit for use: {record['name']!r}, an innocent model, gives "
                    f"the expected answer to {hits} of {asked} {part.replace('_', '-')} triggers "
                    f"({hits / asked:.1%}; accepted: {ACCEPTED:.0%}). Choose another source or "
                    "target class, or let more in-house innocent models choose them"
                )
    return dataclasses.replace(key, calibration={"innocents": records})


def answers_of(key, model):
    """`{"keys": [hits, asked], "held_out": ..., "controls": ...}` of one model."""
    from ewe_tf.oracle import Oracle

    oracle = model if isinstance(model, Oracle) else Oracle(model, answers="label")
    return {
        "keys": _count(oracle, key.triggers, key.labels),
        "held_out": _count(oracle, key.held_out, key.held_out_labels),
        "controls": _count(oracle, key.controls, key.labels),
    }


def null_rate_of(key, part):
    """The null rate for a part of a key (`"keys"` or `"held_out"`), and where it comes from.

    Calibrated: the largest one-sided 95 % Clopper-Pearson bound over the innocent models, at
    least 5 %. Not calibrated: one half; nothing smaller can be defended without having asked
    an innocent model, because a class of strange inputs often gets one answer from most models.
    """
    if key.calibration is None:
        return 0.5, "assumed, because no innocent model was asked; calibrate(key, models) helps"
    counts = [record[part] for record in key.calibration["innocents"]]
    bound = null_rate_bound(counts, confidence=0.95, floor=FLOOR)
    worst = max(hits / asked for hits, asked in counts)
    return bound, (
        f"bound from {len(counts)} innocent models, whose largest rate is {worst:.1%} "
        f"(never below {FLOOR:.0%})"
    )


def _count(oracle, images, labels):
    if not len(images):
        return [0, 0]
    answers = oracle.predict(images)
    answers = answers if answers.ndim == 1 else np.argmax(answers, axis=1)
    return [int(np.sum(answers == labels)), len(images)]
