"""Other defences that act on the answers: what DynaMarks is measured against.

Every one is a frozen dataclass with the verb `wrap(model, seed=...)`, which returns a `Defended`
whose model is a plain Keras model that exports into a SavedModel like any other. `CosWM` is
trained, so it has `fit` as well.
"""

from ewe_tf.watermarks.relatives.coarse import LabelAnswers
from ewe_tf.watermarks.relatives.coarse import RoundedAnswers
from ewe_tf.watermarks.relatives.coarse import TopKAnswers
from ewe_tf.watermarks.relatives.coswm import CosineKey
from ewe_tf.watermarks.relatives.coswm import CosWM
from ewe_tf.watermarks.relatives.dawn import DAWN
from ewe_tf.watermarks.relatives.prediction_poisoning import PredictionPoisoning
from ewe_tf.watermarks.relatives.reverse_sigmoid import ReverseSigmoid

__all__ = [
    "DAWN",
    "CosWM",
    "CosineKey",
    "LabelAnswers",
    "PredictionPoisoning",
    "ReverseSigmoid",
    "RoundedAnswers",
    "TopKAnswers",
]
