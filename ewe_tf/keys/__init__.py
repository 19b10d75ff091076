"""The owner's secret: what it holds, how it is kept, what is published of it."""

from ewe_tf.keys.digest import array_digest
from ewe_tf.keys.digest import model_digest
from ewe_tf.keys.file import KeyFileError
from ewe_tf.keys.key import Key
from ewe_tf.keys.signal import SignalKey
from ewe_tf.keys.triggers import TriggerKey

__all__ = ["Key", "KeyFileError", "SignalKey", "TriggerKey", "array_digest", "model_digest"]
