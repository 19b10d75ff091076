"""Magnitude pruning with the model-optimization toolkit."""

import dataclasses

import keras

from ewe_tf import fields
from ewe_tf.removal.bridge import bring_weights_back
from ewe_tf.removal.bridge import to_tf_keras
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.toolkit import import_toolkit
from ewe_tf.removal.toolkit import train_twin
from ewe_tf.removal.toolkit import wrap_layers

_UPDATES = 20


@dataclasses.dataclass(frozen=True)
class MagnitudePruning(Retraining):
    """Sets the smallest weights of every layer to zero, then trains what is left.

    The toolkit's `prune_low_magnitude` does it, on the model's `tf_keras` twin: in each kernel
    (of dense, convolutional and recurrent layers, and embeddings; not biases) the given
    fraction of the weights that are smallest in absolute value becomes zero and stays so.
    Layers that the toolkit cannot prune are left alone and named in a warning.

    Attributes:
        sparsity: Float in [0, 1), fraction of the weights of each kernel that ends at zero.
        schedule: `"constant"`: all at the first step; `"polynomial"`: the sparsity grows from
            zero by Zhu and Gupta's cubic until three quarters of the training are over.
        epochs: Integer. With 0 the weights are pruned at once and nothing is trained
            (`schedule` has no say then).
        learning_rate, batch_size, seed, verbose: See `Retraining`.

    Example:
        ```python
        pruned = ewe_tf.removal.MagnitudePruning(0.6).run(surrogate, (x, y))
        ```

    Reference:
        - Zhu and Gupta, To prune, or not to prune, 2017, Section 3 (arXiv:1710.01878).
        - Uchida et al., Embedding Watermarks into Deep Neural Networks, 2017, for pruning as
          an attack on watermarks (arXiv:1701.04082).
    """

    sparsity: float = 0.6
    schedule: str = "constant"
    _: dataclasses.KW_ONLY
    epochs: int = 2

    def __post_init__(self):
        super().__post_init__()
        fields.number(self, "sparsity", least=0, below=1)
        fields.choice(self, "schedule", ("constant", "polynomial"))

    def run(self, model, data):
        """Returns a pruned copy of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels (n,) or (n, classes).

        Returns:
            A compiled Keras 3 model of the same topology.

        Raises:
            UnsupportedLayerError: If a layer cannot be rebuilt in `tf_keras`.
        """
        x, y = check_data(model, data)
        sparsity = import_toolkit().sparsity.keras
        twin = to_tf_keras(model, seed=self.seed)
        schedule = self._schedule(sparsity, -(-len(x) // self.batch_size))
        pruned = wrap_layers(
            twin.model,
            lambda layer: sparsity.prune_low_magnitude(layer, pruning_schedule=schedule),
            _prunable,
            "pruned",
        )
        if self.epochs:
            train_twin(pruned, model, x, y, self, [sparsity.UpdatePruningStep()])
        else:
            _prune_once(pruned)
        result = copy_classifier(model, self.seed)
        bring_weights_back(twin, sparsity.strip_pruning(pruned), result)
        compile_classifier(result, y, keras.optimizers.Adam(self.learning_rate))
        return result

    def _schedule(self, sparsity, steps_per_epoch):
        steps = steps_per_epoch * self.epochs
        if self.schedule == "constant" or self.epochs == 0:
            return sparsity.ConstantSparsity(
                self.sparsity, begin_step=0, frequency=max(1, steps // _UPDATES)
            )
        every = max(1, steps * 3 // (4 * _UPDATES))
        end = max(1, steps * 3 // 4 // every) * every
        return sparsity.PolynomialDecay(
            0.0, self.sparsity, begin_step=0, end_step=end, frequency=every
        )


def _prunable(layer):
    from tensorflow_model_optimization.python.core.sparsity.keras import prune_registry

    return prune_registry.PruneRegistry.supports(layer)


def _prune_once(pruned):
    for layer in pruned.layers:
        if hasattr(layer, "pruning_obj"):
            layer.pruning_step.assign(0)
            layer.pruning_obj.conditional_mask_update()
            layer.pruning_obj.weight_mask_op()
