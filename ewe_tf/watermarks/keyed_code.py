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
        self.sides = _sides(count)
        self.words = self.add_weight(
            name="words",
            shape=(sum(self.sides),),
            dtype="int64",
            trainable=False,
            initializer="zeros",
        )

    def set_secret(self, key):
        """Takes the words of a 32-byte subkey."""
        self.words.assign(derivation.words(key, sum(self.sides)).view("int64"))

    def call(self, x):
        values = tf.reshape(tf.cast(x, tf.float32) * _LEVELS, (-1, *self.sides))
        values = tf.cast(tf.round(values), tf.int64)
        outer, inner = tf.split(self.words.value, self.sides)
        # int64 products and sums wrap around, which is arithmetic modulo 2^64.
        digest = tf.reduce_sum(tf.reduce_sum(values * inner, axis=2) * outer, axis=1)
        return tf.strings.to_hash_bucket_strong(tf.strings.as_string(digest), 2**BITS, key=[0, 0])

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0],), "int64")


def _sides(count):
    """Two factors of `count`, as near to each other as there are."""
    first = next(a for a in range(math.isqrt(count), 0, -1) if count % a == 0)
    return first, count // first


def below(code, rate):
    """`(rows,)` bool: true with probability `rate` over the secret, from the lower 31 bits."""
    return tf.bitwise.bitwise_and(code, 2**31 - 1) < int(round(rate * 2**31))


def upper(code):
    """The 31 bits of a code that `below` does not use, int64 in [0, 2^31)."""
    return tf.bitwise.right_shift(code, 31)


def coin(code):
    """`(rows,)` int64, 0 or 1: a bit that `below` does not use."""
    return tf.bitwise.bitwise_and(upper(code), 1)


def below_and_coin(code, rate):
    """`below(code, rate)` where `coin(code)` is 1, else false; one comparison for both."""
    turned = tf.bitwise.bitwise_xor(code, 2**31)
    return tf.bitwise.bitwise_and(turned, 2**32 - 1) < int(round(rate * 2**31))
