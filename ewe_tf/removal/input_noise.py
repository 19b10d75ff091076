"""Noise on every query."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import check_rows
from ewe_tf.removal.fronted import FrontedModel


@dataclasses.dataclass(frozen=True)
class InputNoise:
    """Adds Gaussian noise to every row before the stolen model sees it.

    Attributes:
        std: Non-negative float, standard deviation in the units of the inputs. The result is
            clipped to the range of the thief's own data.
        seed: Integer; the same sequence of queries gets the same noise.

    Reference:
        Zantedeschi, Nicolae and Rawat, Efficient Defenses Against Adversarial Attacks, 2017
        (arXiv:1707.06728); on watermarks: Lukas et al., SoK, 2022, input preprocessing
        (arXiv:2108.04974).
    """

    std: float = 0.1
    seed: int = 0

    def __post_init__(self):
        fields.number(self, "std", least=0)
        fields.integer(self, "seed", least=0)

    def run(self, model, data):
        """Returns `model` behind the noise.

        Args:
            model: A Keras 3 model, or a callable from rows to answers; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels; gives the range.

        Returns:
            A `FrontedModel`.
        """
        x, _ = check_rows(data)
        low, high = float(x.min()), float(x.max())
        rng = np.random.default_rng(self.seed)

        def treat(rows):
            noisy = rows + rng.normal(0.0, self.std, rows.shape)
            return np.clip(noisy, low, high).astype("float32")

        return FrontedModel(model, treat=treat)
