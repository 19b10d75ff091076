"""Watermarking schemes: configuration objects with one verb, `fit`."""

from ewe_tf.watermarks.control import Control
from ewe_tf.watermarks.ewe import EWE
from ewe_tf.watermarks.in_house import Rehearsal
from ewe_tf.watermarks.mea_defender import MEADefender
from ewe_tf.watermarks.paper import PaperEWE
from ewe_tf.watermarks.protected import Protected

__all__ = ["EWE", "Control", "MEADefender", "PaperEWE", "Protected", "Rehearsal"]
