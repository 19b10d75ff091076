"""Checks rows against what a model takes, before any of them is sent."""

import numpy as np


def check_inputs(x, input_shape=None, input_dtype=None, name="x"):
    """Returns `x` as an array that fits the model.

    Args:
        x: `(rows, ...)`, array or tensor, of integers or floats.
        input_shape: The model's input shape without the batch axis; a None entry fits any
            size. None: unknown, any shape is accepted.
        input_dtype: The model's input dtype by name, or None if unknown; then floats become
            float32 and integers stay.
        name: What messages call `x`.

    Returns:
        `(rows, *input_shape)` in the model's dtype.

    Raises:
        TypeError: If `x` is not numeric.
        ValueError: If the shape does not fit, a value is NaN or infinite, or raw `uint8` is
            given to a model that takes floats.
    """
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise TypeError(f"`{name}` must be an array of rows of one shape. {error}") from error
    if x.dtype.kind not in "iuf" and x.dtype.name != "bfloat16":
        raise TypeError(f"`{name}` must hold integers or floats. Received: dtype {x.dtype}")
    if x.ndim == 0:
        raise ValueError(f"`{name}` must have a batch axis. Received: a scalar")
    if input_shape is not None:
        _check_shape(x, tuple(input_shape), name)
    return _cast(x, input_dtype, name)


def _check_shape(x, input_shape, name):
    if _fits(x.shape[1:], input_shape):
        return
    hint = ""
    if _fits(x.shape, input_shape):
        hint = f" A single row needs a batch axis: `{name}[None]`."
    elif _fits((*x.shape[1:], 1), input_shape):
        hint = f" The channel axis is missing: `{name}[..., None]`."
    wanted = ", ".join("any" if size is None else str(size) for size in input_shape)
    raise ValueError(f"`{name}` must have shape (rows, {wanted}). Received: {x.shape}.{hint}")


def _fits(row, input_shape):
    return len(row) == len(input_shape) and all(
        wanted is None or wanted == given for wanted, given in zip(input_shape, row, strict=True)
    )


def _cast(x, input_dtype, name):
    floating = x.dtype.kind not in "iu"
    if floating:
        x = _as_finite_float32(x, name)
    if input_dtype is None:
        return x
    wants_float = "float" in input_dtype
    if wants_float and x.dtype == np.uint8:
        raise ValueError(
            f"`{name}` has dtype uint8 but the model takes {input_dtype}. Scale it the way the "
            "model's training data was scaled and pass floats, for example "
            f'`{name}.astype("float32") / 255`'
        )
    if not wants_float and floating and np.any(x != np.floor(x)):
        raise ValueError(f"`{name}` must hold whole numbers: the model takes {input_dtype}")
    # NumPy has no bfloat16; the model casts by itself.
    return x.astype("float32" if wants_float else input_dtype, copy=False)


def _as_finite_float32(x, name):
    with np.errstate(over="ignore"):
        x = x.astype(np.float32, copy=False)
    finite = np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
    if not finite.all():
        raise ValueError(
            f"`{name}` must be finite. Received: NaN or infinite float32 values in "
            f"{np.sum(~finite)} of {len(x)} rows, the first in row {np.argmin(finite)}"
        )
    return x
