"""A keyed hash of whole inputs, in integer operations of the graph."""

import math

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
    keeps its code). Its values b are laid out in a rows of c and folded twice with secret
    64-bit words, `sum_i k_i sum_j l_j b_ij mod 2^64`; two inputs that differ collide with a
    probability of at most 2^(v - 58) over the words, 2^v the largest power of two that divides
    all differences (v < 8 for pixels: below 2^-50). SipHash, the kernel of
    `tf.strings.to_hash_bucket_strong`, makes bits of the sum that look independent from input
    to input.

    The words are the layer's weight: whoever reads the saved model reads them. They take
    8 (a + c) bytes, with a c the number of values and a and c as near as divisors allow: 6 kB
    for a colour image of 224 x 224 pixels.

    Input: `(rows, ...)` floats of a fixed shape. Output: `(rows, 1)` int64 in [0, 2^62).

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
        self.sides = _sides(count)
        self.words = self.add_weight(
            name="words",
            shape=(sum(self.sides), 1),
            dtype="int64",
            trainable=False,
            initializer="zeros",
        )

    def set_secret(self, key):
        """Takes the words of a 32-byte subkey."""
        self.words.assign(derivation.words(key, sum(self.sides)).view("int64")[:, None])

    def call(self, x):
        rows, columns = self.sides
        values = tf.reshape(tf.round(tf.cast(x, tf.float32) * _LEVELS), (-1, columns))
        outer, inner = tf.split(self.words.value, self.sides)
        # int64 products and sums wrap around, which is arithmetic modulo 2^64.
        folded = tf.matmul(tf.cast(values, tf.int64), inner)
        digest = tf.matmul(tf.reshape(folded, (-1, rows)), outer)
        return tf.strings.to_hash_bucket_strong(tf.strings.as_string(digest), 2**BITS, key=[0, 0])

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0], 1), "int64")


def _sides(count):
    """Two factors of `count`, as near to each other as there are."""
    first = next(a for a in range(math.isqrt(count), 0, -1) if count % a == 0)
    return first, count // first


def codes(x, key, batch_size=512):
    """`(rows, 1)` int64 codes of inputs `(rows, ...)` under a 32-byte subkey."""
    layer = KeyedCode()
    layer.build((None, *x.shape[1:]))
    layer.set_secret(key)
    starts = range(0, max(len(x), 1), batch_size)
    return tf.concat([layer(x[start : start + batch_size]) for start in starts], axis=0)


def below(code, rate):
    """`(rows, 1)` bool: true with probability `rate` over the secret."""
    # The largest rate is just below 1: codes are below 2^62 and so is what they are compared with.
    return code < min(round(rate * 2**BITS), 2**BITS - 1)
