"""The graph of layers behind a Functional or Sequential model, nested models included.

A layer of a nested model is named by its path: `"backbone/conv5"`. (Keras forbids "/" in names.)
"""

import keras


def names(model):
    """Names (paths) of all layers of `model` that have an output of their own."""
    found = []
    for layer in model.layers:
        found.append(layer.name)
        if _has_layers(layer):
            found += [f"{layer.name}/{name}" for name in names(layer)]
    return found


def last_hidden(model):
    """Name (path) of what the last weighted layer reads, dropout left out.

    Returns:
        The name, or `None` if nothing with weights comes before the last weighted layer.
    """
    tensor = model.outputs[0]
    while not _is_input(tensor):
        operation = _operation(tensor)
        if _has_layers(operation):
            inner = last_hidden(operation)
            if inner is not None:
                return f"{operation.name}/{inner}"
        tensor = _input(tensor)
        if getattr(operation, "weights", None):
            break
    while not _is_input(tensor) and isinstance(_operation(tensor), keras.layers.Dropout):
        tensor = _input(tensor)
    return _operation(tensor).name if _follows_weights(tensor) else None


def with_outputs_of(model, layers):
    """A model on the same layers whose outputs are `[outputs of layers..., output]`.

    Args:
        model: Functional or Sequential model.
        layers: names (paths) as in `names`.
    """
    found = {}
    if any("/" in name for name in layers):
        inputs = keras.Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype)
        output = _call(model, inputs, "", found)
    else:
        inputs, output = model.inputs[0], model.outputs[0]
        _collect(output, found)
    return keras.Model(inputs, [*(found[name] for name in layers), output])


def _call(model, inputs, prefix, found):
    """Calls the layers of `model` one by one, those of nested models too."""

    def operation_fn(operation):
        def run(*args, **kwargs):
            name = f"{prefix}{operation.name}"
            if _has_layers(operation):
                found[name] = _call(operation, args[0], f"{name}/", found)
            else:
                found[name] = operation(*args, **kwargs)
            return found[name]

        return run

    functional = getattr(model, "_functional", None) or model
    return keras.tree.flatten(functional._run_through_graph([inputs], operation_fn))[0]


def _collect(tensor, found):
    """Notes the output of every operation that `tensor` depends on; the last call's, if many."""
    waiting = [tensor]
    seen = set()
    while waiting:
        tensor = waiting.pop(0)
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found.setdefault(_operation(tensor).name, tensor)
            waiting += _inputs(tensor)


def _follows_weights(tensor):
    found = {}
    _collect(tensor, found)
    return any(getattr(_operation(t), "weights", None) for t in found.values())


def _has_layers(operation):
    """Whether a layer is a Functional or Sequential model with a graph of its own."""
    return isinstance(operation, keras.Model) and bool(getattr(operation, "outputs", None))


def _operation(tensor):
    return tensor._keras_history.operation


def _inputs(tensor):
    operation, node, _ = tensor._keras_history
    return operation._inbound_nodes[node].input_tensors


def _input(tensor):
    return _inputs(tensor)[0]


def _is_input(tensor):
    return not _inputs(tensor)
