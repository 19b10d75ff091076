"""Cover: benign rows that triggers are hidden among."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Cover:
    """Benign rows sent with each trigger and control, all in random order.

    A suspect that looks for strange inputs then sees few of them; each row counts as a query.

    Args:
        rows: `(n, ...)` inputs of the task, of the triggers' shape. Each is used once before any
            is used again.
        per_pair: how many of them go with each trigger and its control.

    Raises:
        ValueError: for no rows, values that are not finite, or a number below 1.
    """

    rows: np.ndarray
    per_pair: int = 8

    def __post_init__(self):
        rows = np.asarray(self.rows)
        if rows.dtype.kind not in "fiu" or rows.ndim < 2 or not len(rows):
            raise ValueError(
                "`cover` must be an array of rows (n, ...) with n >= 1. Received: "
                f"{rows.dtype} {rows.shape}"
            )
        rows = np.ascontiguousarray(rows, np.float32)
        if not np.all(np.isfinite(rows)):
            raise ValueError("`cover` must be finite. Received: NaN or infinity")
        whole = isinstance(self.per_pair, int) and not isinstance(self.per_pair, bool)
        if not whole or self.per_pair < 1:
            raise ValueError(f"`per_pair` must be a positive integer. Received: {self.per_pair!r}")
        object.__setattr__(self, "rows", rows)

    @classmethod
    def of(cls, cover, input_shape):
        """A `Cover` of what `verify` was given: a `Cover`, an array of rows, or `None`.

        Raises:
            ValueError: for rows of another shape than the triggers'.
        """
        if cover is None:
            return None
        cover = cover if isinstance(cover, Cover) else cls(cover)
        if cover.rows.shape[1:] != tuple(input_shape):
            raise ValueError(
                f"`cover` must hold rows of the triggers' shape {tuple(input_shape)}. Received: "
                f"rows of shape {cover.rows.shape[1:]}"
            )
        return cover
