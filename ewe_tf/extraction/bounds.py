"""The box that made-up inputs must stay in."""

import numpy as np


def check_bounds(bounds):
    """Raises ValueError unless `bounds` is None or a pair (lowest, highest)."""
    if bounds is None:
        return
    pair = np.asarray(bounds, np.float64) if np.size(bounds) == 2 else np.zeros(2)
    if not np.isfinite(pair).all() or not pair[0] < pair[1]:
        raise ValueError(
            f"`bounds` must be a pair (lowest, highest) of numbers or None. Received: {bounds!r}"
        )


def bounds_of(queries, bounds):
    """`bounds`, or the lowest and the highest value of the queries, as float32.

    Raises:
        ValueError: if the queries are not floats: inputs cannot be moved then.
    """
    require_floats(queries)
    low, high = (queries.min(), queries.max()) if bounds is None else bounds
    return np.float32(low), np.float32(high)


def require_floats(queries):
    """Raises ValueError unless the queries are floats, which an attack can move or mix."""
    if queries.dtype.kind != "f":
        raise ValueError(
            f"`queries` must be floats for an attack that makes new inputs of them. "
            f"Received: dtype {queries.dtype}"
        )
