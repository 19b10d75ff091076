"""Settings of a scheme, said in short: in its `repr` and in its key."""

import numpy as np

from ewe_tf.keys import array_digest


def described(source):
    """A scheme's `source` as JSON: classes as they are, inputs by their digest."""
    if isinstance(source, tuple):
        return {
            "inputs": array_digest(np.asarray(source[0])),
            "labels": array_digest(np.asarray(source[1])),
        }
    if source is None or isinstance(source, int | np.integer):
        return source if source is None else int(source)
    return {"inputs": array_digest(np.asarray(source))}


def brief(value):
    """`repr`, with the shapes of arrays instead of their values."""
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {value.shape}>"
    if isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value):
        return f"({', '.join(brief(v) for v in value)})"
    return repr(value)
