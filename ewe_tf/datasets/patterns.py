"""Generated patterns: a source of triggers for those who have no other images at hand."""

import numpy as np

PATTERNS = ("horizontal stripes", "vertical stripes", "diagonal stripes", "checks", "rings")


def patterns(count, shape, seed=0):
    """Noisy periodic patterns of random period, phase and contrast, by kind.

    Args:
        count: number of images.
        shape: `(height, width, channels)` of an image; all channels are equal.
        seed: non-negative integer; same arguments, same images.

    Returns:
        `(images, labels)`: `(count, *shape)` float32 in [0, 1], and `(count,)` int64 indices
        into `PATTERNS`.
    """
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    labels = rng.integers(len(PATTERNS), size=count)
    rows, columns = np.mgrid[:height, :width]
    radius = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)

    def wave(distance):
        """One random wave along `distance` for each image."""
        period = rng.uniform(2.0, max(2.5, height / 3), (count, 1, 1))
        return np.sin(2 * np.pi * (distance / period + rng.random((count, 1, 1))))

    along_rows, along_columns = wave(rows), wave(columns)
    kinds = np.stack(
        [
            along_rows,
            along_columns,
            wave((rows + columns) / np.sqrt(2)),
            np.sign(along_rows * along_columns),
            wave(radius),
        ]
    )
    chosen = kinds[labels, np.arange(count)]
    contrast = rng.uniform(0.3, 0.5, (count, 1, 1))
    images = 0.5 + contrast * chosen + rng.normal(0, 0.05, chosen.shape)
    images = np.repeat(images[..., None], channels, axis=-1)
    return np.clip(images, 0, 1).astype(np.float32), labels
