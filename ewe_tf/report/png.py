"""Small images as PNG data inside a page."""

import base64
import struct
import zlib

import numpy as np


def _chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def encode(image):
    """An image as the bytes of a PNG file.

    Args:
        image: Array of shape (height, width), (height, width, 1) or (height, width, 3) with
            values in [0, 1]; what lies outside is clipped.

    Raises:
        ValueError: If the shape is another, or a value is not finite.
    """
    image = np.asarray(image, dtype="float64")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or not np.isfinite(image).all():
        raise ValueError(
            "`image` must be finite, of shape (height, width, 1 or 3). "
            f"Received: shape {image.shape}"
        )
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    # Each row begins with its filter type, 0: as it is.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def data_uri(image):
    """An image as a `data:` address for an `img` element."""
    return "data:image/png;base64," + base64.b64encode(encode(image)).decode()
