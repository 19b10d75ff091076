"""Who holds which data: disjoint parts for the victim, the thief and the owner's reserve."""

import dataclasses
import math

import numpy as np

HALVES = {"victim": 0.45, "thief": 0.45, "reserve": 0.1}


def split(dataset, parts=None, seed=0):
    """Divides the training rows among parties that share no row.

    The rows are shuffled once by `seed` and dealt out in the order of `parts`. Every part
    keeps the whole test set.

    Args:
        dataset: A `Dataset`.
        parts: Mapping from a part's name to its number of rows (integer), or to its share of
            all training rows (float in (0, 1]). By default 45 % each for `victim` and
            `thief` and 10 % for `reserve`, the data on which the owner trains innocent
            models.
        seed: Non-negative integer.

    Returns:
        A dictionary from each part's name to its `Dataset`.

    Raises:
        ValueError: If a part is empty, or together they need more rows than there are.

    Example:
        >>> parts = split(load("mnist"), {"victim": 10_000, "thief": 10_000}, seed=3)
        >>> parts["thief"]
        Dataset(mnist: 10000 train, 10000 test, shape (28, 28, 1), 10 classes)
    """
    total = len(dataset.x_train)
    counts = {}
    for name, size in (HALVES if parts is None else parts).items():
        share = isinstance(size, float) and 0 < size <= 1
        if not share and (isinstance(size, bool) or not isinstance(size, int | np.integer)):
            raise ValueError(
                "`parts` must give a number of rows or a share in (0, 1] for each part. "
                f"Received: {name}={size!r}"
            )
        counts[name] = math.floor(size * total + 1e-9) if share else int(size)
        if counts[name] < 1:
            raise ValueError(f"`parts` must not be empty. Received: {name}={size!r}")
    if sum(counts.values()) > total:
        raise ValueError(
            f"`parts` must fit into the {total} training rows of {dataset.name!r}. "
            f"Received: {counts}, {sum(counts.values())} rows"
        )
    order = np.random.default_rng(seed).permutation(total)
    borders = np.cumsum(list(counts.values()))
    rows = np.split(order, borders)[: len(counts)]
    return {
        name: dataclasses.replace(
            dataset, x_train=dataset.x_train[mine], y_train=dataset.y_train[mine]
        )
        for name, mine in zip(counts, rows, strict=True)
    }
