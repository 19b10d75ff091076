"""Retraining under a strong weight penalty, then without it."""

import dataclasses

import keras

from ewe_tf import fields
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.training import penalised
from ewe_tf.removal.training import train


@dataclasses.dataclass(frozen=True)
class RegularizedRetraining(Retraining):
    """Pulls the weights away from where they were, then lets the accuracy recover.

    The thief trains on with a strong L2 penalty on all kernels, whose pull the watermark's
    few memorised rows resist less than the task does, and then without the penalty.

    Attributes:
        l2: Non-negative float, factor of the sum of squared kernel weights in the loss.
        recovery_epochs: Integer, passes without the penalty afterwards.
        epochs: Integer, passes with the penalty.
        learning_rate, batch_size, seed, verbose: See `Retraining`.

    Reference:
        Shafieinejad et al., On the Robustness of Backdoor-based Watermarking in Deep Neural
        Networks, 2021, the regularization attack (arXiv:1906.07745).
    """

    l2: float = 5e-3
    recovery_epochs: int = 5

    def __post_init__(self):
        super().__post_init__()
        fields.number(self, "l2", least=0)
        fields.integer(self, "recovery_epochs", least=0)

    def run(self, model, data):
        """Returns a retrained copy of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels (n,) or (n, classes).

        Returns:
            A compiled Keras 3 model of the same topology.
        """
        x, y = check_data(model, data)
        retrained = copy_classifier(model, self.seed)
        kernels = [v for v in retrained.trainable_variables if len(v.shape) > 1]
        with penalised(kernels, keras.regularizers.L2(self.l2)):
            train(retrained, x, y, self)
        return train(retrained, x, y, self, epochs=self.recovery_epochs)
