"""Choosing the source and target class by what innocent models say (not by habit).

The class pairs published with EWE are answered by up to 40 % (Fashion-MNIST) of innocent
models. A good pair is close for every model, so that a mark transfers, and yet answered by none.
"""

import dataclasses

import numpy as np

from ewe_tf.keys import generator
from ewe_tf.watermarks.in_house import margins

# Inputs of a class that an innocent model is asked about, and at most a fine-tuned one, of which
# there are several times as many.
_LEAST, _MOST, _MOST_TUNED = 20, 500, 200


@dataclasses.dataclass(frozen=True)
class Pair:
    """A source and a target class.

    Attributes:
        source: class of the source inputs, in the source's own labelling.
        target: class of the task.
        null_rate: largest share of the source inputs that an in-house innocent model gives to
            the target, or largest mean probability that a fine-tuned one gives it on them, if
            that is more; `None` if none was asked.
        attribute: `(component, sign)` of a natural attribute; `None` for other sources.
    """

    source: int
    target: int
    null_rate: float | None
    attribute: tuple | None = None

    @classmethod
    def of(cls, label, target, null_rate):
        """The pair of a source label: a class, or `(class, component, sign)`."""
        source, *attribute = label if isinstance(label, tuple) else (label,)
        return cls(int(source), int(target), null_rate, tuple(attribute) or None)

    @property
    def label(self):
        """The source label that the pair is of."""
        return self.source if self.attribute is None else (self.source, *self.attribute)

    def __str__(self):
        known = self.null_rate is not None
        rate = f" (innocent models answer it on at most {self.null_rate:.1%})" if known else ""
        moved = ""
        if self.attribute is not None:
            component, sign = self.attribute
            moved = f" moved {'up' if sign > 0 else 'down'} its component {component}"
        return f"source class {self.source}{moved}, target class {self.target}{rate}"


def ranked_pairs(log_probabilities, fine_tuned, choices, limits):
    """Pairs that no innocent model answers, by their mean margin, the largest first.

    Margins are those of the models as they are: to be near for a fine-tuned one is no merit. What
    fine-tuning brings models to differs with every draw of labels; the probability that they give
    a target foretells better than the rate what strangers' models will do.

    Args:
        log_probabilities: for each innocent model a dict from source label to its
            `(n, classes)` log-probabilities on inputs of that label.
        fine_tuned: the same of further, fine-tuned innocent models; may be empty.
        choices: dict from source label to the target classes that are allowed for it.
        limits: growing pairs, of a rate of the models as they are and of a mean probability of
            fine-tuned ones: what all of them stay within comes before what stays within the next;
            above the last a pair is of no use.

    Returns:
        List of `Pair`, one for each source label that has any: those within the strictest limit
        first.

    Raises:
        ValueError: if every pair is answered more often by some innocent model.
    """
    scored = []
    for source, allowed in choices.items():
        outputs = [model[source] for model in log_probabilities]
        rates = np.max([_rates(z) for z in outputs], axis=0)
        tuned = [np.exp(model[source]).mean(axis=0) for model in fine_tuned]
        tuned = np.max(tuned, axis=0) if tuned else np.zeros(len(rates))
        scores = np.mean([margins(z).mean(axis=0) / z.std() for z in outputs], axis=0)
        for label in allowed:
            found = float(rates[label]), float(tuned[label])
            scored.append((scores[label], found, Pair.of(source, label, max(found))))
    scored.sort(key=lambda entry: -entry[0])
    best = {}
    for limit in limits:
        for _, found, pair in scored:
            if all(rate <= most for rate, most in zip(found, limit, strict=True)):
                best.setdefault(pair.label, pair)
    if best:
        return list(best.values())
    least = min((pair for *_, pair in scored), key=lambda pair: pair.null_rate)
    raise ValueError(
        f"No source class and target can be used: innocent models answer even the best pair, "
        f"source {least.source} and target {least.target}, on {least.null_rate:.0%} of the inputs "
        f"(accepted: {max(limits[-1]):.0%}). Give another `source`, or `target='auto'`"
    )


def _rates(log_probabilities):
    answers = np.argmax(log_probabilities, axis=1)
    return np.bincount(answers, minlength=log_probabilities.shape[1]) / len(answers)


def target_choices(source, target, data):
    """For each source label the target classes that it may be paired with.

    Args:
        source: the `Source`.
        target: a class, `"auto"`, or a dict from source label to class.
        data: the `TaskData`.

    Raises:
        ValueError: for a target that the data lack, for two source labels of one target or
            labels that the source lacks, or if no source label goes with the target.
    """
    present = np.unique(data.labels).tolist()
    if isinstance(target, dict):
        return _fixed_choices(source, target, present)
    if target != "auto" and target not in present:
        raise ValueError(
            f"`target` must be a class of the data, whose classes are {present}. Received: {target}"
        )
    choices = {}
    for label in source.choices:
        allowed = [t for t in present if t != source.own_class(label)]
        if target == "auto":
            choices[label] = allowed
        elif target in allowed:
            choices[label] = [target]
    if not any(choices.values()):
        raise ValueError(
            f"`target` must differ from the class of `source`. Received: target={target!r}, and "
            f"sources of class {sorted({source.own_class(c) for c in source.choices})} only, of "
            f"the data's classes {present}"
        )
    return choices


def _fixed_choices(source, target, present):
    """`target_choices` of a dict."""
    fits = all(
        label in source.choices and goal in present and goal != source.own_class(label)
        for label, goal in target.items()
    )
    if not target or not fits or len(set(target.values())) < len(target):
        raise ValueError(
            "`target`, a dict, must give different targets to source labels, each of another "
            f"class. Received: {target}; the classes are {present}, the source labels "
            f"{list(source.choices)}"
        )
    return {label: [goal] for label, goal in target.items()}


def choose_by(innocents, fine_tuned, source, choices, seed):
    """The pairs that innocent models choose, best first; without any, those that there are.

    Without innocent models, every source label of `choices` must have one target.

    Args:
        innocents: list of `InHouse` models.
        fine_tuned: list of further ones, which were fine-tuned; may be empty.
        source: the `Source`.
        choices: what `target_choices` gave.
        seed: of the source inputs that are asked, at most 500 of each class, of fine-tuned
            models 200. A model is asked only about inputs that it was not trained on, if there
            are enough: those that it knows by heart it gives to their own class longer than a
            stranger's model would.
    """
    if not innocents:
        return [Pair.of(label, target, None) for label, (target,) in choices.items()]
    rng = np.random.default_rng(seed)
    answers, tuned = [{} for _ in innocents], [{} for _ in fine_tuned]
    for label in choices:
        images = source.of_class(label)
        images = images[rng.permutation(len(images))]
        digests = generator.digests(images)
        for models, founds, most in ((innocents, answers, _MOST), (fine_tuned, tuned, _MOST_TUNED)):
            for model, found in zip(models, founds, strict=True):
                asked = _asked(images, model.has_seen(digests), most)
                found[label] = model.log_probabilities(source.shown(label, asked, seed))
    return ranked_pairs(answers, tuned, choices, source.limits)


def _asked(images, seen, most):
    unseen = images[~seen]
    return (unseen if len(unseen) >= _LEAST else images)[:most]
