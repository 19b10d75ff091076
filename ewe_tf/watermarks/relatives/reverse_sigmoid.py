"""Reverse sigmoid: answers bent so that two logits far apart give nearly the same answer."""

import dataclasses

import keras
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.watermarks.relatives.coarse import PACKAGE
from ewe_tf.watermarks.relatives.coarse import behind

_TINY = 1e-7


@keras.saving.register_keras_serializable(package=PACKAGE)
class ReverseSigmoidAnswers(keras.layers.Layer):
    """`normalise(y - beta (sigmoid(gamma sigmoid^-1(y)) - 1/2))`."""

    def __init__(self, beta, gamma, **kwargs):
        super().__init__(**kwargs)
        self.beta = beta
        self.gamma = gamma

    def call(self, probabilities):
        # 1 - 1e-7 is the largest float32 below 1 for which the logit is finite.
        y = tf.clip_by_value(probabilities, _TINY, 1 - _TINY)
        logits = tf.math.log(y) - tf.math.log1p(-y)
        bent = y - self.beta * (tf.sigmoid(self.gamma * logits) - 0.5)
        return bent / tf.reduce_sum(bent, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "beta": self.beta, "gamma": self.gamma}


@dataclasses.dataclass(frozen=True)
class ReverseSigmoid:
    """Reverse sigmoid perturbation. A deterrent, no mark.

    The label is kept between classes whose probabilities are not tiny: where `beta gamma / 4`
    exceeds `y (1 - y)` the curve falls, so that with many classes and unsure answers the top
    class can change (the paper's experiments have ten to some hundred classes).

    Args:
        beta: strength, in (0, 1).
        gamma: steepness, in (0, 1].

    Reference:
        Lee, Edwards, Molloy and Su, "Defending Against Neural Network Model Stealing Attacks
        Using Deceptive Perturbations", IEEE S&P Workshops 2019 (arXiv:1806.00054), section 4.
    """

    beta: float = 0.7
    gamma: float = 0.2

    def __post_init__(self):
        fields.number(self, "beta", above=0, below=1)
        fields.number(self, "gamma", above=0, most=1)

    def wrap(self, model, *, seed=None):
        """Returns a `Defended` without a key; `seed` is not used."""
        return behind(model, ReverseSigmoidAnswers(self.beta, self.gamma, name="answers"))
