"""Answers that tell less: rounded, the largest few, the label alone.

Reference:
    Tramer et al., "Stealing Machine Learning Models via Prediction APIs", USENIX Security 2016,
    section 6.
"""

import dataclasses

import keras
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.watermarks.answering import Answering
from ewe_tf.watermarks.answering import Defended

PACKAGE = "ewe_tf"


@keras.saving.register_keras_serializable(package=PACKAGE)
class Rounding(keras.layers.Layer):
    """Rounds to a number of decimals, halves to the even digit."""

    def __init__(self, decimals, **kwargs):
        super().__init__(**kwargs)
        self.decimals = decimals

    def call(self, probabilities):
        scale = 10.0**self.decimals
        return tf.round(probabilities * scale) / scale

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "decimals": self.decimals}


@keras.saving.register_keras_serializable(package=PACKAGE)
class LargestOnly(keras.layers.Layer):
    """Keeps the k largest probabilities, or one-hot labels; ties go to the lowest class."""

    def __init__(self, k, one_hot=False, **kwargs):
        super().__init__(**kwargs)
        self.k = k
        self.one_hot = one_hot

    def call(self, probabilities):
        _, classes = tf.math.top_k(probabilities, k=self.k)
        kept = tf.reduce_sum(tf.one_hot(classes, probabilities.shape[-1]), axis=1)
        return kept if self.one_hot else probabilities * kept

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "k": self.k, "one_hot": self.one_hot}


@dataclasses.dataclass(frozen=True)
class RoundedAnswers:
    """Probabilities rounded to `decimals`, 1 to 7. Top classes may tie."""

    decimals: int = 2

    def __post_init__(self):
        fields.integer(self, "decimals", most=7)

    def wrap(self, model, *, seed=None):
        """Returns a `Defended` without a key; `seed` is not used."""
        return behind(model, Rounding(self.decimals, name="answers"))


@dataclasses.dataclass(frozen=True)
class TopKAnswers:
    """The `k` largest probabilities, the others 0; not renormalised."""

    k: int = 3

    def __post_init__(self):
        fields.integer(self, "k")

    def wrap(self, model, *, seed=None):
        """Returns a `Defended` without a key; `seed` is not used."""
        classes = Answering.of(model).num_classes
        if self.k > classes:
            raise ValueError(f"`k` must be at most the {classes} classes. Received: {self.k}")
        return behind(model, LargestOnly(self.k, name="answers"))


@dataclasses.dataclass(frozen=True)
class LabelAnswers:
    """The label alone, as a one-hot row."""

    def wrap(self, model, *, seed=None):
        """Returns a `Defended` without a key; `seed` is not used."""
        return behind(model, LargestOnly(1, one_hot=True, name="answers"))


def behind(model, layer, *more, key=None, audit=None):
    """A `Defended` with `layer` behind the model's probabilities (and `more` tensors)."""
    answering = Answering.of(model)
    inputs = [answering.probabilities, *more] if more else answering.probabilities
    outputs = layer(inputs)
    return Defended(
        keras.Model(answering.inputs, outputs, name=f"{model.name}_defended"), key, audit
    )
