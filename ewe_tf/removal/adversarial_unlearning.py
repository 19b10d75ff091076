"""Adversarial unlearning in the manner of WRK: reshape the boundaries that carry a mark."""

import dataclasses

import keras
import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.classifier import head_of
from ewe_tf.removal.classifier import num_classes_of
from ewe_tf.removal.classifier import renewed_classifier
from ewe_tf.removal.classifier import require_float_rows
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.training import penalised
from ewe_tf.removal.training import train


@dataclasses.dataclass(frozen=True)
class AdversarialUnlearning(Retraining):
    """Fine-tunes on adversarial rows with random labels, with a head turned away from the old.

    A mark made of altered rows lives on boundaries between clean rows and their altered
    neighbours. The thief steps from a few clean rows towards random classes (one signed
    gradient step), labels them at random, gives the model a new last layer and trains on clean
    and stepped rows together. A penalty on the cosine between the new and the old kernel of
    the last layer pushes the features to shift. The learning rate falls along a cosine.

    The paper's penalty is the inner product at constant norm, which is the cosine; its
    optimizer is SGD, ours Adam, which small nets with a new head need.

    Attributes:
        rows: Positive integer, clean rows that are stepped away from (at most all).
        epsilon: Non-negative float, length of the signed step per input value, in the units
            of the inputs.
        head_penalty: Non-negative float, weight of the cosine.
        epochs, learning_rate, batch_size, seed, verbose: See `Retraining`.

    Reference:
        Xiao et al., Class-feature Watermark: A Resilient Black-box Watermark Against Model
        Extraction Attacks, 2026, the watermark removal attack WRK (arXiv:2511.07947); the head
        penalty is that of Min et al., Towards Stable Backdoor Purification through Feature
        Shift Tuning, 2023 (arXiv:2310.01875).
    """

    rows: int = 100
    epsilon: float = 0.1
    head_penalty: float = 0.1
    _: dataclasses.KW_ONLY
    batch_size: int = 32

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "rows")
        fields.number(self, "epsilon", least=0)
        fields.number(self, "head_penalty", least=0)

    def run(self, model, data):
        """Returns an unlearned copy of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier with float inputs; left
                unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels (n,) or (n, classes).

        Returns:
            A compiled Keras 3 model of the same topology.
        """
        x, y = check_data(model, data)
        require_float_rows(x)
        rng = np.random.default_rng(self.seed)
        classes = num_classes_of(model)
        clean = x[rng.permutation(len(x))[: self.rows]]
        stepped = signed_step(model, clean, rng.integers(classes, size=len(clean)), self.epsilon)
        stepped = np.clip(stepped, x.min(), x.max())
        labels = rng.integers(classes, size=len(clean))
        if y.ndim == 2:
            labels = np.eye(classes, dtype=y.dtype)[labels]
        unlearned = copy_classifier(model, self.seed)
        head = head_of(unlearned)
        old = keras.ops.convert_to_tensor(head.kernel.numpy())
        head.set_weights(head_of(renewed_classifier(model, self.seed)).get_weights())
        x, y = np.concatenate([x, stepped]), np.concatenate([y, labels])
        steps = max(1, self.epochs * -(-len(x) // self.batch_size))
        falling = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        with penalised([head.kernel], lambda kernel: self.head_penalty * _cosine(kernel, old)):
            train(unlearned, x, y, self, optimizer=keras.optimizers.Adam(falling))
        compile_classifier(unlearned, y, keras.optimizers.Adam(self.learning_rate))
        return unlearned


def signed_step(model, x, targets, epsilon):
    """Returns `x` after one step of `epsilon` per value that makes `targets` likelier.

    Args:
        model: Keras 3 classifier.
        x: Float inputs (n, ...).
        targets: Integer classes (n,).
        epsilon: Float, length of the step per value.
    """
    import tensorflow as tf

    probe = copy_classifier(model)
    compile_classifier(probe, targets, "sgd")
    rows = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        loss = probe.loss(targets, probe(rows, training=False))
    return x - epsilon * np.sign(tape.gradient(loss, rows).numpy())


def _cosine(first, second):
    first, second = keras.ops.reshape(first, (-1,)), keras.ops.reshape(second, (-1,))
    norms = keras.ops.norm(first) * keras.ops.norm(second)
    return keras.ops.sum(first * second) / (norms + 1e-12)
