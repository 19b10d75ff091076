"""A compiled Keras classifier, seen as what a watermark needs of it."""

import dataclasses

import keras
import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Classifier:
    """A checked Functional or Sequential classifier.

    Attributes:
        model: the compiled model.
        num_classes: number of its outputs.
        input_shape: shape of one input, without the batch axis.
        logits: whether its outputs are logits (else probabilities).
    """

    model: keras.Model
    num_classes: int
    input_shape: tuple
    logits: bool

    @classmethod
    def of(cls, model):
        """Checks `model`.

        Raises:
            TypeError: if it is not a Keras model.
            ValueError: if it is not compiled, not built, or no classifier with one input and
                one output row per input; the message says what to do.
        """
        if not isinstance(model, keras.Model):
            raise TypeError(f"`model` must be a keras.Model. Received: {type(model).__name__}")
        if isinstance(model, keras.Sequential) and not model.built:
            raise ValueError(
                "`model` was never built. Give it a keras.Input(shape) as its first layer, or "
                "call it once"
            )
        if not _has_graph(model):
            raise ValueError(
                f"`model` ({type(model).__name__}) must be a Functional or Sequential model. A "
                "subclassed model hides its layers' outputs: wrap it, "
                "x = keras.Input(shape); model = keras.Model(x, subclassed(x))"
            )
        if not model.compiled:
            raise ValueError(
                "`model` is not compiled. Call model.compile(optimizer=..., loss=...) first"
            )
        if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.output.shape) != 2:
            raise ValueError(
                "`model` must be a classifier with one input and one output of shape "
                f"(batch, classes). Received: {len(model.inputs)} inputs, output shapes "
                f"{[tuple(o.shape) for o in model.outputs]}"
            )
        if model.output.shape[-1] < 2:
            raise ValueError(
                "`model` must have one output for each class, so at least two. Received: "
                f"{model.output.shape[-1]} (for two classes use two softmax outputs)"
            )
        if model.inputs[0].shape[1:].count(None):
            raise ValueError(
                f"`model` must have a fixed input shape. Received: {model.inputs[0].shape[1:]}"
            )
        shape = tuple(model.inputs[0].shape[1:])
        return cls(model, model.output.shape[-1], shape, _gives_logits(model))

    def probabilities(self, x, batch_size=512):
        """Softmax probabilities `(n, classes)` float32 of inputs `(n, ...)`."""
        outputs = self.model.predict(np.asarray(x), batch_size=batch_size, verbose=0)
        outputs = np.asarray(outputs, np.float32)
        return np.asarray(keras.ops.softmax(outputs)) if self.logits else outputs

    def labels(self, x, batch_size=512):
        """Top-1 classes `(n,)` int64 of inputs `(n, ...)`."""
        return np.argmax(self.probabilities(x, batch_size), axis=1)

    def layer_names(self, layers=None):
        """Names of the layers to entangle: those given, or by default the last hidden one.

        Raises:
            ValueError: for a name that is not a layer of the model; lists those that are.
        """
        if layers is None:
            return (_last_hidden(self.model).name,)
        known = [layer.name for layer in self.model.layers]
        for name in layers:
            if name not in known:
                raise ValueError(
                    f"`layers` names {name!r}, which is not a layer of the model. Its layers: "
                    f"{known}"
                )
        return tuple(layers)

    def with_features(self, names):
        """A model on the same layers whose outputs are `[features..., output]`."""
        features = [self.model.get_layer(name).output for name in names]
        return keras.Model(self.model.inputs, [*features, self.model.output])


def _has_graph(model):
    try:
        return bool(model.inputs) and bool(model.outputs)
    except (AttributeError, ValueError):
        return False


def _gives_logits(model):
    loss = model.loss
    if hasattr(loss, "from_logits"):
        return bool(loss.from_logits)
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    if "from_logits" in config:
        return bool(config["from_logits"])
    return not ends_in_softmax(model)


def ends_in_softmax(model):
    """Whether the last layer (of nested models, the innermost last one) applies a softmax."""
    last = model.layers[-1]
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        return True
    return getattr(last, "activation", None) is keras.activations.softmax


def _last_hidden(model):
    """The layer whose output the last weighted layer reads, dropout left out."""
    layers = [x for x in model.layers if not isinstance(x, keras.layers.InputLayer)]
    weighted = [i for i, layer in enumerate(layers) if layer.weights]
    if not weighted or weighted[-1] == 0:
        raise ValueError(
            "`model` has no hidden layer whose representations could be entangled. Its layers: "
            f"{[layer.name for layer in layers]}"
        )
    head = layers[weighted[-1]]
    layer = head.input._keras_history.operation
    while isinstance(layer, keras.layers.Dropout):
        layer = layer.input._keras_history.operation
    return layer
