"""Gradient ascent on the trigger inputs (Jia et al., section 3.2; Madry et al., 2018)."""

import dataclasses

import numpy as np
import tensorflow as tf

from ewe_tf import fields


@dataclasses.dataclass(frozen=True)
class GradientAscent:
    """Projected signed gradient ascent on inputs, within an L-infinity ball.

    The published procedure alternates up to 65 signed steps of 0.01 without any bound on the
    sum; here the bound is stated.

    Args:
        steps: number of steps.
        step_size: L-infinity length of a step, in units of the inputs.
        budget: largest change of any input value, in units of the inputs.
    """

    steps: int = 20
    step_size: float = 0.01
    budget: float = 0.1

    def __post_init__(self):
        fields.integer(self, "steps")
        fields.number(self, "step_size", "budget", above=0)

    def run(self, objective, inputs, batch_size, value_range):
        """Inputs moved upwards on `objective`, all batches in one compiled graph.

        Args:
            objective: differentiable function from a batch `(batch_size, ...)` to a scalar.
            inputs: `(n, ...)` float array. A last incomplete batch is filled up with the first
                rows, whose copies are discarded.
            batch_size: rows that `objective` sees at a time.
            value_range: `(low, high)` that the results stay in.

        Returns:
            `(n, ...)` float32 array, within `budget` of `inputs` and, where these are, within
            `value_range`.
        """
        inputs = np.asarray(inputs, np.float32)
        batches = -(-len(inputs) // batch_size)
        rows = np.resize(np.arange(len(inputs)), batches * batch_size)
        stacked = inputs[rows].reshape(batches, batch_size, *inputs.shape[1:])
        # Values that are outside of the range already only come nearer.
        low = np.minimum(np.maximum(stacked - self.budget, value_range[0]), stacked)
        high = np.maximum(np.minimum(stacked + self.budget, value_range[1]), stacked)

        @tf.function
        def ascend(stacked, low, high):
            def batch(bounds):
                x, low, high = bounds
                for _ in tf.range(self.steps):
                    with tf.GradientTape() as tape:
                        tape.watch(x)
                        value = objective(x)
                    step = self.step_size * tf.sign(tape.gradient(value, x))
                    x = tf.clip_by_value(x + step, low, high)
                return x

            return tf.map_fn(batch, (stacked, low, high), fn_output_signature=tf.float32)

        moved = ascend(stacked, low, high).numpy()
        return moved.reshape(-1, *inputs.shape[1:])[: len(inputs)]
