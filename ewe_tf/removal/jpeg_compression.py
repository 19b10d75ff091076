"""JPEG compression of every query."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import check_rows
from ewe_tf.removal.fronted import FrontedModel
from ewe_tf.removal.fronted import require_images


@dataclasses.dataclass(frozen=True)
class JpegCompression:
    """Compresses every image to JPEG and back before the stolen model sees it.

    Attributes:
        quality: Integer from 1 to 100.

    Reference:
        Dziugaite, Ghahramani and Roy, A study of the effect of JPG compression on adversarial
        images, 2016 (arXiv:1608.00853); on watermarks: Lukas et al., SoK, 2022, input
        preprocessing (arXiv:2108.04974).
    """

    quality: int = 50

    def __post_init__(self):
        fields.integer(self, "quality", most=100)

    def run(self, model, data):
        """Returns `model` behind the compression.

        Args:
            model: A Keras 3 model, or a callable from rows to answers; left unchanged.
            data: Pair (x, y), the thief's images (n, height, width, 1 or 3) in [0, 1] and
                labels; checked, not used.

        Returns:
            A `FrontedModel`.
        """
        self._check(check_rows(data)[0])
        return FrontedModel(model, treat=self.compress)

    def compress(self, x):
        """Returns images `x` (n, height, width, 1 or 3) in [0, 1] after compression."""
        import tensorflow as tf

        self._check(x)
        pixels = np.round(np.clip(x, 0.0, 1.0) * 255.0).astype("uint8")
        decoded = [
            tf.io.decode_jpeg(
                tf.io.encode_jpeg(image, quality=self.quality), channels=image.shape[-1]
            )
            for image in pixels
        ]
        return np.stack(decoded).astype("float32") / 255.0

    def _check(self, x):
        require_images(x)
        if x.shape[-1] not in (1, 3) or x.min() < 0.0 or x.max() > 1.0:
            raise ValueError(
                "JPEG needs images of 1 or 3 channels with values in [0, 1]. Received: "
                f"shape {x.shape}, values from {x.min():.3g} to {x.max():.3g}"
            )
