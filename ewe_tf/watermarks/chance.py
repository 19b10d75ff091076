"""Random numbers of a training step, which follow from its seed alone."""

import tensorflow as tf


class Chance:
    """Numbers drawn from one seed, each draw another; in a graph as well.

    Args:
        seed: `(2,)` integers.
    """

    def __init__(self, seed):
        self._seed = seed
        self._drawn = 0

    def uniform(self, rows, columns):
        """`(rows, columns)` float32 in [0, 1)."""
        return tf.random.stateless_uniform([rows, columns], self._next())

    def integers(self, below, count):
        """`(count,)` int32 in [0, below)."""
        return tf.random.stateless_uniform([count], self._next(), 0, below, tf.int32)

    def rows(self, pool, count):
        """`count` rows of a tensor, some perhaps twice."""
        return tf.gather(pool, self.integers(len(pool), count))

    def _next(self):
        self._drawn += 1
        return tf.random.experimental.stateless_fold_in(self._seed, self._drawn)
