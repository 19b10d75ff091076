"""Trigger inputs: where the trigger goes, how its pixels are optimised, how it is mixed."""

from ewe_tf.triggers.alternating import AlternatingSteps
from ewe_tf.triggers.ascent import GradientAscent
from ewe_tf.triggers.hull import hull_labels
from ewe_tf.triggers.hull import hull_rows
from ewe_tf.triggers.natural_attribute import NaturalAttribute
from ewe_tf.triggers.patch import Patch
from ewe_tf.triggers.patch import best_position

__all__ = [
    "AlternatingSteps",
    "GradientAscent",
    "NaturalAttribute",
    "Patch",
    "best_position",
    "hull_labels",
    "hull_rows",
]
