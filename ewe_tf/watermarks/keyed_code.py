"""A keyed hash of whole inputs, in integer operations of the graph."""

import keras
import tensorflow as tf

from ewe_tf.keys import derivation

PACKAGE = "ewe_tf"
BITS = 62
_LEVELS = 255.0


@keras.saving.register_keras_serializable(package=PACKAGE)
class KeyedCode(keras.layers.Layer):
    """Maps each input to 62 pseudo-random bits that depend on all of it and on a secret.

    The input is rounded to multiples of 1/255 (so that a float that was printed and read again
    keeps its code), and its values b are folded with secret 64-bit words k into
    `sum k_i b_i mod 2^64`; two different inputs collide with a probability of at most 2^-32
    over the words. SipHash, the kernel of `tf.strings.to_hash_bucket_strong`, makes bits of the
    sum that look independent from input to input.

    The words are the layer's weight: whoever reads the saved model reads them. They take 8
    bytes for each input value.

    Input: `(rows, ...)` floats of a fixed shape. Output: `(rows,)` int64 in [0, 2^62).

    Reference:
        Carter and Wegman, "New hash functions and their use in authentication and set
        equality", JCSS 22 (1981); Aumasson and Bernstein, "SipHash", INDOCRYPT 2012.
    """

    def build(self, input_shape):
        count = 1
        for side in input_shape[1:]:
            if side is None:
                raise ValueError(
                    "Inputs must have a fixed shape to be hashed. Received: "
                    f"{tuple(input_shape[1:])}"
                )
            count *= side
        self.count = count
        self.words = self.add_weight(
            name="words", shape=(count,), dtype="int64", trainable=False, initializer="zeros"
        )

    def set_secret(self, key):
        """Takes the words of a 32-byte subkey."""
        self.words.assign(derivation.words(key, self.count).view("int64"))

    def call(self, x):
        values = tf.reshape(tf.cast(x, tf.float32), (-1, self.count))
        values = tf.cast(tf.round(values * _LEVELS), tf.int64)
        # int64 products and sums wrap around, which is arithmetic modulo 2^64.
        digest = tf.reduce_sum(values * self.words.value, axis=1)
        text = tf.strings.as_string(digest)
        return tf.strings.to_hash_bucket_strong(text, 2**BITS, key=[0, 0])

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0],), "int64")


def below(code, rate):
    """`(rows,)` bool: true with probability `rate` over the secret, from the lower 31 bits."""
    return tf.bitwise.bitwise_and(code, 2**31 - 1) < int(round(rate * 2**31))


def upper(code):
    """The 31 bits of a code that `below` does not use, int64 in [0, 2^31)."""
    return tf.bitwise.right_shift(code, 31)
