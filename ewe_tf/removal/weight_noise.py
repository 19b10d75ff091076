"""Gaussian noise on the weights."""

import dataclasses

import keras
import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier


@dataclasses.dataclass(frozen=True)
class WeightNoise:
    """Adds Gaussian noise to every trainable weight.

    Attributes:
        relative_std: Non-negative float, standard deviation of the noise on a weight array
            relative to the standard deviation of that array. An array without spread (a new
            bias) stays as it is.
        seed: Integer from which the noise is drawn.

    Reference:
        Lukas et al., SoK: How Robust is Image Classification Deep Neural Network Watermarking?,
        2022, where perturbing the parameters is one of the model modifications
        (arXiv:2108.04974).
    """

    relative_std: float = 0.2
    seed: int = 0

    def __post_init__(self):
        fields.number(self, "relative_std", least=0)
        fields.integer(self, "seed", least=0)

    def run(self, model, data):
        """Returns a noisy copy of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs and labels; checked, not used.

        Returns:
            A compiled Keras 3 model of the same topology.
        """
        _, y = check_data(model, data)
        noisy = copy_classifier(model, self.seed)
        rng = np.random.default_rng(self.seed)
        for variable in noisy.trainable_variables:
            value = variable.numpy()
            noise = rng.normal(0.0, 1.0, value.shape) * self.relative_std * value.std()
            variable.assign(value + noise)
        compile_classifier(noisy, y, keras.optimizers.Adam())
        return noisy
