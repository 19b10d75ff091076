"""Choosing the source and target class by what innocent models say (not by habit).

The class pairs published with EWE are answered by up to 40 % (Fashion-MNIST) of innocent
models. A good pair is close for every model, so that a mark transfers, and yet answered by none.
"""

import dataclasses

import numpy as np

from ewe_tf.watermarks.in_house import margins

# Rates of in-house innocent models: pairs up to the first limit come before those up to the
# next; above the last a pair is of no use. Strangers answer up to some times more often.
LIMITS = (0.005, 0.02, 0.05)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A source and a target class.

    Attributes:
        source: class of the source inputs, in the source's own labelling.
        target: class of the task.
        null_rate: largest share of the source inputs that an in-house innocent model gives to
            the target; `None` if none was asked.
    """

    source: int
    target: int
    null_rate: float | None


def choose_pair(log_probabilities, choices, target):
    """The pair with the largest mean margin among those that no innocent model answers.

    Args:
        log_probabilities: for each innocent model a dict from source class to its
            `(n, classes)` log-probabilities on inputs of that class.
        choices: dict from source class to the target classes that are allowed for it.
        target: a class, or `"auto"`.

    Returns:
        The chosen `Pair`.

    Raises:
        ValueError: if every pair is answered by more than 5 % for some innocent model.
    """
    scored = []
    for source, allowed in choices.items():
        outputs = [model[source] for model in log_probabilities]
        rates = np.max([_rates(z) for z in outputs], axis=0)
        scores = np.mean([margins(z).mean(axis=0) / z.std() for z in outputs], axis=0)
        for label in allowed if target == "auto" else [target]:
            scored.append((scores[label], Pair(int(source), int(label), float(rates[label]))))
    for limit in LIMITS:
        fit = [entry for entry in scored if entry[1].null_rate <= limit]
        if fit:
            return max(fit, key=lambda entry: entry[0])[1]
    best = min((pair for _, pair in scored), key=lambda pair: pair.null_rate)
    raise ValueError(
        f"No source class and target can be used: innocent models answer even the best pair, "
        f"source {best.source} and target {best.target}, on {best.null_rate:.0%} of the inputs "
        f"(accepted: {LIMITS[-1]:.0%}). Give another `source`, or `target='auto'`"
    )


def _rates(log_probabilities):
    answers = np.argmax(log_probabilities, axis=1)
    return np.bincount(answers, minlength=log_probabilities.shape[1]) / len(answers)
