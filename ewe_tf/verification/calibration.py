"""Calibration: what models that never met the watermark answer to a key."""

import dataclasses
import itertools

import numpy as np

from ewe_tf.keys import TriggerKey
from ewe_tf.verification.asking import check_classes
from ewe_tf.verification.innocents import null_rate_bound
from ewe_tf.verification.scores import target_rank

# No null rate below this is used, however innocent the models asked.
FLOOR = 0.05
# Keys that an innocent model answers more often than this are refused.
ACCEPTED = 1 / 3

_MATERIAL = {
    "keys": ("triggers", "labels"),
    "held_out": ("held_out", "held_out_labels"),
    "controls": ("controls", "labels"),
}
_JUDGED = {"keys": "keys", "held_out": "held-out triggers"}


class UnfitKeyError(ValueError):
    """A key that would accuse the innocent: a model that never met the mark answers it."""


def calibrate(key, innocent_models, *, names=None, families=None):
    """The key with the answers of innocent models stored in it.

    Give models that had no part in the making of the key: several seeds, at least two
    architectures, copies distilled from an unmarked model, and fine-tuned copies of all of
    these. Five is few; the verdict states what their number supports.

    Args:
        key: a `TriggerKey`.
        innocent_models: a sequence of models, of any kind that `ewe_tf.Oracle` takes. Where
            they answer with probabilities, the target's rank in them is stored as well, and if
            none ranks it higher in triggers than in controls, verdicts test it.
        names: one name for each, for the record; `None` numbers them.
        families: one label for each: fine-tuned, pruned or distilled copies of one model are
            one family with it, and count as one model. `None`: all are independent.

    Returns:
        A new key with `calibration` set; its commitment is that of `key`.

    Raises:
        TypeError: for a key of another kind, which needs no calibration, or anything but a
            sequence of models.
        ValueError: without models, or for a model of another number of classes than the key's.
        UnfitKeyError: a `ValueError`, if a model answers more than a third of the key's triggers
            or held-out triggers, or of those of one of several marks, with the target: the
            message says which, and what to do.
    """
    if not isinstance(key, TriggerKey):
        raise TypeError(f"`key` must be a TriggerKey. Received: {type(key).__name__}")
    if isinstance(innocent_models, str) or not hasattr(innocent_models, "__iter__"):
        raise TypeError(
            f"`innocent_models` must be a sequence of models. Received: {innocent_models!r}"
        )
    innocent_models = list(innocent_models)
    if not innocent_models:
        raise ValueError("`innocent_models` must hold at least one model. Received: none")
    names = [f"innocent {i + 1}" for i in range(len(innocent_models))] if names is None else names
    families = range(len(names)) if families is None else families
    for argument, given in (("names", names), ("families", families)):
        if len(given) != len(innocent_models):
            raise ValueError(
                f"`{argument}` must be one for each of the {len(innocent_models)} models. "
                f"Received: {len(given)}"
            )
    records = [
        {"name": str(name), "family": str(family), **_record(key, name, model)}
        for name, family, model in zip(names, families, innocent_models, strict=True)
    ]
    for record, part, mark in itertools.product(records, _JUDGED, (None, *(key.marks or ()))):
        hits, asked = _counts(key, record, part, mark)
        if hits > ACCEPTED * asked:
            of_mark = "" if mark is None else f" of the mark of class {mark}"
            raise UnfitKeyError(
                f"The key is not fit for use: {record['name']!r}, an innocent model, gives the "
                f"expected answer to {hits} of {asked} {_JUDGED[part]}{of_mark} "
                f"({hits / asked:.1%}; accepted: {ACCEPTED:.0%}). Choose another source or target "
                "class, or let more in-house innocent models choose them"
            )
    return dataclasses.replace(key, calibration={"innocents": records})


def answers_of(key, model):
    """`{"keys": [hits, asked], "held_out": ..., "controls": ...}` of one model."""
    from ewe_tf.oracle import Oracle

    oracle = model if isinstance(model, Oracle) else Oracle(model, answers="label")
    return {
        part: _count(_labels(oracle.predict(images)) == labels)
        for part, (images, labels) in _parts(key).items()
    }


