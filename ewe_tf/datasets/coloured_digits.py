"""Digits in random colours: an out-of-distribution source for colour images."""

import numpy as np


def coloured_digits(images, seed=0, side=32):
    """Paints grey digits in two random colours each.

    Every image gets a background colour, uniform in [0, 1]^3, and a foreground that is at
    least 0.25 away from it in every channel, so that the digit can always be read; ink
    blends from one to the other. The digit stays centred, its surroundings are background.

    Args:
        images: float32 array of shape (n, height, width, 1), ink in [0, 1].
        seed: Decides the colours; the first rows do not depend on how many follow.
        side: Height and width of the result, at least those of the images.

    Returns:
        float32 array of shape (n, side, side, 3) with values in [0, 1].

    Raises:
        ValueError: If the images are not grey or do not fit.
    """
    images = np.asarray(images, dtype="float32")
    if images.ndim != 4 or images.shape[-1] != 1 or max(images.shape[1:3]) > side:
        raise ValueError(
            f"`images` must have shape (n, height, width, 1) with sides of at most {side}. "
            f"Received: shape {images.shape}"
        )
    draws = np.random.default_rng(seed).random((len(images), 2, 3), dtype="float32")
    background = draws[:, 0]
    foreground = (background + 0.25 + 0.5 * draws[:, 1]) % 1.0
    painted = np.empty((len(images), side, side, 3), dtype="float32")
    painted[:] = background[:, None, None, :]
    top, left = (side - images.shape[1]) // 2, (side - images.shape[2]) // 2
    middle = painted[:, top : top + images.shape[1], left : left + images.shape[2]]
    middle += images * (foreground - background)[:, None, None, :]
    return np.clip(painted, 0.0, 1.0, out=painted)
