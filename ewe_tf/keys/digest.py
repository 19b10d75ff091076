"""SHA-256 digests of arrays, of JSON values and of Keras models."""

import hashlib
import json

import numpy as np


def array_digest(array):
    """SHA-256 (hex) of an array's dtype, shape and little-endian bytes."""
    array = np.ascontiguousarray(array)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.tobytes())
    return digest.hexdigest()


def canonical_json(value):
    """The one byte string that stands for a JSON value: sorted names, no blanks, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False,
        default=plain,
    ).encode()  # fmt: skip


def plain(value):
    """What JSON does not know: a NumPy scalar, as the Python value that it knows."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"A key cannot hold a {type(value).__name__}: {value!r:.80}")


def json_digest(value):
    """SHA-256 (hex) of a JSON value's canonical form."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def model_digest(model):
    """SHA-256 (hex) of a Keras model's weights, in their order, with their paths' last parts."""
    return json_digest([[v.path.split("/")[-1], array_digest(v.numpy())] for v in model.weights])
