"""The published trigger optimisation: signed steps on two objectives in turn, without a budget."""

import dataclasses

import numpy as np
import tensorflow as tf

from ewe_tf import fields


@dataclasses.dataclass(frozen=True)
class AlternatingSteps:
    """Steps away from the target class and steps towards its representations, in turn.

    For each batch of triggers, `rounds` times: while more than `threshold` of the batch is
    answered with the target class (and fewer than `most_away` such steps were made), one step
    that lowers the target's logit; then one step that raises the entanglement. At the end
    `last_away` steps that lower the logit. No bound but the value range holds the sum of the
    steps: with the defaults a value can move by 0.65. `GradientAscent` is our bounded one.

    Args:
        rounds: number of rounds (`maxiter` of the released code).
        step_size: L-infinity length of a step, in units of the inputs.
        threshold: share of a batch, in [0, 1], that may be answered with the target class.
        most_away: largest number of steps away in all rounds together.
        last_away: number of steps away at the end.

    Reference:
        [Jia et al., 2021](https://arxiv.org/abs/2002.12200), section 3.2, as in the code that
        the authors released.
    """

    rounds: int = 10
    step_size: float = 0.01
    threshold: float = 0.1
    most_away: int = 50
    last_away: int = 5

    def __post_init__(self):
        fields.integer(self, "rounds", "most_away", "last_away", least=0)
        fields.number(self, "step_size", above=0)
        fields.number(self, "threshold", least=0, most=1)

    @property
    def budget(self):
        """The largest change of any input value that the steps can add up to."""
        return self.step_size * (self.rounds + self.most_away + self.last_away)

    def compiled(self, target_logit, rate, represent, entanglement, shape, value_range):
        """The steps as one compiled graph over all batches.

        Args:
            target_logit: differentiable function from a batch to the sum of its target logits.
            rate: function from a batch to the share that is answered with the target class.
            represent: function from a batch's partners to what `entanglement` takes of them,
                called once for each batch.
            entanglement: differentiable function from a batch and its partners, so represented,
                to a scalar.
            shape: `(rows, ...)`, the shape of a batch.
            value_range: `(low, high)` that the results stay in.

        Returns:
            Function from inputs `(n, ...)` and partners `(m, ...)`, float arrays, to the inputs
            after the steps, `(n, ...)` float32. A last incomplete batch is filled up with the
            first rows, whose copies are discarded. Each batch has the next rows of the partners
            beside it, from the start again after the last.
        """

        def step(x, objective, sign):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = objective(x)
            move = sign * self.step_size * tf.sign(tape.gradient(value, x))
            return tf.clip_by_value(x + move, *value_range)

        @tf.function
        def steps(stacked, stacked_partners):
            def batch(pair):
                x, partners = pair
                partners = represent(partners)
                away = 0
                for _ in tf.range(self.rounds):
                    while away < self.most_away and rate(x) > self.threshold:
                        x = step(x, target_logit, -1.0)
                        away += 1
                    x = step(x, lambda rows: entanglement(rows, partners), 1.0)
                for _ in tf.range(self.last_away):
                    x = step(x, target_logit, -1.0)
                return x

            return tf.map_fn(batch, (stacked, stacked_partners), fn_output_signature=tf.float32)

        batches = tf.TensorSpec([None, *shape])
        graph = steps.get_concrete_function(batches, batches)

        def run(inputs, partners):
            inputs, partners = np.asarray(inputs, np.float32), np.asarray(partners, np.float32)
            grid = (-(-len(inputs) // shape[0]), shape[0])
            rows, others = (np.resize(np.arange(len(a)), grid) for a in (inputs, partners))
            moved = graph(tf.constant(inputs[rows]), tf.constant(partners[others])).numpy()
            return moved.reshape(-1, *inputs.shape[1:])[: len(inputs)]

        return run
