"""Selecting keys by rehearsal: those that outlast theft and fine-tuning and no stranger answers."""

import numpy as np

from ewe_tf.watermarks.in_house import margins


def key_scores(surrogates, innocents, target, innocence):
    """Score of each candidate trigger.

        min over surrogates of m_t  -  innocence * max(0, 2 + max over innocents of m_t)

    with `m_t` the margin of the target in log-probability: a key that every surrogate answers
    is good, one that an innocent model nearly answers is not.

    Args:
        surrogates, innocents: lists of `(n, classes)` log-probabilities on the candidates.
        target: the target class.
        innocence: weight of the second term.

    Returns:
        `(n,)` float array.
    """
    stolen = np.min([margins(z)[:, target] for z in surrogates], axis=0)
    if not innocents or not innocence:
        return stolen
    clean = np.max([margins(z)[:, target] for z in innocents], axis=0)
    return stolen - innocence * np.maximum(0.0, 2.0 + clean)


def answered(outputs, target):
    """Which triggers any of several models answers: `(n,)` bool, or False without models.

    Args:
        outputs: list of `(n, classes)` log-probabilities.
        target: the target class.
    """
    return np.any([np.argmax(z, axis=1) == target for z in outputs], axis=0)


def lasting(tuned, target):
    """How sure fine-tuned surrogates still are of the target: mean margin, `(n,)` float array.

    The mean, not the least: most fine-tunings leave a part of the triggers, and which part depends
    less on the draw of labels than how large it is.

    Args:
        tuned: list of `(n, classes)` log-probabilities of fine-tuned surrogates on the candidates.
        target: the target class.
    """
    return np.mean([margins(z)[:, target] for z in tuned], axis=0)


def unsure(scores):
    """The third of the candidates with the lowest `key_scores`: `(n,)` bool.

    Copies that nobody fine-tuned answer the others, as good as all.
    """
    least = np.zeros(len(scores), bool)
    least[np.argsort(scores, kind="stable")[: len(scores) // 3]] = True
    return least


def best_keys(scores, count, last=0):
    """Rows of the `count` largest scores, in their original order.

    Args:
        scores: `(n,)` float array.
        count: how many.
        last: `(n,)` integers or bool: rows with more are taken only where none with less are left.
    """
    order = np.lexsort((-scores, np.broadcast_to(last, len(scores))))
    return np.sort(order[:count])
