"""One seed for a whole network: every layer draws its own initialiser seed from it."""

import keras
import numpy as np


class LayerSeeds:
    """Hands out initialisers whose seeds follow from one number.

    Keras' initialisers are pure functions of their integer seed, so two networks built with
    the same seed have identical weights whatever was built before them, and the global random
    state is neither read nor changed.

    Args:
        seed: A non-negative integer, or `None` for fresh entropy.

    Raises:
        ValueError: If `seed` is negative or not an integer.
    """

    def __init__(self, seed=None):
        if seed is not None and (
            isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0
        ):
            raise ValueError(
                f"`seed` must be a non-negative integer or None. Received: seed={seed!r}"
            )
        self._generator = np.random.default_rng(seed)

    def integer(self):
        """The next seed: an integer in [0, 2**31)."""
        return int(self._generator.integers(2**31))

    def glorot(self):
        """Glorot uniform: dense, recurrent-input and softmax layers."""
        return keras.initializers.GlorotUniform(seed=self.integer())

    def he(self):
        """He normal: convolutions followed by ReLU."""
        return keras.initializers.HeNormal(seed=self.integer())

    def orthogonal(self):
        """Orthogonal: recurrent matrices."""
        return keras.initializers.Orthogonal(seed=self.integer())
