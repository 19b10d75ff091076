"""Quantization-aware training with the model-optimization toolkit."""

import dataclasses

import keras

from ewe_tf import fields
from ewe_tf.removal.bridge import UnsupportedLayerError
from ewe_tf.removal.bridge import to_tf_keras
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.classifier import leaf_layers
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.toolkit import import_toolkit
from ewe_tf.removal.toolkit import train_twin


@dataclasses.dataclass(frozen=True)
class QuantizationAwareTraining(Retraining):
    """Trains the model while its weights and activations are rounded to 8 bits.

    The toolkit's `quantize_model` does it, on the model's `tf_keras` twin. The result is a
    plain Keras 3 model whose kernels lie on the 8-bit grid that was trained (at most 255
    values a kernel, or a channel of a convolution); the activations are computed in float32
    again. `PostTrainingInt8` after it gives the file that runs in integers.

    Attributes:
        epochs: Positive integer: the ranges of the grid are learned while training.
        learning_rate, batch_size, seed, verbose: See `Retraining`.

    Reference:
        Jacob et al., Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference, 2018, Section 3 (arXiv:1712.05877).
    """

    _: dataclasses.KW_ONLY
    epochs: int = 2
    learning_rate: float = 1e-4

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "epochs")

    def run(self, model, data):
        """Returns a copy of `model` trained for 8-bit weights, and rounded to them.

        Args:
            model: Built Functional or Sequential Keras 3 classifier with float inputs; left
                unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels (n,) or (n, classes).

        Returns:
            A compiled Keras 3 model of the same topology.

        Raises:
            UnsupportedLayerError: If a layer cannot be rebuilt in `tf_keras`, or not be
                quantized by the toolkit (recurrent layers, for instance).
            ValueError: If the model takes integers.
        """
        x, y = check_data(model, data)
        dtype = keras.backend.standardize_dtype(model.inputs[0].dtype)
        if not keras.backend.is_float_dtype(dtype):
            raise ValueError(
                "`model` must take float inputs, which the toolkit quantizes with the rest. "
                f"Received: model={model.name!r} with inputs of dtype {dtype}"
            )
        quantization = import_toolkit().quantization.keras
        twin = to_tf_keras(model, seed=self.seed)
        try:
            quantized = quantization.quantize_model(twin.model)
        except (RuntimeError, ValueError) as error:
            raise UnsupportedLayerError(
                f"The toolkit cannot quantize model {model.name!r}: {error}"
            ) from error
        train_twin(quantized, model, x, y, self)
        result = copy_classifier(model, self.seed)
        leaves = leaf_layers(result)
        for index, name in twin.layers.items():
            names = [w.name for w in twin.model.get_layer(name).weights]
            if names:
                leaves[index].set_weights(_rounded_weights(quantized, name, names))
        compile_classifier(result, y, keras.optimizers.Adam(self.learning_rate))
        return result


def _rounded_weights(quantized, name, weight_names):
    """Returns the weights of the layer called `name`, each rounded as the toolkit runs it."""
    names = {layer.name: layer for layer in quantized.layers}
    wrapper = names.get(f"quant_{name}", names.get(name))
    if wrapper is None:
        raise UnsupportedLayerError(
            f"Layer {name!r} is replaced by other layers when the toolkit quantizes it: its "
            "weights cannot be brought back."
        )
    values = {_short(w.name): w.numpy() for w in wrapper.weights}
    for weight, quantizer, variables in getattr(wrapper, "_weight_vars", ()):
        rounded = quantizer(weight, training=False, weights=variables)
        values[_short(weight.name)] = rounded.numpy()
    return [values[_short(weight_name)] for weight_name in weight_names]


def _short(name):
    return name.split(":")[0].split("/")[-1]
