"""What the statistics accept: counts, rates, outcomes, p-values. All else is an error."""

import numbers

import numpy as np

SMALLEST = float(np.finfo(np.float64).tiny)
"""No p-value is reported below this: 0 would claim more than any data can."""


def rate(name, value):
    """`value` as a float strictly between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value < 1:
        raise ValueError(
            f"`{name}` must be a number strictly between 0 and 1. Received: {name}={value!r}"
        )
    return float(value)


def positive_int(name, value, minimum=1):
    """`value` as an int of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not value >= minimum:
        raise ValueError(
            f"`{name}` must be an integer of at least {minimum}. Received: {name}={value!r}"
        )
    return int(value)


def commitment(key, value):
    """Raises ValueError if `value`, unless it is `None`, is not the commitment of `key`."""
    if value is not None and str(value).strip().lower() != key.commitment():
        raise ValueError(
            f"The key does not match `commitment`. Its own is {key.commitment()}; received: "
            f"{value!r}"
        )


def sequence(name, value):
    """`value`, a sequence of names, as a tuple; one name alone would be taken for its letters."""
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise TypeError(f"`{name}` must be a sequence of names. Received: {name}={value!r}")
    return tuple(value)


def hits_of(hits, queries):
    """Both as int64 arrays of one shape, with `0 <= hits <= queries` and `queries >= 1`."""
    arrays = []
    for name, value in (("hits", hits), ("queries", queries)):
        array = np.asarray(value)
        if array.dtype.kind not in "iu":
            raise ValueError(
                f"`{name}` must be an integer or an array of integers. Received: {name}={value!r}"
            )
        arrays.append(array.astype(np.int64))
    hits_array, queries_array = arrays
    if np.any(queries_array < 1):
        raise ValueError(f"`queries` must be at least 1. Received: queries={queries!r}")
    if np.any(hits_array < 0) or np.any(hits_array > queries_array):
        raise ValueError(
            f"`hits` must be between 0 and `queries`. Received: hits={hits!r}, queries={queries!r}"
        )
    return np.broadcast_arrays(hits_array, queries_array)


def outcomes(name, value):
    """`value` as a one-dimensional bool array; zeros and ones are taken as well."""
    array = np.asarray(value)
    if array.size == 0 and array.ndim == 1:
        return np.zeros(0, bool)
    if array.ndim != 1 or not (
        array.dtype.kind == "b"
        or (array.dtype.kind in "iuf" and np.all((array == 0) | (array == 1)))
    ):
        raise ValueError(
            f"`{name}` must be a one-dimensional sequence of booleans (or of 0 and 1). "
            f"Received: shape={array.shape}, dtype={array.dtype}"
        )
    return array.astype(bool)


def finite(name, value, minimum=1):
    """`value` as a one-dimensional float64 array of at least `minimum` finite numbers."""
    array = np.asarray(value)
    if array.ndim != 1 or array.dtype.kind not in "biuf" or not np.all(np.isfinite(array)):
        raise ValueError(
            f"`{name}` must be a one-dimensional sequence of finite numbers. "
            f"Received: {name}={value!r}"
        )
    if len(array) < minimum:
        raise ValueError(f"`{name}` must hold at least {minimum} number(s). Received: {len(array)}")
    return array.astype(np.float64)


def finite_number(name, value):
    """`value` as a finite float."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not np.isfinite(value):
        raise ValueError(f"`{name}` must be a finite number. Received: {name}={value!r}")
    return float(value)


def innocent_counts(value, minimum=1):
    """`value`, a sequence of `(hits, queries)` pairs, as two int64 arrays."""
    array = np.asarray(value)
    if array.ndim != 2 or array.shape[1:] != (2,):
        raise ValueError(
            "`innocents` must be a sequence of (hits, queries) pairs, one for each innocent "
            f"model. Received an array of shape {array.shape}"
        )
    if len(array) < minimum:
        raise ValueError(
            f"`innocents` must hold at least {minimum} model(s). Received: {len(array)}"
        )
    return hits_of(array[:, 0], array[:, 1])


def p_values(value):
    """`value` as a one-dimensional float64 array of numbers from 0 to 1."""
    array = finite("p_values", value)
    if np.any(array < 0) or np.any(array > 1):
        raise ValueError(f"`p_values` must be between 0 and 1. Received: p_values={value!r}")
    return array


def plain(value):
    """A Python float for a scalar, an array otherwise."""
    value = np.asarray(value, np.float64)
    return float(value) if value.ndim == 0 else value
