"""Attacks that try to erase a watermark from a model, or to keep its owner from seeing it.

Every attack is a frozen dataclass with one verb: `attack.run(model, data)` takes a Keras 3
classifier and the thief's data (x, y) and returns what the thief deploys instead. The given
model is left unchanged.
"""

from ewe_tf.removal.bridge import UnsupportedLayerError
from ewe_tf.removal.fine_pruning import FinePruning
from ewe_tf.removal.fine_tuning import FineTuning
from ewe_tf.removal.litert import LiteRTModel
from ewe_tf.removal.magnitude_pruning import MagnitudePruning
from ewe_tf.removal.post_training_float16 import PostTrainingFloat16
from ewe_tf.removal.post_training_int8 import PostTrainingInt8
from ewe_tf.removal.quantization_aware_training import QuantizationAwareTraining
from ewe_tf.removal.weight_clustering import WeightClustering
from ewe_tf.removal.weight_noise import WeightNoise
from ewe_tf.removal.weight_rounding import WeightRounding

__all__ = [
    "FinePruning",
    "FineTuning",
    "LiteRTModel",
    "MagnitudePruning",
    "PostTrainingFloat16",
    "PostTrainingInt8",
    "QuantizationAwareTraining",
    "UnsupportedLayerError",
    "WeightClustering",
    "WeightNoise",
    "WeightRounding",
]
