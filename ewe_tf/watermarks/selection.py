"""Selecting keys by rehearsal: those that survive in-house theft and that no stranger answers."""

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


def without_answered(scores, fine_tuned, target):
    """Scores `(n,)` that put triggers last which a fine-tuned innocent model answers.

    Args:
        scores: `(n,)` float array.
        fine_tuned: list of `(n, classes)` log-probabilities of such models; may be empty.
        target: the target class.
    """
    answered = np.zeros(len(scores), bool)
    for log_probabilities in fine_tuned:
        answered |= np.argmax(log_probabilities, axis=1) == target
    return np.where(answered, -np.inf, scores)


def best_keys(scores, count):
    """Rows of the `count` largest scores, in their original order."""
    return np.sort(np.argsort(-scores, kind="stable")[:count])
