"""The tilt: moves an answer along secret signs without ever changing its top class.

Our reconstruction. The paper on DynaMarks says that the answers are perturbed at inference
with secret parameters; how, it does not publish.
"""

import keras
import numpy as np
import tensorflow as tf

PACKAGE = "ewe_tf"
# What a class may come closer by rounding alone, and a divisor that leaves nothing of a step.
_ROUNDING, _NO_ROOM = 2e-7, 1e-20


def tilted(probabilities, top, gains, floor, margin, max_change):
    """Multiplies the odds of the classes by secret gains, within limits.

    The full tilt is `z = normalise((y + floor / classes) * gains)`; the answer is
    `y + a (z - y)` with the largest a in [0, 1] for which

    - no class comes closer to the top class than `margin`, or than it was before where it was
      closer already;
    - the L1 distance of answer and y is at most `max_change`.

    Where float32 rounding would still change the top class (ties go to the lowest, as in
    `argmax`), the answer is y itself. So the top class is kept exactly, for every input.

    Args:
        probabilities: `(rows, classes)` float32 y.
        top: `(rows,)` int: argmax of y.
        gains: `(rows, classes)` float32: `exp(strength * sign)`, 1 for the top class.
        floor: probability mass shared out evenly before the tilt, so that a confident model
            has something to tilt.
        margin: smallest gap to the top class that the tilt may leave.
        max_change: largest L1 distance.

    Returns:
        `(rows, classes)` float32.
    """
    share = floor / probabilities.shape[-1]
    full = (probabilities + share) * gains
    total = tf.reduce_sum(full, axis=-1, keepdims=True)
    change = full / total - probabilities
    highest = tf.reduce_max(probabilities, axis=-1, keepdims=True)
    # The top class has gain 1.
    rise = (highest + (share + _ROUNDING)) / total - highest
    # Where a class comes closer by more than the room it has, the whole step is divided.
    room = tf.maximum((highest - margin) - probabilities, _NO_ROOM)
    closing = tf.reduce_max((change - rise) / room, axis=-1, keepdims=True)
    length = tf.reduce_sum(tf.abs(change), axis=-1, keepdims=True) * (1 / max_change)
    answers = probabilities + change / tf.maximum(tf.maximum(closing, length), 1.0)
    kept = tf.argmax(answers, axis=-1, output_type=top.dtype) == top
    return tf.raw_ops.Select(condition=kept, x=answers, y=probabilities)


class Tilt(keras.layers.Layer):
    """Output layer that tilts probabilities: what the carriers have in common.

    Args:
        strength: half the secret change of the log-odds: a tilted class has its odds
            multiplied by `exp(strength * sign)`.
        floor, margin, max_change: as for `tilted`.
    """

    def __init__(self, strength, floor, margin, max_change, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.strength = strength
        self.floor = floor
        self.margin = margin
        self.max_change = max_change

    def gains(self, top, features):
        """`(rows, classes)` float32 gains for top classes `(rows,)`."""
        raise NotImplementedError

    def call(self, inputs):
        probabilities, features = inputs if isinstance(inputs, list | tuple) else (inputs, None)
        top = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        gains = self.gains(top, features)
        return tilted(probabilities, top, gains, self.floor, self.margin, self.max_change)

    def compute_output_shape(self, input_shape):
        # The shapes of (probabilities, features), or of probabilities alone.
        nested = isinstance(input_shape[0], tuple | list)
        return tuple(input_shape[0] if nested else input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "strength": self.strength,
            "floor": self.floor,
            "margin": self.margin,
            "max_change": self.max_change,
        }

    def _secret(self, name, shape, dtype="float32"):
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, trainable=False, initializer="zeros"
        )