def null_rate_of(key, target=None):
    """The rate that innocent models are granted on a key's triggers, and where it comes from.

    Calibrated: the largest one-sided 95 % Clopper-Pearson bound over the innocent models, at
    least 5 %, of the selected keys or of the held-out triggers, whichever is larger: the same
    rule makes both, and what a selection has turned away on some models it may not on others.
    Not calibrated: one half; nothing smaller can be defended without having asked an innocent
    model, because a class of strange inputs often gets one answer from most models.

    Args:
        key: a `TriggerKey`.
        target: the target class of one of the key's marks, whose triggers alone are meant; `None`
            for all.
    """
    if key.calibration is None:
        return 0.5, "assumed, because no innocent model was asked; calibrate(key, models) helps"
    try:
        records = key.calibration["innocents"]
        counts = [_counts(key, record, part, target) for record in records for part in _JUDGED]
        families = len({record.get("family", record["name"]) for record in records})
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"The key's calibration is malformed: {error!r}") from error
    counts = [(hits, asked) for hits, asked in counts if asked]
    bound = null_rate_bound(counts, confidence=0.95, floor=FLOOR)
    worst = max(hits / asked for hits, asked in counts)
    of_families = f" of {families} families" if families < len(records) else ""
    return bound, (
        f"bound from {len(records)} innocent models{of_families}, whose largest rate is "
        f"{worst:.1%} (never below {FLOOR:.0%})"
    )


def _counts(key, record, part, target):
    """`(hits, asked)` of one innocent model on a part, or on the triggers of one mark in it."""
    if target is None:
        return tuple(record[part])
    labels = key.labels if part == "keys" else key.held_out_labels
    return _hits(record, part, np.flatnonzero(labels == target))


def _hits(record, part, numbers):
    """`(hits, asked)` of one innocent model on some triggers of a part."""
    bits = np.frombuffer(bytes.fromhex(record["outcomes"][part]), np.uint8)
    return int(np.unpackbits(bits)[numbers].sum()), len(numbers)


def family_counts(key, part, numbers):
    """`(hits, asked)` of each innocent family's worst member on some triggers of a part.

    Args:
        key: a calibrated `TriggerKey`.
        part: `"keys"` or `"held_out"`.
        numbers: rows of the triggers that count, `(n,)`.

    Returns:
        List of pairs, one for each family.
    """
    worst = {}
    for record in key.calibration["innocents"]:
        if part in record.get("outcomes", {}):
            counts = _hits(record, part, numbers)
        else:
            counts = tuple(record[part])
        family = record.get("family", record["name"])
        worst[family] = max(worst.get(family, (0, counts[1])), counts, key=lambda c: c[0] / c[1])
    return list(worst.values())


def family_ranks(key, part):
    """Mean and deviation of the target's rank in each family's best-ranking member.

    Returns:
        List of pairs, one for each family. Empty without calibration, if some innocent model gave
        labels only, or if one ranks the target higher in the triggers than in their controls:
        controls are then no safeguard, and the tails of innocent models' ranks, which are heavy,
        would decide alone.
    """
    best = {}
    for record in (key.calibration or {}).get("innocents", ()):
        ranks = record.get("ranks") or {}
        found, controls = ranks.get(part), ranks.get("controls")
        if found is None or controls is None or found[0] > controls[0]:
            return []
        family = record.get("family", record["name"])
        best[family] = max(best.get(family, (-1.0, 0.0)), tuple(found))
    return list(best.values())


def _record(key, name, model):
    """What one innocent model answers: counts, each trigger's outcome, and ranks."""
    oracle = _most_telling(model, key.triggers[:1])
    called = f"The innocent model {name!r}"
    check_classes(key, oracle, called)
    record, outcomes, ranks = {}, {}, {}
    for part, (images, labels) in _parts(key).items():
        answers = oracle.predict(images)
        check_classes(key, oracle, called)
        hits = _labels(answers) == labels
        record[part] = _count(hits)
        outcomes[part] = np.packbits(hits).tobytes().hex()
        if answers.ndim == 2 and len(answers) and np.all(np.isfinite(answers)):
            found = target_rank(answers, labels)
            ranks[part] = [round(float(found.mean()), 6), round(float(found.std()), 6)]
    record["outcomes"] = {part: outcomes[part] for part in ("keys", "held_out")}
    complete = oracle.answers == "probabilities" and set(ranks) == set(_MATERIAL)
    record["ranks"] = ranks if complete else None
    return record


def _most_telling(model, row):
    """An oracle that gives probabilities, if the model does, else labels."""
    from ewe_tf.oracle import Oracle

    if isinstance(model, Oracle):
        return model
    try:
        oracle = Oracle(model, answers="probabilities")
        oracle.predict(row)
    except ValueError:
        return Oracle(model, answers="label")
    return oracle


def _parts(key):
    return {
        part: (getattr(key, images), getattr(key, labels))
        for part, (images, labels) in _MATERIAL.items()
    }


def _labels(answers):
    answers = np.asarray(answers)
    return answers if answers.ndim == 1 else np.argmax(np.nan_to_num(answers, nan=-1.0), axis=1)


def _count(hits):
    return [int(np.sum(hits)), len(hits)]
