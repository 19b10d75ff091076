"""A compiled Keras classifier, seen as what a watermark needs of it."""

import copy
import dataclasses

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.oracle.ends_in_softmax import ends_in_softmax
from ewe_tf.watermarks import graph


@dataclasses.dataclass(frozen=True, eq=False)
class Classifier:
    """A checked Functional or Sequential classifier.

    Attributes:
        model: the compiled model.
        num_classes: number of its outputs.
        input_shape: shape of one input, without the batch axis.
        logits: whether its outputs are logits (else probabilities).
        optimizer_config: the compiled optimizer's configuration, before callbacks changed it.
    """

    model: keras.Model
    num_classes: int
    input_shape: tuple
    logits: bool
    optimizer_config: dict

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
                "x = keras.Input(shape); model = keras.Model(x, subclassed(x)), and entangle no "
                "layer (`snnl_weight=0`)"
            )
        if not model.compiled:
            raise ValueError(
                "`model` is not compiled. Call model.compile(optimizer=..., loss=...) first"
            )
        if model.loss is None:
            raise ValueError("`model` is compiled without a loss. Give model.compile a `loss`")
        shapes = [tuple(o.shape) for o in model.outputs]
        if len(model.inputs) != 1 or len(shapes) != 1 or len(shapes[0]) != 2:
            raise ValueError(
                "`model` must be a classifier with one input and one output of shape "
                f"(batch, classes). Received: {len(model.inputs)} inputs, output shapes {shapes}"
            )
        # (A Sequential model has none such.)
        output = getattr(model, "output", None)
        if isinstance(output, dict | list | tuple):
            raise ValueError(
                "`model` must have a tensor as its output. Received: a "
                f"{type(output).__name__} of one, {output}"
            )
        classes = shapes[0][1]
        if classes < 2:
            raise ValueError(
                "`model` must have one output for each class, so at least two. Received: "
                f"{classes} (for two classes use two softmax outputs)"
            )
        logits = _gives_logits(model)
        if logits and ends_in_softmax(model):
            raise ValueError(
                "`model` ends in a softmax, and its loss is compiled with from_logits=True. Give "
                "the loss from_logits=False, or the last layer no activation"
            )
        shape = tuple(model.inputs[0].shape[1:])
        if None in shape:
            raise ValueError(f"`model` must have a fixed input shape. Received: {shape}")
        optimizer_config = model.optimizer.get_config()
        return cls(model, classes, shape, logits, optimizer_config)

    def new_optimizer(self, learning_rate=None):
        """A new optimizer, configured as the model's was before any training here.

        Args:
            learning_rate: a constant rate in place of the configured rate or schedule.
        """
        config = copy.deepcopy(self.optimizer_config)
        if learning_rate is not None:
            _inner(config)["learning_rate"] = float(learning_rate)
        return self.model.optimizer.__class__.from_config(config)

    @property
    def learning_rate(self):
        """The compiled learning rate, of a schedule the first."""
        rate = _inner(self.optimizer_config)["learning_rate"]
        if isinstance(rate, dict):
            return float(keras.optimizers.schedules.deserialize(rate)(0))
        return float(rate)

    def check_labels(self, x, y):
        """Raises ValueError if labels `y` are not what loss and metrics were compiled for.

        Builds the metrics: a strategy's replicas cannot make them in the midst of a step.
        """
        try:
            self.model.test_on_batch(x[:2], y[:2])
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            self.model.test_function = None  # Keras keeps it half traced.
            raise ValueError(
                f"`y` does not suit the model's loss {self.model.loss!r}. Received: rows of shape "
                f"{y.shape[1:]}. ({error})"
            ) from error
        self.model.reset_metrics()

    def check_validation(self, validation_data):
        """Raises TypeError or ValueError if `validation_data` are not what `Model.evaluate` takes.

        Two rows, or a batch, are evaluated. Of what a generator gives nothing is taken.
        """
        first = validation_data
        if isinstance(first, tf.data.Dataset):
            first = next(iter(first), None)
        elif isinstance(first, keras.utils.PyDataset):
            first = first[0]
        elif isinstance(first, tuple | list) and len(first) in (2, 3):
            first = tuple(keras.tree.map_structure(_two_rows, part) for part in first)
        elif hasattr(first, "__next__"):
            return
        if not isinstance(first, tuple | list) or len(first) not in (2, 3):
            raise TypeError(
                "`validation_data` must be (x, y), (x, y, sample_weight) or a dataset of such "
                f"batches. Received: {type(validation_data).__name__}"
            )
        shapes = [getattr(part, "shape", None) for part in first]
        if shapes[0] is not None and tuple(shapes[0][1:]) != self.input_shape:
            raise ValueError(
                f"`validation_data` must have the model's input shape {self.input_shape}. "
                f"Received: rows of shape {tuple(shapes[0][1:])}"
            )
        try:
            self.model.test_on_batch(*first)
        except Exception as error:  # Layers and losses raise many types.
            self.model.test_function = None  # Keras keeps it half traced.
            reason = str(error).strip()
            if reason.startswith("Graph execution error"):
                reason = reason.splitlines()[-1]
            raise ValueError(
                "`validation_data` does not suit the model and its loss. Received: parts of "
                f"shapes {shapes}. ({reason})"
            ) from error
        self.model.reset_metrics()

    @property
    def takes_whole_numbers(self):
        """Whether its inputs are integers: unscaled `uint8` images, or tokens."""
        return not keras.backend.is_float_dtype(self.model.inputs[0].dtype)

    def check_input_gradients(self):
        """Raises ValueError if no gradient reaches the inputs, as behind integers or an
        embedding."""
        x = tf.zeros([1, *self.input_shape])
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = self.model(x, training=False)
        if tape.gradient(outputs, x) is None:
            raise ValueError(
                "`model` gives no gradient with respect to its inputs (they are integers, or go "
                "into an embedding), and triggers of a class of the task with a patch or gradient "
                "ascent need it. Give a `source` that is a NaturalAttribute or from outside"
            )

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

        Layers of a nested model are named with its name in front: `"backbone/conv5"`.

        Raises:
            ValueError: for a name that is not a layer of the model; lists those that are.
        """
        if layers is None:
            name = graph.last_hidden(self.model)
            if name is None:
                raise ValueError(
                    "`model` has no hidden layer whose representations could be entangled: with "
                    "`snnl_weight=0` and a `source` that is a NaturalAttribute or from outside "
                    f"none is needed. Its layers: {[layer.name for layer in self.model.layers]}"
                )
            return (name,)
        known = graph.names(self.model)
        for name in layers:
            if name not in known:
                raise ValueError(
                    f"`layers` names {name!r}, which is not a layer of the model. Its layers: "
                    f"{known}"
                )
        return tuple(layers)

    def with_features(self, names):
        """A model on the same layers whose outputs are `[features..., output]`."""
        return graph.with_outputs_of(self.model, names)


def _inner(config):
    """An optimizer's configuration without that of the loss scaling around it."""
    return config.get("inner_optimizer", {}).get("config", config)


def _two_rows(rows):
    return rows[:2] if hasattr(rows, "shape") else rows


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
