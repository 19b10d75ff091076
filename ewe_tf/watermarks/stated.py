"""What a scheme states of its settings where these are arrays: digests in keys, shapes in print."""

import dataclasses

import numpy as np

from ewe_tf.keys import array_digest
from ewe_tf.triggers import NaturalAttribute


def described(source):
    """The argument `source` of a scheme as JSON, for a key's settings."""
    if isinstance(source, tuple):
        return {
            "inputs": array_digest(np.asarray(source[0])),
            "labels": array_digest(np.asarray(source[1])),
        }
    if source is None or isinstance(source, int | np.integer):
        return source if source is None else int(source)
    if isinstance(source, NaturalAttribute):
        return dataclasses.asdict(source)
    return {"inputs": array_digest(np.asarray(source))}


def brief(value):
    """A setting in a line of print, arrays by dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {value.shape}>"
    if isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value):
        return f"({', '.join(brief(v) for v in value)})"
    return repr(value)
