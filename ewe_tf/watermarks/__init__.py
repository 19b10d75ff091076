"""Watermarking schemes: configuration objects with one verb, `fit`."""

from ewe_tf.watermarks.answering import Defended
from ewe_tf.watermarks.control import Control
from ewe_tf.watermarks.dynamarks import DynaMarks
from ewe_tf.watermarks.ewe import EWE
from ewe_tf.watermarks.mea_defender import MEADefender
from ewe_tf.watermarks.mea_defender_encoder import MEADefenderEncoder
from ewe_tf.watermarks.paper import PaperEWE
from ewe_tf.watermarks.protected import Protected
from ewe_tf.watermarks.rehearsal import Rehearsal
from ewe_tf.watermarks.simclr import SimCLR
from ewe_tf.watermarks.simclr import downstream

__all__ = [
    "EWE",
    "Control",
    "Defended",
    "DynaMarks",
    "MEADefender",
    "MEADefenderEncoder",
    "PaperEWE",
    "Protected",
    "Rehearsal",
    "SimCLR",
    "downstream",
]
