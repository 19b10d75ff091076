"""Rounding of the weights to few bits."""

import dataclasses

import keras
import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier


@dataclasses.dataclass(frozen=True)
class WeightRounding:
    """Rounds every kernel to a symmetric grid of few values.

    A kernel w is rounded to whole multiples of max|w| / (2^(bits-1) - 1): 4 bits leave 15
    values. Biases and normalisation weights stay as they are.

    Attributes:
        bits: Integer from 2 to 16.

    Reference:
        Hubara et al., Quantized Neural Networks, 2017 (arXiv:1609.07061); as an attack on
        watermarks: Lukas et al., SoK, 2022 (arXiv:2108.04974).
    """

    bits: int = 4

    def __post_init__(self):
        fields.integer(self, "bits", least=2, most=16)

    def run(self, model, data):
        """Returns a copy of `model` with rounded kernels.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs and labels; checked, not used.

        Returns:
            A compiled Keras 3 model of the same topology.
        """
        _, y = check_data(model, data)
        rounded = copy_classifier(model)
        for variable in rounded.trainable_variables:
            value = variable.numpy()
            if value.ndim > 1 and np.any(value):
                step = np.abs(value).max() / (2 ** (self.bits - 1) - 1)
                variable.assign(np.round(value / step) * step)
        compile_classifier(rounded, y, keras.optimizers.Adam())
        return rounded