@keras.saving.register_keras_serializable(package=PACKAGE)
class StaticTilt(Tilt):
    """Tilt by a table of secret signs, kept as gains: for up to some dozens of classes."""

    def build(self, input_shape):
        classes = self.compute_output_shape(input_shape)[-1]
        self.table = self._secret("gains", (classes, classes))

    def set_secrets(self, signs):
        """Takes `(classes, classes)` signs, 0 on the diagonal."""
        self.table.assign(np.exp(self.strength * signs))

    def gains(self, top, features):
        return tf.gather(self.table.value, top)


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedStaticTilt(Tilt):
    """Tilt by a table of secret signs, eight to a byte: 125 kB for 1,000 classes."""

    def build(self, input_shape):
        self.classes = self.compute_output_shape(input_shape)[-1]
        self.table = self._secret("signs", (self.classes, _bytes(self.classes)), "uint8")

    def set_secrets(self, signs):
        """As for `StaticTilt`."""
        self.table.assign(_packed(signs))

    def gains(self, top, features):
        up, down = np.float32(np.exp(self.strength)), np.float32(np.exp(-self.strength))
        gains = tf.where(_unpacked(tf.gather(self.table.value, top), self.classes), up, down)
        return tf.where(_is(top, self.classes), 1.0, gains)


@keras.saving.register_keras_serializable(package=PACKAGE)
class DynamicTilt(Tilt):
    """Tilt by waves over the projected features, kept as phases: for some dozens of classes."""

    def build(self, input_shape):
        self.classes, features = input_shape[0][-1], input_shape[1][-1]
        self.projection = self._secret("projection", (features, 1))
        self.phases = self._secret("phases", (self.classes, self.classes))

    def set_secrets(self, signs, projection, offset):
        """Takes the signs, and the affine map from raw features to carrier radians.

        Args:
            signs: `(2, classes, classes)`, as `DynamicCarrier.secrets` has them.
            projection: `(features,)`: frequency times direction over standard deviations.
            offset: radians at raw features 0.
        """
        self.phases.assign(np.arctan2(signs[1], signs[0]) + offset)
        self.projection.assign(projection[:, None])

    def gains(self, top, features):
        radians = tf.matmul(features, self.projection.value) + tf.gather(self.phases.value, top)
        strengths = tf.one_hot(top, self.classes, on_value=0.0, off_value=self.strength)
        return tf.exp(strengths * tf.cos(radians))


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedDynamicTilt(Tilt):
    """Tilt by waves whose signs are kept eight to a byte: 250 kB for 1,000 classes."""

    def build(self, input_shape):
        self.classes, features = input_shape[0][-1], input_shape[1][-1]
        self.projection = self._secret("projection", (features, 1))
        self.offset = self._secret("offset", (1,))
        self.table = self._secret("signs", (self.classes, 2, _bytes(self.classes)), "uint8")

    def set_secrets(self, signs, projection, offset):
        """As for `DynamicTilt`."""
        self.table.assign(np.moveaxis(_packed(signs), 0, 1))
        self.projection.assign(projection[:, None])
        self.offset.assign([offset])

    def gains(self, top, features):
        radians = tf.matmul(features, self.projection.value) + self.offset.value
        waves = tf.stack([tf.cos(radians), -tf.sin(radians)], axis=1)
        waves = waves * np.float32(self.strength * np.sqrt(0.5))
        signs = _unpacked(tf.gather(self.table.value, top), self.classes)
        exponents = tf.reduce_sum(tf.where(signs, waves, -waves), axis=1)
        return tf.exp(tf.where(_is(top, self.classes), 0.0, exponents))


def _bytes(classes):
    return (classes + 7) // 8


def _packed(signs):
    return np.packbits(signs > 0, axis=-1, bitorder="little")


def _unpacked(packed, classes):
    """`(..., bytes)` uint8 as `(..., classes)` bool."""
    masks = np.array([1 << i for i in range(8)], np.uint8)
    bits = tf.bitwise.bitwise_and(tf.expand_dims(packed, -1), masks)
    shape = (-1, *packed.shape[1:-1], 8 * packed.shape[-1])
    return tf.reshape(tf.cast(bits, tf.bool), shape)[..., :classes]


def _is(top, classes):
    return tf.one_hot(top, classes, on_value=True, off_value=False)
