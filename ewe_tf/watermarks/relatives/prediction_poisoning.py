"""Prediction poisoning (MAD): answers that turn the thief's gradient away."""

import dataclasses
import itertools

import keras
import numpy as np
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.watermarks.answering import Answering
from ewe_tf.watermarks.relatives.coarse import PACKAGE
from ewe_tf.watermarks.relatives.coarse import behind

_EXHAUSTIVE = 10
_TIE_BREAK = 1e-5


@keras.saving.register_keras_serializable(package=PACKAGE)
class MaximisedDeviation(keras.layers.Layer):
    """Moves y towards the vertex whose gradient direction deviates most, within the budget.

    Input: `[y (rows, classes), q (rows, classes)]`, q the proxy surrogate's probabilities. With
    respect to its last layer (features phi) the gradient of the cross-entropy against targets
    y is `(q - y) phi^T`, so that the deviation of two targets' directions depends on y and q
    alone: `||u(z) - u(y)||^2`, `u(z) = (q - z) / ||q - z||`.
    """

    def __init__(self, budget, keep_top, **kwargs):
        super().__init__(**kwargs)
        self.budget = budget
        self.keep_top = keep_top

    def call(self, inputs):
        y, q = inputs
        classes = y.shape[-1]
        if self.keep_top:
            top = tf.argmax(y, axis=-1)
            vertices = tf.gather(tf.constant(_subsets(classes)), top)
        else:
            vertices = tf.eye(classes)[None]
        deviation = tf.reduce_sum(_direction(q, y)[:, None] * _direction(q[:, None], vertices), -1)
        # The squared distance of unit vectors is 2 - 2 cosine: largest where the cosine is least.
        best = tf.argmin(deviation, axis=-1)
        rows = tf.shape(y)[0]
        vertices = tf.broadcast_to(vertices, (rows, vertices.shape[1], classes))
        vertex = tf.gather(vertices, best, batch_dims=1)
        change = vertex - y
        length = tf.reduce_sum(tf.abs(change), axis=-1, keepdims=True)
        answers = y + tf.minimum(1.0, self.budget / tf.maximum(length, 1e-12)) * change
        if not self.keep_top:
            return answers
        kept = tf.argmax(answers, axis=-1) == top
        return tf.where(kept[:, None], answers, y)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {**super().get_config(), "budget": self.budget, "keep_top": self.keep_top}


def _direction(q, z):
    difference = q - z
    return difference / (tf.norm(difference, axis=-1, keepdims=True) + 1e-12)


def _subsets(classes):
    """`(classes, 2^(classes-1), classes)`: uniform mass on each subset that holds the top class."""
    table = []
    for top in range(classes):
        others = [c for c in range(classes) if c != top]
        rows = []
        for chosen in itertools.product([0, 1], repeat=classes - 1):
            row = np.zeros(classes, np.float32)
            row[[c for c, use in zip(others, chosen, strict=True) if use]] = 1
            row[top] = 1 + _TIE_BREAK
            rows.append(row / row.sum())
        table.append(rows)
    return np.asarray(table, np.float32)


@dataclasses.dataclass(frozen=True)
class PredictionPoisoning:
    """MAD, or with `keep_top` MAD-argmax. Misleads the copy's training; no mark.

    Gradients are taken with respect to the proxy's last layer, as the authors do by default.
    Vertices are ranked by the paper's normalised objective.

    Args:
        budget: largest L1 distance between the answer and the model's, in (0, 2].
        keep_top: whether the label is kept. For up to 10 classes, for which all subsets of
            classes are tried.

    Reference:
        Orekondy, Schiele and Fritz, "Prediction Poisoning: Towards Defenses Against DNN Model
        Stealing Attacks", ICLR 2020 (arXiv:1906.10908), equations 4 to 7 and section 4.1.
    """

    budget: float = 0.5
    keep_top: bool = True

    def __post_init__(self):
        fields.number(self, "budget", above=0, most=2)

    def wrap(self, model, *, seed=None, proxy=None):
        """Puts the defence behind a classifier.

        Args:
            model: a trained classifier.
            seed: of the proxy's weights.
            proxy: the owner's stand-in for the surrogate, a classifier of the same inputs and
                classes; `None`: the model's own architecture with fresh weights.

        Returns:
            A `Defended` without a key. The proxy is part of its model.
        """
        answering = Answering.of(model)
        if self.keep_top and answering.num_classes > _EXHAUSTIVE:
            raise ValueError(
                f"`keep_top` must be False for more than {_EXHAUSTIVE} classes. Received: a model "
                f"with {answering.num_classes}"
            )
        if proxy is None:
            proxy = _fresh(model, seed)
        other = Answering.of(proxy)
        if other.num_classes != answering.num_classes:
            raise ValueError(
                f"`proxy` must have {answering.num_classes} classes. Received: {other.num_classes}"
            )
        posterior = keras.Model(other.inputs, other.probabilities, name="proxy")
        layer = MaximisedDeviation(self.budget, self.keep_top, name="answers")
        return behind(model, layer, posterior(answering.inputs))


def _fresh(model, seed):
    proxy = keras.models.clone_model(model)
    rng = np.random.default_rng(seed)
    for weight in proxy.trainable_weights:
        if len(weight.shape) > 1:
            spread = np.sqrt(2 / np.prod(weight.shape[:-1]))
            weight.assign(rng.normal(scale=spread, size=weight.shape))
    return proxy
