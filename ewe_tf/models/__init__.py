"""The architectures of the experiments, built from plain Keras layers."""

from ewe_tf.models.zoo import build as build
from ewe_tf.models.zoo import entangled_layers as entangled_layers
from ewe_tf.models.zoo import names as names
