"""Smoothing of every query."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import check_rows
from ewe_tf.removal.fronted import FrontedModel
from ewe_tf.removal.fronted import require_images


@dataclasses.dataclass(frozen=True)
class InputSmoothing:
    """Smooths every image before the stolen model sees it.

    Attributes:
        kind: `"median"`, `"mean"` or `"gaussian"` (standard deviation size / 4).
        size: Integer of at least 2, side of the window in pixels.

    Reference:
        Xu, Evans and Qi, Feature Squeezing, 2018 (arXiv:1704.01155); on
        watermarks: Lukas et al., SoK, 2022, input preprocessing (arXiv:2108.04974).
    """

    kind: str = "median"
    size: int = 3

    def __post_init__(self):
        fields.choice(self, "kind", ("median", "mean", "gaussian"))
        fields.integer(self, "size", least=2)

    def run(self, model, data):
        """Returns `model` behind the filter.

        Args:
            model: A Keras 3 model, or a callable from rows to answers; left unchanged.
            data: Pair (x, y), the thief's images (n, height, width, channels) and labels;
                checked, not used.

        Returns:
            A `FrontedModel`.
        """
        require_images(check_rows(data)[0])
        return FrontedModel(model, treat=self.smooth)

    def smooth(self, x):
        """Returns images `x` (n, height, width, channels) smoothed, each channel by itself."""
        from scipy import ndimage

        require_images(x)
        window = (1, self.size, self.size, 1)
        if self.kind == "median":
            return ndimage.median_filter(x, size=window, mode="reflect")
        if self.kind == "mean":
            return ndimage.uniform_filter(x, size=window, mode="reflect")
        return ndimage.gaussian_filter(x, sigma=np.multiply((0, 1, 1, 0), self.size / 4))
