"""A data set in memory and the fingerprint by which two of them are told apart."""

import dataclasses
import functools
import hashlib

import numpy as np


def digest(array):
    """SHA-256 of an array's type, shape and values, as 64 hexadecimal digits.

    Equal arrays have equal digests whatever their memory layout or byte order.

    Args:
        array: Array of numbers or booleans.

    Raises:
        ValueError: If the array holds Python objects.
    """
    array = np.asarray(array)
    if array.dtype.hasobject:
        raise ValueError(f"`array` must hold numbers. Received: dtype={array.dtype}")
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    header = f"{array.dtype.str.lstrip('<|=')} {array.shape}\n".encode()
    checksum = hashlib.sha256(header)
    checksum.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return checksum.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A classification data set in memory.

    Attributes:
        name: The name it was loaded by.
        x_train, x_test: float32 arrays of shape (n, ...) with values in [0, 1]: images are
            (n, height, width, channels), spectrograms (n, frames, bands, 1).
        y_train, y_test: int64 labels of shape (n,).
        num_classes: Number of classes.
        class_names: One word a class, or empty.

    Raises:
        ValueError: If lengths, shapes or labels do not fit together.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    num_classes: int
    class_names: tuple = ()

    def __post_init__(self):
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if len(x) != len(y):
                raise ValueError(
                    f"`x_{part}` and `y_{part}` must have the same length. "
                    f"Received: {len(x)} and {len(y)} rows"
                )
            if len(y) and not 0 <= y.min() <= y.max() < self.num_classes:
                raise ValueError(
                    f"`y_{part}` must lie in [0, {self.num_classes}). "
                    f"Received: labels from {y.min()} to {y.max()}"
                )
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise ValueError(
                "`x_train` and `x_test` must hold examples of one shape. Received: "
                f"{self.x_train.shape[1:]} and {self.x_test.shape[1:]}"
            )

    def __repr__(self):
        return (
            f"Dataset({self.name}: {len(self.x_train)} train, {len(self.x_test)} test, "
            f"shape {self.input_shape}, {self.num_classes} classes)"
        )

    @property
    def input_shape(self):
        """Shape of one example, without the batch axis."""
        return tuple(self.x_train.shape[1:])

    @functools.cached_property
    def digest(self):
        """One fingerprint over the four arrays; the name takes no part in it."""
        arrays = (self.x_train, self.y_train, self.x_test, self.y_test)
        return hashlib.sha256("".join(map(digest, arrays)).encode()).hexdigest()
