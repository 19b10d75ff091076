"""A trained classifier whose answers are about to be changed, and the result."""

import dataclasses

import keras
import numpy as np

from ewe_tf.keys import Key
from ewe_tf.oracle.keras_model import check_classifier
from ewe_tf.oracle.keras_model import output_kind


@dataclasses.dataclass(frozen=True)
class Defended:
    """A model whose answers are defended.

    Attributes:
        model: a plain Functional Keras model from the inputs to the defended probabilities; it
            saves and exports like any other.
        key: what to keep secret; `None` for a defence without a mark.
        audit: a model from the inputs to what was decided about each label, for the owner's
            log; `None` for a defence that changes no label. It contains secrets: not to be
            served.
        client, epoch: whose answers, and of which time span; "" for the owner's.
    """

    model: keras.Model
    key: Key | None = None
    audit: keras.Model | None = None
    client: str = ""
    epoch: str = ""

    def log(self, queries, batch_size=512):
        """What the hard channel of `DynaMarks` answered this client.

        Args:
            queries: `(rows, ...)` what the client sent.
            batch_size: rows at a time.

        Returns:
            An `ewe_tf.keys.FlipKey`: the chosen queries with their coins. Save it, and ask a
            suspect with `ewe_tf.verify`.

        Raises:
            ValueError: for a defence without a hard channel.
        """
        from ewe_tf.watermarks.dynamarks_flips import flip_log

        return flip_log(self, queries, batch_size)


@dataclasses.dataclass(frozen=True, eq=False)
class Answering:
    """A checked classifier with its graph up to float32 probabilities.

    Attributes:
        model: the classifier.
        inputs: its input tensor.
        probabilities: symbolic `(batch, classes)` float32; a softmax is added to logits.
    """

    model: keras.Model
    inputs: object
    probabilities: object

    @classmethod
    def of(cls, model):
        """Checks `model` and extends its graph to probabilities.

        Raises:
            TypeError: if it is not a Keras model.
            ValueError: if it was never built, has several inputs or outputs, has an output
                that is not `(batch, classes)`, or ends in an activation that gives no
                distribution.
        """
        if not isinstance(model, keras.Model):
            raise TypeError(f"`model` must be a keras.Model. Received: {type(model).__name__}")
        check_classifier(model)
        if not model.inputs or not model.outputs:
            raise ValueError(
                f"`model` ({type(model).__name__}) must have a graph: wrap it, "
                "x = keras.Input(shape); model = keras.Model(x, subclassed(x))"
            )
        inputs, outputs = model.inputs[0], model.outputs[0]
        if len(outputs.shape) != 2 or outputs.shape[1] is None or outputs.shape[1] < 2:
            raise ValueError(
                "`model` must have an output of shape (batch, classes) with at least two "
                f"classes. Received: {outputs.shape}"
            )
        kind = output_kind(model)
        if kind not in ("probabilities", "logits"):
            raise ValueError(
                "`model` must end in a softmax or in logits (a layer with linear activation), "
                "so that its output's meaning is known"
            )
        if kind == "logits":
            outputs = keras.layers.Softmax(dtype="float32", name="probabilities_of")(outputs)
        return cls(model, inputs, outputs)

    @property
    def num_classes(self):
        return self.probabilities.shape[1]

    @property
    def input_shape(self):
        """Shape of one input, without the batch axis."""
        return tuple(self.inputs.shape[1:])

    def features(self, layer=None):
        """Symbolic `(batch, d)` output of a layer, flattened.

        Args:
            layer: its name; `None`: the layer that the last weighted one reads.

        Raises:
            ValueError: for a name that is not a layer, or a model without hidden layers.
        """
        output = self._hidden() if layer is None else self._output_of(layer)
        return output if len(output.shape) == 2 else keras.layers.Flatten()(output)

    def _output_of(self, name):
        layers = {layer.name: layer for layer in self.model.layers}
        if name not in layers:
            raise ValueError(
                f"`layer` names {name!r}, which is not a layer of the model. Its layers: "
                f"{list(layers)}"
            )
        return layers[name].output

    def _hidden(self):
        weighted = [layer for layer in self.model.layers if layer.weights]
        if len(weighted) < 2 or isinstance(weighted[-1], keras.Model):
            raise ValueError(
                "`layer` must name the layer whose output the carrier rides on: the model has no "
                f"hidden layer of its own. Its layers: {[x.name for x in self.model.layers]}"
            )
        return weighted[-1].input

    def evaluate(self, tensor, x, batch_size=512):
        """Values `(rows, ...)` float32 of a symbolic tensor of this graph for inputs `x`."""
        outputs = keras.Model(self.inputs, tensor).predict(x, batch_size=batch_size, verbose=0)
        return np.asarray(outputs, np.float32)
