"""Fine-pruning: dormant channels go, then the model is fine-tuned."""

import dataclasses

import keras
import numpy as np

from ewe_tf import fields
from ewe_tf.removal.channels import block_after
from ewe_tf.removal.channels import last_layer_with_channels
from ewe_tf.removal.channels import layer_with_channels
from ewe_tf.removal.channels import mean_activity
from ewe_tf.removal.channels import silence
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.training import train


@dataclasses.dataclass(frozen=True)
class FinePruning(Retraining):
    """Switches off the channels that the thief's data leave dormant, then fine-tunes.

    The channels are those of the last convolution (the last hidden dense layer where there is
    none), ranked by their mean activation on the thief's inputs after BatchNorm and activation.
    The least active go to zero and stay there during the fine-tuning.

    Attributes:
        fraction: Float in [0, 1), fraction of the channels that is pruned (rounded down).
        layer: String, name of the convolution or dense layer whose channels are pruned;
            `None`: chosen as above.
        epochs, learning_rate, batch_size, seed, verbose: See `Retraining`. With `epochs=0` the
            model is only pruned.

    Reference:
        Liu, Dolan-Gavitt and Garg, Fine-Pruning: Defending Against Backdooring Attacks on Deep
        Neural Networks, 2018 (arXiv:1805.12185).
    """

    fraction: float = 0.5
    layer: str | None = None

    def __post_init__(self):
        super().__post_init__()
        fields.number(self, "fraction", least=0, below=1)

    def run(self, model, data):
        """Returns a fine-pruned copy of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels (n,) or (n, classes).

        Returns:
            A compiled Keras 3 model of the same topology.

        Raises:
            ValueError: If the model has no such layer.
        """
        x, y = check_data(model, data)
        pruned = copy_classifier(model, self.seed)
        if self.layer is None:
            layer = last_layer_with_channels(pruned)
        else:
            layer = layer_with_channels(pruned, self.layer)
        block = block_after(pruned, layer)
        activity = mean_activity(pruned, block, x, self.batch_size)
        dormant = np.argsort(activity, kind="stable")[: int(self.fraction * len(activity))]
        silence(block, dormant)
        keep_silent = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs=None: silence(block, dormant)
        )
        return train(pruned, x, y, self, callbacks=[keep_silent])
