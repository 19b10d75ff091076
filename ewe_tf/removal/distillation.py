"""Knowledge distillation into a new model with clean data."""

import dataclasses

import keras
import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import answers_probabilities
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import renewed_classifier
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.training import train


@dataclasses.dataclass(frozen=True)
class Distillation(Retraining):
    """Trains a new model of the same topology on the softened answers of the stolen one.

    The loss is alpha T^2 CE(q_T, p_T) + (1 - alpha) CE(y, p), where q_T and p_T are the
    answers of the stolen and of the new model at temperature T. For a model that answers
    probabilities the logits are recovered as log p, which is them up to a constant.

    Attributes:
        temperature: Positive float T.
        alpha: Float in [0, 1], weight of the stolen model's answers against the labels.
        epochs, learning_rate, batch_size, seed, verbose: See `Retraining`.

    Reference:
        - Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015,
          Section 2 (arXiv:1503.02531).
        - Yang, Dang and Chang, Effectiveness of Distillation Attack and Countermeasure on
          Neural Network Watermarking, 2019 (arXiv:1906.06046).
    """

    temperature: float = 3.0
    alpha: float = 0.7
    _: dataclasses.KW_ONLY
    epochs: int = 20

    def __post_init__(self):
        super().__post_init__()
        fields.number(self, "temperature", above=0)
        fields.number(self, "alpha", least=0, most=1)

    def run(self, model, data):
        """Returns a new model distilled from `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels (n,) or (n, classes).

        Returns:
            A compiled Keras 3 model of the same topology, trained from scratch.
        """
        x, y = check_data(model, data)
        answers = model.predict(x, batch_size=self.batch_size, verbose=0)
        probabilities = answers_probabilities(model)
        classes = answers.shape[-1]
        logits = np.log(np.maximum(answers, 1e-7)) if probabilities else answers
        soft = keras.ops.softmax(logits / self.temperature).numpy()
        hard = np.eye(classes, dtype="float32")[y] if y.ndim == 1 else y

        def loss(target, output):
            logits = keras.ops.log(keras.ops.maximum(output, 1e-7)) if probabilities else output
            entropy = keras.losses.categorical_crossentropy
            far = entropy(target[:, :classes], logits / self.temperature, from_logits=True)
            near = entropy(target[:, classes:], logits, from_logits=True)
            return self.alpha * self.temperature**2 * far + (1.0 - self.alpha) * near

        student = renewed_classifier(model, self.seed)
        train(student, x, np.concatenate([soft, hard], axis=1), self, loss=loss)
        compile_classifier(student, y, keras.optimizers.Adam(self.learning_rate))
        return student
