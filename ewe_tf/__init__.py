"""Watermarks for Keras classifiers that survive model extraction.

`import ewe_tf` is cheap: each public name is imported at its first use.
"""

import importlib

from ewe_tf.versions import __version__

_NAMES = {
    "Control": "ewe_tf.watermarks",
    "DynaMarks": "ewe_tf.watermarks",
    "EWE": "ewe_tf.watermarks",
    "Key": "ewe_tf.keys",
    "MEADefender": "ewe_tf.watermarks",
    "NaturalAttribute": "ewe_tf.triggers.natural_attribute",
    "Oracle": "ewe_tf.oracle",
    "Protected": "ewe_tf.watermarks",
    "Rehearsal": "ewe_tf.watermarks",
    "calibrate": "ewe_tf.verification",
    "export": "ewe_tf.serving",
    "fit": "ewe_tf.fitting",
    "verify": "ewe_tf.verification",
}
_ROOMS = (
    "datasets",
    "extraction",
    "keys",
    "losses",
    "models",
    "oracle",
    "removal",
    "report",
    "serving",
    "triggers",
    "verification",
    "watermarks",
)

__all__ = ["__version__", *_NAMES]


def __getattr__(name):
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"ewe_tf.{name}")
    else:
        raise AttributeError(f"module 'ewe_tf' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_NAMES, *_ROOMS})
