"""Transfer learning: the stolen model gets a new head for another task."""

import dataclasses

import keras

from ewe_tf import fields
from ewe_tf.removal.classifier import check_rows
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.classifier import feature_model
from ewe_tf.removal.classifier import head_of
from ewe_tf.removal.fine_tuning import only_head_trainable
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.training import train


@dataclasses.dataclass(frozen=True)
class TransferLearning(Retraining):
    """Replaces the last layer by one for other classes and trains on that other task.

    Owners who want to look for their mark put the original head back: `with_original_head`.

    Attributes:
        num_classes: Integer of at least 2, classes of the new task; `None`: as many as the
            labels show.
        layers: `"all"` or `"last"`, the layers that are trained.
        epochs, learning_rate, batch_size, seed, verbose: See `Retraining`.

    Reference:
        Adi et al., Turning Your Weakness Into a Strength, 2018, where the mark is looked
        for under the original head (arXiv:1802.04633).
    """

    num_classes: int | None = None
    layers: str = "all"

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "num_classes", least=2, optional=True)
        fields.choice(self, "layers", ("all", "last"))

    def run(self, model, data):
        """Returns a model for the new task, with the body of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y) of the new task: inputs (n, ...) of the shape that the model
                takes and labels (n,) or (n, num_classes).

        Returns:
            A compiled Keras 3 model that answers probabilities (rows, num_classes).

        Raises:
            ValueError: If a label is no class of the new task.
        """
        x, y = check_rows(data)
        found = int(y.max()) + 1 if y.ndim == 1 else y.shape[1]
        classes = self.num_classes or max(2, found)
        if found > classes or (y.ndim == 2 and found != classes) or y.min() < 0:
            raise ValueError(
                f"`data` must hold labels of {classes} classes (`num_classes`). "
                f"Received: labels of {found} classes, smallest {y.min()}"
            )
        body = feature_model(copy_classifier(model, self.seed))
        head = keras.layers.Dense(
            classes,
            activation="softmax",
            kernel_initializer=keras.initializers.GlorotUniform(seed=self.seed),
            name="transferred_scores",
        )
        transferred = keras.Model(body.inputs[0], head(body.output))
        if self.layers == "all":
            return train(transferred, x, y, self)
        with only_head_trainable(transferred):
            train(transferred, x, y, self)
        return train(transferred, x, y, self, epochs=0)


def with_original_head(transferred, model):
    """Puts the head of `model` on the body of a model transferred from it.

    This is how Adi et al. look for a mark after transfer learning: the classes of the marked
    task exist again.

    Args:
        transferred: The Keras 3 model that `TransferLearning` made from `model`.
        model: The Keras 3 model whose last layer is to be used.

    Returns:
        A compiled Keras 3 model of the topology of `model`; both arguments stay unchanged.
    """
    restored = copy_classifier(model)
    head = head_of(restored)
    for layer in transferred.layers[:-1]:
        if layer.weights and layer.name != head.name:
            restored.get_layer(layer.name).set_weights(layer.get_weights())
    compile_classifier(restored, [0], keras.optimizers.Adam())
    return restored
