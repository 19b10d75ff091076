"""Post-training rounding to 16-bit floats with the LiteRT converter."""

import dataclasses

from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.litert import convert


@dataclasses.dataclass(frozen=True)
class PostTrainingFloat16:
    """Stores the weights as 16-bit floats, without training.

    The suspect is then the LiteRT file itself: `run(model, data).save("suspect.tflite")`.

    Reference:
        Gupta et al., Deep Learning with Limited Numerical Precision, 2015 (arXiv:1502.02551).
    """

    def run(self, model, data):
        """Returns `model` with 16-bit weights.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels; checked, not used.

        Returns:
            A `LiteRTModel`: answers rows, and `save(path)` writes the `.tflite` file.
        """
        import tensorflow as tf

        check_data(model, data)
        return convert(
            model,
            optimizations=[tf.lite.Optimize.DEFAULT],
            target_spec={"supported_types": [tf.float16]},
        )
