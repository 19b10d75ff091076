"""The tilt: moves an answer along secret signs without ever changing its top class.

Our reconstruction. The paper on DynaMarks says that the answers are perturbed at inference
with secret parameters; how, it does not publish.
"""

import keras
import numpy as np
import tensorflow as tf

PACKAGE = "ewe_tf"


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
    classes = probabilities.shape[-1]
    full = (probabilities + floor / classes) * gains
    full = full / tf.reduce_sum(full, axis=-1, keepdims=True)
    change = full - probabilities
    highest = tf.reduce_max(probabilities, axis=-1, keepdims=True)
    rise = tf.expand_dims(tf.gather(change, top, batch_dims=1), -1)
    gap = highest - probabilities
    closing = change - rise
    # A class that closes its gap by `closing` may use up `gap - margin` of it.
    room = tf.maximum(gap - margin, 0.0) / tf.maximum(closing, 1e-12)
    room = tf.reduce_min(room + tf.cast(closing <= 0, tf.float32), axis=-1, keepdims=True)
    length = tf.reduce_sum(tf.abs(change), axis=-1, keepdims=True)
    step = tf.minimum(tf.minimum(room, max_change / tf.maximum(length, 1e-12)), 1.0)
    answers = probabilities + step * change
    kept = tf.argmax(answers, axis=-1, output_type=top.dtype) == top
    return tf.where(tf.expand_dims(kept, -1), answers, probabilities)


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
        self.table = self._secret("signs", (self.classes, (self.classes + 7) // 8), "uint8")

    def set_secrets(self, signs):
        """As for `StaticTilt`."""
        self.table.assign(np.packbits(signs > 0, axis=1, bitorder="little"))

    def gains(self, top, features):
        packed = tf.gather(self.table.value, top)[:, :, None]
        bits = tf.bitwise.right_shift(packed, tf.constant(list(range(8)), tf.uint8))
        bits = tf.reshape(
            tf.bitwise.bitwise_and(bits, tf.constant(1, tf.uint8)), (tf.shape(top)[0], -1)
        )
        up, down = np.float32(np.exp(self.strength)), np.float32(np.exp(-self.strength))
        gains = down + (up - down) * tf.cast(bits[:, : self.classes], tf.float32)
        return tf.where(tf.one_hot(top, self.classes, on_value=True, off_value=False), 1.0, gains)


@keras.saving.register_keras_serializable(package=PACKAGE)
class DynamicTilt(Tilt):
    """Tilt by a cosine of the projected features with secret phases."""

    def build(self, input_shape):
        self.classes, features = input_shape[0][-1], input_shape[1][-1]
        self.projection = self._secret("projection", (features, 1))
        self.phases = self._secret("phases", (self.classes, self.classes))

    def set_secrets(self, phases, projection, offset):
        """Takes the phases, and the affine map from raw features to carrier radians.

        Args:
            phases: `(classes, classes)`.
            projection: `(features,)`: frequency times direction over standard deviations.
            offset: radians at raw features 0.
        """
        self.phases.assign(phases + offset)
        self.projection.assign(projection[:, None])

    def gains(self, top, features):
        radians = tf.matmul(features, self.projection.value) + tf.gather(self.phases.value, top)
        strengths = tf.one_hot(top, self.classes, on_value=0.0, off_value=self.strength)
        return tf.exp(strengths * tf.cos(radians))
