"""The architectures of the experiments, built from plain Keras layers."""

from ewe_tf.models.zoo import build
from ewe_tf.models.zoo import entangled_layers
from ewe_tf.models.zoo import names

__all__ = [
    "build",
    "entangled_layers",
    "names",
]
