"""Images of any shape that a network learns quickly: speed does not depend on what they show."""

import numpy as np


def learnable(rows, shape, classes=10, seed=0):
    """A picture of noise for each class, with more noise on top.

    Returns:
        `(x, y)`: `(rows, *shape)` float32 in [0, 1] and `(rows,)` int64.
    """
    rng = np.random.default_rng(seed)
    pictures = rng.random((classes, *shape), np.float32)
    y = rng.integers(classes, size=rows)
    x = rng.random((rows, *shape), np.float32)
    x += pictures[y]
    x *= 0.5
    return x, y
