"""The hard channel: keyed choices between the two likeliest classes, for thieves of labels.

Our reconstruction. Among queries whose two largest probabilities are close, a keyed gate picks
some, and for these a keyed coin decides which of the two classes is answered. Under the null
hypothesis a suspect that answers one of the two agrees with the coin with probability exactly
1/2, whatever the suspect is, so that no innocent models are needed.
"""

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.keys import FlipKey
from ewe_tf.keys.flips import different
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


def flip_log(defended, queries, batch_size=512):
    """The log of what one client was answered: see `Defended.log`."""
    if defended.audit is None:
        raise ValueError(
            "`defended` must have a hard channel: make the scheme with `hard_rate` above 0"
        )
    queries = np.asarray(queries, np.float32)
    queries = queries[different(queries)]
    decision = np.asarray(defended.audit.predict(queries, batch_size=batch_size, verbose=0))
    chosen = decision[:, 0] > 0
    _, first, second, coin = decision[chosen].astype(np.int64).T
    key = defended.key
    return FlipKey(
        queries=queries[chosen],
        first=first,
        second=second,
        coin=coin,
        sent=len(queries),
        num_classes=key.num_classes,
        client=defended.client,
        epoch=defended.epoch,
        signal=key.commitment(),
        scheme=key.scheme,
        settings=dict(key.settings),
        victim=key.victim,
        versions=dict(key.versions),
    )
