"""Which rows of a pool to ask about next, by what the student answers to them now."""

import numpy as np


def margin(candidates, asked, count):
    """The rows whose two most likely classes are closest.

    Args:
        candidates: `(rows, classes)`: the student's probabilities on rows not asked about yet.
        asked: `(others, classes)`: the student's probabilities on those asked about.
        count: number to choose.

    Returns:
        `(count,)` row numbers of `candidates`.
    """
    best = np.sort(candidates, axis=1)
    return np.argsort(best[:, -1] - best[:, -2], kind="stable")[:count]


def entropy(candidates, asked, count):
    """The rows with the most uncertain answers, by Shannon's entropy; arguments as `margin`."""
    uncertainty = -np.sum(candidates * np.log(np.maximum(candidates, 1e-12)), axis=1)
    return np.argsort(-uncertainty, kind="stable")[:count]


def k_center(candidates, asked, count):
    """Greedy k-center: each time the row farthest from all that are asked about or chosen.

    The distance is the Euclidean one between the student's probabilities; arguments as `margin`.

    Reference:
        [Sener and Savarese, 2018](https://arxiv.org/abs/1708.00489), algorithm 1.
    """
    nearest = np.full(len(candidates), np.inf)
    for centre in asked:
        nearest = np.minimum(nearest, np.sum((candidates - centre) ** 2, axis=1))
    chosen = []
    for _ in range(count):
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.sum((candidates - candidates[chosen[-1]]) ** 2, axis=1))
        nearest[chosen[-1]] = -1.0
    return np.array(chosen, np.int64)


STRATEGIES = {"margin": margin, "entropy": entropy, "k_center": k_center}
