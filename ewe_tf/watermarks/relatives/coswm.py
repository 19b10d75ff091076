"""CosWM: a cosine of a secret projection of the input, in the probability of one class."""

import dataclasses
import secrets as system_random

import keras
import numpy as np
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.keys import derivation
from ewe_tf.keys.key import Key
from ewe_tf.watermarks.answering import Answering
from ewe_tf.watermarks.relatives.coarse import PACKAGE
from ewe_tf.watermarks.relatives.coarse import behind


@keras.saving.register_keras_serializable(package=PACKAGE)
class CosineAnswers(keras.layers.Layer):
    """Adds the cosine to the target's probability and its opposite to the others'.

    Input: `[q (rows, classes), x (rows, ...)]`. With `p = v . flatten(x)`:
    `(q_t + eps (1 + cos(f p))) / (1 + 2 eps)` for the target t, and
    `(q_j + eps (1 + cos(f p + pi)) / (m - 1)) / (1 + 2 eps)` for the m - 1 others.
    """

    def __init__(self, target, frequency, amplitude, **kwargs):
        super().__init__(**kwargs)
        self.target = target
        self.frequency = frequency
        self.amplitude = amplitude

    def build(self, input_shape):
        size = int(np.prod(input_shape[1][1:]))
        self.direction = self.add_weight(
            name="direction", shape=(size, 1), trainable=False, initializer="zeros"
        )

    def call(self, inputs):
        q, x = inputs
        classes = q.shape[-1]
        projected = tf.matmul(tf.reshape(x, (-1, self.direction.shape[0])), self.direction.value)
        wave = tf.cos(self.frequency * projected)
        target = tf.one_hot(self.target, classes)
        added = (1 + wave) * target + (1 - wave) * (1 - target) / (classes - 1)
        return (q + self.amplitude * added) / (1 + 2 * self.amplitude)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {
            **super().get_config(),
            "target": self.target,
            "frequency": self.frequency,
            "amplitude": self.amplitude,
        }


@dataclasses.dataclass(frozen=True, eq=False)
class CosineKey(Key):
    """The secret of CosWM.

    Attributes:
        target: the class that carries the cosine.
        frequency: f, radians.
        direction: `(values,)` float64 unit vector v over the flattened input.
    """

    kind = "cosine"

    target: int
    frequency: float
    direction: np.ndarray

    def secret(self):
        fields = {"target": self.target, "frequency": self.frequency}
        return fields, {"direction": self.direction}

    @classmethod
    def from_secret(cls, fields, arrays, calibration=None):
        return cls(**fields, **arrays)

    def score(self, inputs, answers, frequencies=4000):
        """The paper's signal-to-noise ratio; it calls a model a copy above 8.

        Args:
            inputs: `(n, ...)` inputs of the target class, 200 to 1000 in the paper.
            answers: `(n, classes)` the suspect's probabilities.
            frequencies: number of frequencies between 0 and twice the key's.

        Returns:
            Mean Lomb-Scargle power within 0.005 of the key's frequency over the mean
            elsewhere, of the inputs whose target probability is above the median.
        """
        p, values = self._signal(inputs, answers)
        grid = np.linspace(0, 2 * self.frequency, frequencies + 1)[1:]
        near = self.frequency + np.linspace(-0.005, 0.005, 5)
        noise = _power(p, values, grid[np.abs(grid - self.frequency) > 0.005])
        return float(_power(p, values, near).mean() / noise.mean())

    def p_value(self, inputs, answers, resamples=999, seed=0):
        """Exact p-value by fresh directions (not in the paper, whose threshold has no level).

        Args:
            inputs, answers: as for `score`.
            resamples: fresh directions.
            seed: of them.

        Returns:
            A float in [1 / (resamples + 1), 1].
        """
        rng = np.random.default_rng(seed)
        drawn = rng.normal(size=(resamples, len(self.direction)))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        at = np.array([self.frequency])
        own = _power(*self._signal(inputs, answers), at)[0]
        others = [_power(*self._signal(inputs, answers, v), at)[0] for v in drawn]
        return float((1 + np.sum(np.asarray(others) >= own)) / (resamples + 1))

    def _signal(self, inputs, answers, direction=None):
        direction = self.direction if direction is None else direction
        values = np.asarray(answers, np.float64)[:, self.target]
        kept = values > np.median(values)
        flat = np.asarray(inputs, np.float64).reshape(len(inputs), -1)[kept]
        return flat @ direction, values[kept] - values[kept].mean()


def _power(p, values, frequencies):
    from scipy import signal

    return np.atleast_1d(signal.lombscargle(p, values, frequencies))


@dataclasses.dataclass(frozen=True)
class CosWM:
    """Cosine model watermarking: the teacher is trained with the cosine in its answers.

    Args:
        target: class that carries the cosine.
        amplitude: eps, in (0, 1); 0.05 in the paper.
        frequency: f, positive; 30 in the paper.

    Reference:
        Charette, Chu, Chen, Pei, Wang and Zhang, "Cosine Model Watermarking Against Ensemble
        Distillation", AAAI 2022 (arXiv:2203.02777), equations 1 to 6.
    """

    target: int = 0
    amplitude: float = 0.05
    frequency: float = 30.0

    def __post_init__(self):
        fields.number(self, "amplitude", above=0, below=1)
        fields.number(self, "frequency", above=0)

    def wrap(self, model, *, seed=None):
        """Puts the cosine behind a classifier.

        Labels are not kept by themselves: the paper trains the model through the cosine
        (`fit`), so that its labels stay right. Wrapping a model that was trained without it is
        a shorthand for comparisons.

        Args:
            model: a classifier with a fixed input shape.
            seed: integer, at least 0, from which the direction follows; `None`: drawn by the
                system.

        Returns:
            A `Defended` with a `CosineKey`.
        """
        answering = Answering.of(model)
        if not 0 <= self.target < answering.num_classes:
            raise ValueError(
                f"`target` must be in [0, {answering.num_classes}). Received: {self.target!r}"
            )
        seed = system_random.randbits(256) if seed is None else seed
        subkey = derivation.subkey(derivation.master_key(seed), "CosWM")
        direction = derivation.direction(subkey, int(np.prod(answering.input_shape)))
        key = CosineKey(self.target, self.frequency, direction)
        layer = CosineAnswers(self.target, self.frequency, self.amplitude, name="answers")
        defended = behind(model, layer, answering.inputs, key=key)
        layer.direction.assign(direction[:, None])
        return defended

    def fit(self, task):
        """Trains the model through the cosine; see `ewe_tf.fit`.

        `model` of the result is the defended model around the one that was passed in.
        """
        from ewe_tf.watermarks import stages
        from ewe_tf.watermarks.classifier import Classifier
        from ewe_tf.watermarks.protected import Protected

        inner = task.classifier.model
        if task.classifier.logits:
            raise ValueError("`model` must end in a softmax: the cosine is added to probabilities")
        defended = self.wrap(inner, seed=task.seed)
        defended.model.compile(inner.optimizer, loss=inner.loss)
        arguments = (task.callbacks, task.validation_data, task.verbose)
        history = stages.train_task(
            Classifier.of(defended.model), task.data, task.epochs, *arguments
        )
        return Protected(defended.model, defended.key, {"task": history})
