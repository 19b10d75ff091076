"""Mixing two inputs into one."""

import numpy as np


def mixup(first, second, shares, random):
    """`share * first + (1 - share) * second`, value by value.

    Args:
        first, second: `(rows, ...)` float32.
        shares: `(rows,)` share of `first` in each mix, in [0, 1].
        random: NumPy generator.

    Returns:
        `(mixes, shares)`: `(rows, ...)` float32 and the shares as they came out.

    Reference:
        [Zhang et al., 2018](https://arxiv.org/abs/1710.09412).
    """
    weights = shares.reshape(-1, *[1] * (first.ndim - 1)).astype(np.float32)
    return weights * first + (1 - weights) * second, shares


def cutmix(first, second, shares, random):
    """Pastes a random box of `second` into `first`; arguments as `mixup`.

    The box has the proportions of the image and an area of 1 - share of it, less what sticks out
    over the border. Needs images, `(rows, height, width, channels)`.

    Reference:
        [Yun et al., 2019](https://arxiv.org/abs/1905.04899).
    """
    if first.ndim != 4:
        raise ValueError(
            '`mixer="cutmix"` needs `queries` of shape (rows, height, width, channels). '
            f"Received: shape {first.shape}"
        )
    rows, height, width = first.shape[:3]
    inside = np.ones((rows, height, width), bool)
    for axis, size in ((1, height), (2, width)):
        half = size * np.sqrt(1 - shares) / 2
        middle = random.uniform(0, size, rows)
        start, stop = np.round(middle - half), np.round(middle + half)
        place = np.arange(size)
        band = (place >= start[:, None]) & (place < stop[:, None])
        inside &= band[:, :, None] if axis == 1 else band[:, None, :]
    mixes = np.where(inside[..., None], second, first)
    return mixes, 1 - inside.mean(axis=(1, 2))


MIXERS = {"mixup": mixup, "cutmix": cutmix}


def partners(random, rows, count):
    """`count` pairs of two different row numbers out of `rows` (the same if there is only one).

    Returns:
        Two arrays `(count,)`.
    """
    first = random.integers(0, rows, count)
    second = (first + random.integers(1, max(rows, 2), count)) % rows
    return first, second
