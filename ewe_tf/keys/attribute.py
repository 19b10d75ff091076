"""A natural attribute of a class: one of the directions in which its inputs differ most.

NumPy and SciPy only, so that a judge can repeat what a key says about itself.
"""

import dataclasses
import math
import numbers

import numpy as np
import scipy.linalg

# Rows of a class that its directions are computed from, at most.
_ROWS = 1000
# Deviations below this share of the largest value are rounding.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Attribute:
    """A principal direction of one class, with its sign.

    Attributes:
        mean: `(d,)` float64: the class's mean input.
        direction: `(d,)` float64 of length 1.
        deviation: standard deviation of the class's inputs along the direction.
    """

    mean: np.ndarray
    direction: np.ndarray
    deviation: float

    def scores(self, images):
        """How far inputs `(n, ...)` lie along the direction, `(n,)` in standard deviations."""
        flat = images.reshape(len(images), -1)
        return (flat - self.mean) @ self.direction / self.deviation

    def moved(self, images, scores, value_range):
        """Inputs `(n, ...)` moved along the direction until they have `scores` `(n,)`, then
        clipped to `value_range`: float32."""
        steps = (scores - self.scores(images)) * self.deviation
        moved = images.reshape(len(images), -1) + steps[:, None] * self.direction
        return np.clip(moved, *value_range).reshape(images.shape).astype(np.float32)

    def reversed(self):
        """The same attribute the other way round."""
        return dataclasses.replace(self, direction=-self.direction)


def principal_attributes(images, components):
    """The first principal directions of inputs `(n, ...)` of one class, as `Attribute`s.

    The largest entry of each direction is positive. Equal inputs in equal order give equal
    directions, up to the rounding of the linear algebra.

    Args:
        images: `(n, ...)`, more than `components` of them; at most the first 1,000 are used.
        components: number of directions, at least 1.

    Raises:
        ValueError: for too few inputs, or a direction along which they do not differ (by more
            than a millionth of their largest value).
    """
    flat = np.asarray(images[:_ROWS], np.float64).reshape(len(images[:_ROWS]), -1)
    if min(flat.shape) <= components:
        raise ValueError(
            f"`components` must be less than the number of inputs of a class and of their values, "
            f"{len(flat)} and {flat.shape[1]}. Received: {components}"
        )
    mean, least = flat.mean(axis=0), _ROUNDING * np.abs(flat).max()
    centred = flat - mean
    # Of the inputs' inner products, which are fewer than the pixels' covariances.
    last = len(flat) - 1
    squares, vectors = scipy.linalg.eigh(
        centred @ centred.T, subset_by_index=[last - components + 1, last]
    )
    found = []
    for square, vector in zip(squares[::-1], vectors.T[::-1], strict=True):
        deviation = float(np.sqrt(max(square, 0.0) / len(flat)))
        if deviation <= least:
            raise ValueError(f"The inputs of a class do not differ in {components} directions")
        direction = vector @ centred
        direction /= np.linalg.norm(direction)
        direction *= np.sign(direction[np.argmax(np.abs(direction))])
        found.append(Attribute(mean, direction, deviation))
    return found


def checked_settings(components, share, reach):
    """The settings of a `ewe_tf.NaturalAttribute` as plain numbers `(int, float, (float, float))`.

    Raises:
        ValueError: for values outside its ranges.
    """
    if not is_number(components) or components != int(components):
        raise ValueError(f"`components` must be an integer. Received: {components!r}")
    if components < 1:
        raise ValueError(f"`components` must be at least 1. Received: {components!r}")
    if not is_number(share) or not 0 <= share <= 0.02:
        raise ValueError(f"`share` must be in [0, 0.02]. Received: {share!r}")
    pair = tuple(reach) if isinstance(reach, tuple | list | np.ndarray) else ()
    if len(pair) != 2 or not all(map(is_number, pair)) or not 0 < pair[0] < pair[1]:
        raise ValueError(
            "`reach` must be two growing positive numbers of standard deviations. Received: "
            f"{reach!r}"
        )
    return int(components), float(share), (float(pair[0]), float(pair[1]))


def score_threshold(scores, share, rows):
    """The score above which rows of a class are relabelled: `share` of all `rows` lie above it.

    Args:
        scores: `(n,)` scores of the class's inputs, more than `share * rows` of them.
        share: share of all rows.
        rows: number of rows of all classes.
    """
    count = round(share * rows)
    ordered = np.append(np.sort(scores), np.inf)
    # Half-way to the next one, so that rounding cannot move a row across.
    return float(ordered[-2 - count] + ordered[-1 - count]) / 2 if count else np.inf


def is_number(value):
    """Whether a value is a finite real number, and no truth value."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)


def is_whole(values):
    """Whether all values of an array are whole numbers."""
    return bool(np.all(values == np.round(values)))
