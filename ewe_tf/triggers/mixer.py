"""What all mixers share; the mixers are in `ewe_tf.triggers.composites`."""

import dataclasses

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Mixer:
    """What all mixers share: which of the two inputs comes first is drawn.

    Attributes:
        draws: uniform numbers that one composite needs.
    """

    draws = 1

    def mix(self, a, b, draws):
        """Composites of `a` and `b`, row by row.

        Args:
            a, b: `(n, height, width, ...)` float tensors or arrays of one shape.
            draws: `(n, self.draws)` float in [0, 1).

        Returns:
            `(n, height, width, ...)` float32 tensor.
        """
        a, b = tf.convert_to_tensor(a, tf.float32), tf.convert_to_tensor(b, tf.float32)
        draws = tf.convert_to_tensor(draws, tf.float32)
        swapped = _column(draws[:, 0] < 0.5, a)
        return self._mix(tf.where(swapped, b, a), tf.where(swapped, a, b), draws)

    def _mix(self, first, second, draws):
        raise NotImplementedError

    def fitted(self, x, seed):
        """The mixer as it is to be used on inputs like `x` `(n, ...)`; most are ready as they are.

        Args:
            x: float32 inputs of the task.
            seed: integer, of what is learned from them.
        """
        return self

    def compose(self, a, b, rng):
        """Composites as a `(n, ...)` float32 array, drawn from a NumPy generator."""
        draws = rng.random((len(a), self.draws), np.float32)
        return np.ascontiguousarray(self.mix(a, b, draws))

    def check(self, input_shape):
        """Raises ValueError if inputs of this shape cannot be composed."""
        if len(input_shape) < 2 or min(input_shape[:2]) < 4:
            raise ValueError(
                "Composites need inputs of at least 4 x 4 values (height and width, or time and "
                f"frequency). Received: inputs of shape {tuple(input_shape)}"
            )


def _column(flags, rows):
    return tf.reshape(flags, [-1] + [1] * (len(rows.shape) - 1))
