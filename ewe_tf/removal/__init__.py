"""Attacks that try to erase a watermark from a model, or to keep its owner from seeing it.

Every attack is a frozen dataclass with one verb: `attack.run(model, data)` takes a Keras 3
classifier and the thief's data (x, y) and returns what the thief deploys instead: a compiled
Keras 3 model, a `LiteRTModel` (post-training quantization) or a `FrontedModel` (attacks at the
input). The given model is left unchanged.
"""

from ewe_tf.removal.adversarial_unlearning import AdversarialUnlearning
from ewe_tf.removal.bridge import UnsupportedLayerError
from ewe_tf.removal.chain import Chain
from ewe_tf.removal.disentangling import Disentangling
from ewe_tf.removal.distillation import Distillation
from ewe_tf.removal.fine_pruning import FinePruning
from ewe_tf.removal.fine_tuning import FineTuning
from ewe_tf.removal.fronted import FrontedModel
from ewe_tf.removal.input_noise import InputNoise
from ewe_tf.removal.input_smoothing import InputSmoothing
from ewe_tf.removal.isolation_forest import IsolationForest
from ewe_tf.removal.jpeg_compression import JpegCompression
from ewe_tf.removal.litert import LiteRTModel
from ewe_tf.removal.local_outlier_factor import LocalOutlierFactor
from ewe_tf.removal.magnitude_pruning import MagnitudePruning
from ewe_tf.removal.neural_cleanse import NeuralCleanse
from ewe_tf.removal.overwriting import Overwriting
from ewe_tf.removal.post_training_float16 import PostTrainingFloat16
from ewe_tf.removal.post_training_int8 import PostTrainingInt8
from ewe_tf.removal.quantization_aware_training import QuantizationAwareTraining
from ewe_tf.removal.regularized_retraining import RegularizedRetraining
from ewe_tf.removal.transfer_learning import TransferLearning
from ewe_tf.removal.transfer_learning import with_original_head
from ewe_tf.removal.weight_clustering import WeightClustering
from ewe_tf.removal.weight_noise import WeightNoise
from ewe_tf.removal.weight_rounding import WeightRounding

__all__ = [
    "AdversarialUnlearning",
    "Chain",
    "Disentangling",
    "Distillation",
    "FinePruning",
    "FineTuning",
    "FrontedModel",
    "InputNoise",
    "InputSmoothing",
    "IsolationForest",
    "JpegCompression",
    "LiteRTModel",
    "LocalOutlierFactor",
    "MagnitudePruning",
    "NeuralCleanse",
    "Overwriting",
    "PostTrainingFloat16",
    "PostTrainingInt8",
    "QuantizationAwareTraining",
    "RegularizedRetraining",
    "TransferLearning",
    "UnsupportedLayerError",
    "WeightClustering",
    "WeightNoise",
    "WeightRounding",
    "with_original_head",
]
