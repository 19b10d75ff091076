"""The owner's secret: what it holds, how it is kept, what is published of it."""

from ewe_tf.keys.digest import array_digest
from ewe_tf.keys.digest import model_digest
from ewe_tf.keys.file import KeyFileError
from ewe_tf.keys.flips import FlipKey
from ewe_tf.keys.generator import beacon_seed
from ewe_tf.keys.key import Key
from ewe_tf.keys.regenerate import Regeneration
from ewe_tf.keys.regenerate import regenerate
from ewe_tf.keys.regenerate import seed_commitment
from ewe_tf.keys.signal import SignalKey
from ewe_tf.keys.triggers import TriggerKey

__all__ = [
    "FlipKey",
    "Key",
    "KeyFileError",
    "Regeneration",
    "SignalKey",
    "TriggerKey",
    "array_digest",
    "beacon_seed",
    "model_digest",
    "regenerate",
    "seed_commitment",
]
