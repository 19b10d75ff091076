"""Fine-tuning in its four forms."""

import dataclasses

from ewe_tf import fields
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.classifier import head_of
from ewe_tf.removal.classifier import leaf_layers
from ewe_tf.removal.classifier import renewed_classifier
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.training import train


@dataclasses.dataclass(frozen=True)
class FineTuning(Retraining):
    """Trains the stolen model on with labelled data of the thief's own.

    The four forms of the literature:

    | form | `layers` | `new_head` |
    |---|---|---|
    | FTLL, fine-tune the last layer | `"last"` | `False` |
    | FTAL, fine-tune all layers | `"all"` | `False` |
    | RTLL, re-train the last layer | `"last"` | `True` |
    | RTAL, re-train all layers | `"all"` | `True` |

    With `"last"` everything below the last layer with weights is frozen, BatchNorm statistics
    included.

    Attributes:
        layers: `"all"` or `"last"`, the layers that are trained.
        new_head: Boolean, whether the last layer starts from new random weights.
        epochs, learning_rate, batch_size, seed, verbose: See `Retraining`. What decides over a
            mark's life is the learning rate; a new head needs more steps than an old one.

    Example:
        ```python
        tuned = ewe_tf.removal.FineTuning("all", learning_rate=5e-3).run(surrogate, (x, y))
        ```

    Reference:
        - Uchida et al., Embedding Watermarks into Deep Neural Networks, 2017
          (arXiv:1701.04082).
        - Adi et al., Turning Your Weakness Into a Strength, 2018, for the four forms
          (arXiv:1802.04633).
    """

    layers: str = "all"
    new_head: bool = False
    _: dataclasses.KW_ONLY
    epochs: int = 20

    def __post_init__(self):
        super().__post_init__()
        fields.choice(self, "layers", ("all", "last"))
        fields.instance(self, "new_head", bool, described="True or False")

    def run(self, model, data):
        """Returns a fine-tuned copy of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels (n,) or (n, classes).

        Returns:
            A compiled Keras 3 model of the same topology.
        """
        x, y = check_data(model, data)
        tuned = copy_classifier(model, self.seed)
        if self.new_head:
            head_of(tuned).set_weights(head_of(renewed_classifier(model, self.seed)).get_weights())
        if self.layers == "all":
            return train(tuned, x, y, self)
        with only_head_trainable(tuned):
            train(tuned, x, y, self)
        return train(tuned, x, y, self, epochs=0)


class only_head_trainable:
    """Context in which the last layer with weights is the only one that learns."""

    def __init__(self, model):
        head = head_of(model)
        self._frozen = [layer for layer in leaf_layers(model) if layer is not head]

    def __enter__(self):
        self._before = [layer.trainable for layer in self._frozen]
        for layer in self._frozen:
            layer.trainable = False

    def __exit__(self, *exception):
        for layer, trainable in zip(self._frozen, self._before, strict=True):
            layer.trainable = trainable
