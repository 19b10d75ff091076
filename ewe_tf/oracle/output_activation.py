"""Finds out what a Keras classifier's output means, from its last layer."""

import keras


def output_activation(model):
    """Name of the activation that makes a Keras model's output.

    Looks through nested models and wrappers that leave the values alone (`Reshape`, `Flatten`,
    `Dropout`, a `linear` `Activation`).

    Args:
        model: A built `keras.Model`.

    Returns:
        `"softmax"`, `"linear"`, `"sigmoid"` or another activation's name; None if the last
        layer does not tell, as in a subclassed model.
    """
    tensor = _single_output(model)
    while tensor is not None:
        layer, _, _ = tensor._keras_history
        if isinstance(layer, keras.Model):
            return output_activation(layer)
        if isinstance(layer, keras.layers.Softmax):
            return "softmax"
        name = _activation_name(layer)
        passes_on = isinstance(
            layer, keras.layers.Reshape | keras.layers.Flatten | keras.layers.Dropout
        )
        if passes_on or (isinstance(layer, keras.layers.Activation) and name == "linear"):
            tensor = _single_input(tensor)
            continue
        return name
    return None


def _activation_name(layer):
    activation = getattr(layer, "activation", None)
    if activation is None:
        return None
    return getattr(activation, "__name__", None) or type(activation).__name__.lower()


def _single_output(model):
    try:
        outputs = model.outputs
    except (AttributeError, ValueError):
        return None
    if not outputs or len(outputs) != 1:
        return None
    return outputs[0] if hasattr(outputs[0], "_keras_history") else None


def _single_input(tensor):
    """What the layer that made `tensor` was called on for it; it may have been called elsewhere."""
    layer, node, _ = tensor._keras_history
    inputs = layer._inbound_nodes[node].input_tensors
    return inputs[0] if len(inputs) == 1 else None
