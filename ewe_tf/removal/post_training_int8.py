"""Post-training quantization to 8-bit integers with the LiteRT converter."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.litert import convert


@dataclasses.dataclass(frozen=True)
class PostTrainingInt8:
    """Rounds weights and activations to 8-bit integers, without training.

    The suspect is then the LiteRT file itself: `run(model, data).save("suspect.tflite")`.
    Inputs and outputs are float32, also where the model takes integers (bytes, tokens).

    Attributes:
        calibration_rows: Positive integer, rows of the thief's data that show the converter
            the range of each activation.
        seed: Integer that chooses those rows.

    Reference:
        Jacob et al., Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference, 2018, Section 2 (arXiv:1712.05877).
    """

    calibration_rows: int = 200
    seed: int = 0

    def __post_init__(self):
        fields.integer(self, "calibration_rows")
        fields.integer(self, "seed", least=0)

    def run(self, model, data):
        """Returns `model` in 8-bit integers.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels; only x is used.

        Returns:
            A `LiteRTModel`: answers rows, and `save(path)` writes the `.tflite` file.
        """
        import tensorflow as tf

        x, _ = check_data(model, data)
        rng = np.random.default_rng(self.seed)
        rows = x[rng.permutation(len(x))[: self.calibration_rows]].astype("float32")
        return convert(
            model,
            optimizations=[tf.lite.Optimize.DEFAULT],
            representative_dataset=lambda: ([row[None]] for row in rows),
        )
