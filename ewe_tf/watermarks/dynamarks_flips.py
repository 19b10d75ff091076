"""The hard channel: keyed choices between the two likeliest classes, for thieves of labels.

Our reconstruction. Among queries whose two largest probabilities are close, a keyed gate picks
some, and for these a keyed coin decides which of the two classes is answered. Under the null
hypothesis a suspect that answers one of the two agrees with the coin with probability exactly
1/2, whatever the suspect is, so that no innocent models are needed.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.watermarks import keyed_code


@keras.saving.register_keras_serializable(package=keyed_code.PACKAGE)
class FlipDecision(keras.layers.Layer):
    """Which queries are chosen, between which classes, and how their coin fell.

    Input: `[probabilities (rows, classes), codes (rows, 1)]`.
    Output: `(rows, 4)` int64: chosen (0 or 1), likeliest class, second class, coin (1: the second
    is answered; a fair coin among the chosen).

    Args:
        rate: share of the low-margin queries that are chosen.
        gap: a query has a low margin where its two largest probabilities differ by less. Exact
            ties are never chosen.
    """

    def __init__(self, rate, gap, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.gap = gap

    def call(self, inputs):
        probabilities, code = inputs
        values, classes = tf.math.top_k(probabilities, k=2)
        gap = values[:, :1] - values[:, 1:]
        chosen = (gap > 0) & (gap < self.gap) & keyed_code.below(code, self.rate)
        # The lower half of the codes that are chosen.
        coin = keyed_code.below(code, self.rate / 2)
        chosen, coin = tf.cast(chosen, tf.int64), tf.cast(coin, tf.int64)
        return tf.concat([chosen, tf.cast(classes, tf.int64), coin], axis=1)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((inputs[0].shape[0], 4), "int64")

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "gap": self.gap}


@keras.saving.register_keras_serializable(package=keyed_code.PACKAGE)
class Flip(keras.layers.Layer):
    """Exchanges the two largest probabilities of the queries whose coin fell so.

    Input: `[probabilities (rows, classes), codes (rows, 1)]`. Output: as the first. What
    `FlipDecision` says of the same input, in fewer operations.

    Args:
        rate, gap: as for `FlipDecision`.
    """

    def __init__(self, rate, gap, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.gap = gap

    def call(self, inputs):
        probabilities, code = inputs
        values, classes = tf.math.top_k(probabilities, k=2)
        gap = tf.matmul(values, ((1.0,), (-1.0,)))
        flipped = keyed_code.below(code, self.rate / 2) & (gap < self.gap)
        amount = tf.where(flipped, gap, 0.0)
        # A tie has a gap of 0, so nothing moves.
        one_hot = tf.one_hot(classes, probabilities.shape[-1])
        return probabilities + tf.reduce_sum(one_hot * ((-1.0,), (1.0,)), axis=1) * amount

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "gap": self.gap}


@dataclasses.dataclass(frozen=True, eq=False)
class FlipLog:
    """The chosen queries among those that a client has sent: what to ask a suspect.

    Attributes:
        queries: `(n, ...)` the chosen inputs, without repetition.
        first, second: `(n,)` int64: the two classes, the model's own choice first.
        coin: `(n,)` int64: 1 where `second` was answered.
        sent: number of queries that the log was made of.
    """

    queries: np.ndarray
    first: np.ndarray
    second: np.ndarray
    coin: np.ndarray
    sent: int

    @property
    def flips(self):
        """Number of chosen queries whose label was changed."""
        return int(self.coin.sum())

    def p_value(self, labels):
        """Exact p-value of a suspect's labels for `queries`: a fair coin for each that counts.

        Args:
            labels: `(n,)` the suspect's labels. Those that are neither class do not count.

        Returns:
            A float in (0, 1]; 1 if no label counts. Multiply by the number of clients tested.
        """
        from ewe_tf.verification.binomial import binomial_p_value

        labels = np.asarray(labels)
        if labels.shape != self.coin.shape:
            raise ValueError(
                f"`labels` must be one label for each of the {len(self.coin)} chosen queries. "
                f"Received: shape={labels.shape}"
            )
        counts = (labels == self.first) | (labels == self.second)
        if not counts.any():
            return 1.0
        agreed = np.where(self.coin == 1, self.second, self.first) == labels
        return binomial_p_value(int(np.sum(agreed & counts)), int(counts.sum()), 0.5)


def flip_log(audit, queries, batch_size=512):
    """The log of a client's queries.

    Args:
        audit: the model from inputs to decisions (`Defended.audit`).
        queries: `(rows, ...)` what the client sent.
        batch_size: rows at a time.

    Returns:
        A `FlipLog`.
    """
    queries = np.unique(np.asarray(queries, np.float32), axis=0)
    decision = audit.predict(queries, batch_size=batch_size, verbose=0)
    chosen = decision[:, 0] > 0
    _, first, second, coin = decision[chosen].T
    return FlipLog(queries[chosen], first, second, coin, len(queries))
