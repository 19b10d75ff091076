"""Composites by a small autoencoder: two inputs' codes are blended, and the blend is decoded.

The autoencoder is trained on the task's own inputs, before anything is marked. Its layers are
functions of constant arrays then, so composites are made inside a `tf.data` pipeline under any
distribution strategy.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.triggers.mixer import Mixer

_BATCH, _RATE = 64, 2e-3
# Rows that a blend is computed of at once.
_ROWS = 256


@dataclasses.dataclass(frozen=True)
class Autoencoder(Mixer):
    """`share` of the code of the first plus the rest of that of the second, decoded.

    Two convolutions of stride 2 make the code, of a quarter of the height and of the width, and
    two transposed ones decode it, for inputs of any size. (Lv et al., 2024, section IV-B: C2.)
    What `fitted` gives is the mixer; `MEADefender` calls it.

    Args:
        share: in (0, 1).
        code: channels of the code.
        filters: channels between the layers.
        steps: steps of training, of 64 rows each.
    """

    share: float = 0.5
    code: int = 8
    filters: int = 16
    steps: int = 600

    def __post_init__(self):
        fields.number(self, "share", above=0, below=1)
        fields.integer(self, "code", "filters", "steps")

    def fitted(self, x, seed):
        """Trains the autoencoder.

        Args:
            x: `(n, height, width, ...)` float32 inputs.
            seed: integer: of the initial weights and of the order of the rows.

        Returns:
            A `FittedAutoencoder`, the same for the same inputs and seed (up to rounding, on
            another machine).
        """
        rng = np.random.default_rng(seed)
        mean, deviation = float(x.mean()), float(x.std()) or 1.0
        rows = ((_flat(x) - mean) / deviation).astype(np.float32)
        weights = [tf.Variable(w) for w in _initial(rows.shape[-1], self.filters, self.code, rng)]
        optimizer = keras.optimizers.Adam(_RATE)
        optimizer.build(weights)

        @tf.function
        def step(batch):
            with tf.GradientTape() as tape:
                decoded = _decode(weights, _encode(weights, batch), batch.shape[1:])
                loss = tf.reduce_mean(tf.square(decoded - batch))
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

        order = _cycled(len(rows), self.steps * _BATCH, rng).reshape(self.steps, _BATCH)
        for chosen in order:
            step(tf.constant(rows[chosen]))
        return FittedAutoencoder(
            self, tuple(w.numpy() for w in weights), mean, deviation, (x.min(), x.max())
        )

    def _mix(self, first, second, draws):
        raise ValueError("An Autoencoder must be fitted first: use what `fitted(x, seed)` gives")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FittedAutoencoder(Mixer):
    """A trained autoencoder as a mixer.

    Attributes:
        settings: the `Autoencoder`.
        weights: its layers' arrays.
        mean, deviation: what inputs are normalised by.
        value_range: `(low, high)`, which composites are clipped to.
    """

    settings: Autoencoder
    weights: tuple
    mean: float
    deviation: float
    value_range: tuple

    def reconstructed(self, x):
        """Inputs `(n, height, width, ...)`, encoded and decoded: `(n, ...)` float32 array."""
        parts = [x[i : i + _ROWS] for i in range(0, len(x), _ROWS)]
        return np.concatenate([self._decoded(self._encoded(part), part.shape) for part in parts])

    def _mix(self, first, second, draws):
        share = self.settings.share
        code = share * self._encoded(first) + (1.0 - share) * self._encoded(second)
        return self._decoded(code, first.shape)

    def _encoded(self, x):
        return _encode(self.weights, (_flat(x) - self.mean) / self.deviation)

    def _decoded(self, code, shape):
        channels = int(np.prod(shape[3:]))
        decoded = _decode(self.weights, code, (*shape[1:3], channels))
        decoded = tf.clip_by_value(decoded * self.deviation + self.mean, *self.value_range)
        return tf.reshape(decoded, [-1, *shape[1:]])

    def __repr__(self):
        return repr(self.settings)


def _flat(x):
    """Inputs `(n, height, width, ...)` with one axis of channels."""
    reshape = np.reshape if isinstance(x, np.ndarray) else tf.reshape
    return reshape(x, (-1, *x.shape[1:3], int(np.prod(x.shape[3:]))))


def _initial(channels, filters, code, rng):
    """Kernels and biases of the four layers, He-normal."""
    sizes = [(channels, filters), (filters, code), (code, filters), (filters, channels)]
    for number, (before, after) in enumerate(sizes):
        kernel = rng.standard_normal((3, 3, before, after)) * np.sqrt(2 / (9 * before))
        # A transposed convolution's kernel has its output's channels first.
        kernel = kernel if number < 2 else kernel.transpose(0, 1, 3, 2)
        yield kernel.astype(np.float32)
        yield np.zeros(after, np.float32)


def _encode(weights, x):
    kernel, bias, second_kernel, second_bias = weights[:4]
    x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME") + bias)
    return tf.nn.conv2d(x, second_kernel, 2, "SAME") + second_bias


def _decode(weights, code, shape):
    """Decodes to inputs of a shape `(height, width, channels)`."""
    kernel, bias, second_kernel, second_bias = weights[4:]
    count = tf.shape(code)[0]
    half = [count, -(-shape[0] // 2), -(-shape[1] // 2), kernel.shape[2]]
    x = tf.nn.relu(tf.nn.conv2d_transpose(code, kernel, half, 2, "SAME") + bias)
    whole = [count, *shape]
    return tf.nn.conv2d_transpose(x, second_kernel, whole, 2, "SAME") + second_bias


def _cycled(size, count, rng):
    rounds = [rng.permutation(size) for _ in range(-(-count // size))]
    return np.concatenate(rounds)[:count]
