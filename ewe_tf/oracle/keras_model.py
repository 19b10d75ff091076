"""A Keras model behind the oracle, in memory or in a `.keras` file."""

import keras
import tensorflow as tf

from ewe_tf.oracle.black_box import BlackBox
from ewe_tf.oracle.output_activation import output_activation


class KerasModel(BlackBox):
    """Queries a Keras model in inference mode.

    The forward pass is compiled once for any number of rows; later changes of the weights are
    seen. Whether the output is logits is read off the last layer's activation (`"linear"`:
    logits, `"softmax"`: probabilities); where the last layer does not tell, off the values.

    Args:
        model: A built `keras.Model` with one input and one output.
        from_logits: Whether the output is logits; None: find out.

    Raises:
        ValueError: If the model was never built, or has several inputs or outputs.
    """

    def __init__(self, model, from_logits=None):
        check_classifier(model)
        self._model = model
        self.outputs = output_kind(model, from_logits)
        signature = input_signature(model)
        if signature is not None:
            self.input_shape = tuple(signature.shape[1:])
            self.input_dtype = signature.dtype.name
        self.num_classes = _num_classes(model)
        self._forward = tf.function(
            lambda x: model(x, training=False),
            input_signature=None if signature is None else [signature],
            autograph=False,
            reduce_retracing=True,
        )

    def forward(self, x):
        if self.input_dtype is not None:
            x = tf.cast(x, self.input_dtype)
        answers = self._forward(x)
        return tf.cast(answers, tf.float32).numpy()

    def __repr__(self):
        return f"KerasModel({self._model.name!r})"


def load(path, from_logits=None):
    """Opens a `.keras` file.

    Args:
        path: The file.
        from_logits: As for `KerasModel`.

    Returns:
        A `KerasModel`.

    Raises:
        ValueError: If Keras cannot read the file, with Keras' reason.
    """
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many types on a damaged file.
        raise ValueError(f"Keras cannot load {str(path)!r}: {error}") from error
    return KerasModel(model, from_logits)


def check_classifier(model):
    """Raises ValueError unless `model` is built and has one input and one output."""
    if not model.built or (not model.weights and not getattr(model, "inputs", None)):
        raise ValueError(
            f"The model {model.name!r} was never built, so it has no weights. Call it once on "
            "a batch of data, or build it with `model.build(input_shape)`"
        )
    inputs, outputs = _tensors(model, "inputs"), _tensors(model, "outputs")
    for what, tensors in (("input", inputs), ("output", outputs)):
        if tensors is not None and len(tensors) != 1:
            raise ValueError(
                f"The model {model.name!r} must have one {what}. Received: {len(tensors)} {what}s"
            )
    answer = getattr(model, "output", None)
    if isinstance(answer, dict):
        raise ValueError(
            f"The model {model.name!r} must answer with a tensor. Received: a dict with "
            f"{list(answer)}"
        )


def input_signature(model):
    """`tf.TensorSpec` of a Keras model's only input, batch axis free; None if unknown."""
    inputs = _tensors(model, "inputs")
    if inputs is None:
        return None
    shape = (None, *inputs[0].shape[1:])
    return tf.TensorSpec(shape, keras.backend.standardize_dtype(inputs[0].dtype))


def output_kind(model, from_logits=None):
    """`"probabilities"`, `"logits"`, `"scores"` or `"auto"` for a Keras classifier."""
    if from_logits is not None:
        return "logits" if from_logits else "probabilities"
    activation = output_activation(model)
    if activation is None:
        return "auto"
    return {"softmax": "probabilities", "linear": "logits", "log_softmax": "logits"}.get(
        activation, "scores"
    )


def _tensors(model, name):
    try:
        tensors = getattr(model, name)
    except (AttributeError, ValueError):
        return None
    return list(tensors) if tensors else None


def _num_classes(model):
    outputs = _tensors(model, "outputs")
    if outputs is None or len(outputs[0].shape) != 2:
        return None
    return outputs[0].shape[1]
