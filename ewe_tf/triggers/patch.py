"""The patch of in-distribution sources, put where it raises the SNNL most (Jia et al., 3.2)."""

import dataclasses

import numpy as np
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.keys import generator


@dataclasses.dataclass(frozen=True)
class Patch:
    """A square of one value, in all channels.

    Args:
        size: side in pixels; `None` for a ninth of the image's height, at least 2.
        value: what its pixels are set to; `None` for the largest value of the task's inputs.
    """

    size: int | None = None
    value: float | None = None

    def __post_init__(self):
        fields.integer(self, "size", optional=True)

    def fitted(self, images, value_range):
        """This patch with size and value settled for `images` `(n, height, width, ...)`.

        Raises:
            ValueError: if the inputs have no height and width, or are smaller than the patch.
        """
        if images.ndim < 3:
            raise ValueError(
                "A patch needs inputs with a height and a width. Received inputs of shape "
                f"{images.shape[1:]}: give out-of-distribution inputs as `source`"
            )
        size = self.size or max(2, round(images.shape[1] / 9))
        if size > min(images.shape[1:3]):
            raise ValueError(f"`size` {size} is larger than the images {images.shape[1:3]}")
        value = value_range[1] if self.value is None else self.value
        return Patch(size, float(value))

    def paste(self, images, position):
        """Copies of `images` with the patch's upper left corner at `position` (row, column)."""
        return generator.pasted(images, self.size, self.value, position)


def best_position(objective, images, patch):
    """Where pasting `patch` raises `objective` most, to first order.

    The change of a pixel from `x` to the patch's value `v` raises the objective by about
    `gradient * (v - x)`; the position is the window with the largest sum over rows, columns,
    channels and images. (The paper takes the window of the largest gradient, section 3.2; the
    published code takes the smallest, with rows and columns exchanged.)

    Args:
        objective: differentiable function from images `(n, height, width, ...)` to a scalar.
        images: `(n, height, width, ...)` float array.
        patch: a `Patch` whose size and value are settled.

    Returns:
        `(row, column)` of the patch's upper left corner.
    """
    x = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = objective(x)
    gain = (tape.gradient(value, x) * (patch.value - x)).numpy()
    gain = gain.sum(axis=(0, *range(3, gain.ndim)), dtype=np.float64)
    corners = np.pad(gain.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    s = patch.size
    sums = corners[s:, s:] - corners[:-s, s:] - corners[s:, :-s] + corners[:-s, :-s]
    row, column = np.unravel_index(np.argmax(sums), sums.shape)
    return int(row), int(column)
