"""The bridge from Keras 3 to `tf_keras`, where the model-optimization toolkit lives.

The toolkit knows only `tf_keras` (Keras 2) models. `to_tf_keras` walks the graph of a Keras 3
model, makes for every layer the layer of the same class of `tf_keras`, copies the weights and
checks that both models answer the same; `bring_weights_back` returns the weights after the
toolkit has changed them. The models need not be known in advance: there is no builder to
repeat, and a layer that has no twin is named in the error.
"""

import dataclasses
import inspect

import keras
import numpy as np

from ewe_tf.removal.classifier import leaf_layers
from ewe_tf.removal.classifier import require_graph
from ewe_tf.removal.classifier import reseeded

_INITIAL_VALUES = ("_initializer", "_regularizer", "_constraint")
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}


class UnsupportedLayerError(ValueError):
    """A layer of the model has no twin in `tf_keras`; the message names it."""


@dataclasses.dataclass(frozen=True)
class Twin:
    """A `tf_keras` model and the layer that each of its layers was made from.

    Attributes:
        model: Functional `tf_keras.Model`; nested models are laid out flat in it.
        layers: Dictionary from the index of a leaf layer of the Keras 3 model (its place in
            `ewe_tf.removal.classifier.leaf_layers`) to the name of its twin in `model`.
    """

    model: object
    layers: dict


def to_tf_keras(model, tolerance=1e-5, seed=0):
    """Rebuilds a Keras 3 model in `tf_keras`, with the same weights and the same answers.

    Args:
        model: A built Functional or Sequential Keras 3 model, nested models included. It is
            left unchanged.
        tolerance: Float, largest difference allowed between the answers of the two models to
            the same random rows, relative to the largest answer when that exceeds one.
        seed: Integer from which those rows and the seeds of the twin's random layers (dropout)
            are drawn.

    Returns:
        A `Twin`.

    Raises:
        UnsupportedLayerError: If a layer or operation has no twin in `tf_keras`.
        ValueError: If the answers differ by more than `tolerance`.
    """
    import tf_keras

    require_graph(model)
    leaves = {id(layer): index for index, layer in enumerate(leaf_layers(model))}
    rng = np.random.default_rng(seed)
    twins = {}
    names = set()

    def twin_call(operation):
        if isinstance(operation, keras.Model):
            graph = _graph_of(operation)
            return lambda inputs, **kwargs: graph._run_through_graph(inputs, twin_call)
        if id(operation) not in twins:
            twins[id(operation)] = _twin_of(operation, _free_name(operation.name, names), rng)
        layer = twins[id(operation)]

        def call(*args, **kwargs):
            # What was recorded of `training` has no say in Keras 3; in tf_keras it would have.
            kwargs = {k: v for k, v in kwargs.items() if v is not None and k != "training"}
            try:
                return layer(*args, **kwargs)
            except (TypeError, ValueError, AttributeError) as error:
                raise UnsupportedLayerError(
                    f"Layer {operation.name!r} ({type(operation).__name__}) cannot be "
                    f"called in tf_keras as it is in the model: {error}"
                ) from error

        return call

    graph = _graph_of(model)
    inputs = []
    for tensor in graph.inputs:
        name = _free_name(tensor.name.split(":")[0], names)
        inputs.append(tf_keras.Input(batch_shape=tensor.shape, dtype=str(tensor.dtype), name=name))
    outputs = graph._run_through_graph(inputs, twin_call)
    twin = tf_keras.Model(inputs, outputs, name=model.name)
    layers = {index: twins[key].name for key, index in leaves.items() if key in twins}
    for index, layer in enumerate(leaf_layers(model)):
        if index in layers:
            _copy_weights(layer, twin.get_layer(layers[index]))
    _check_same_answers(model, twin, tolerance, rng)
    return Twin(twin, layers)


def bring_weights_back(twin, changed, model):
    """Copies the weights of a changed `tf_keras` model into a Keras 3 model.

    Args:
        twin: The `Twin` of `model`.
        changed: `tf_keras` model that `twin.model` became: trained, pruned, stripped of its
            wrappers. Its layers have the names that they have in `twin.model`.
        model: The Keras 3 model to receive the weights, in place: the one that the twin was
            made from or a copy of it.

    Returns:
        `model`.
    """
    leaves = leaf_layers(model)
    for index, name in twin.layers.items():
        leaves[index].set_weights(changed.get_layer(name).get_weights())
    return model


def _graph_of(model):
    """Returns the Functional graph behind a model: a Sequential one keeps it inside."""
    if isinstance(model, keras.Sequential):
        model = model._functional
    if not hasattr(model, "_nodes_by_depth"):
        raise UnsupportedLayerError(
            f"Nested model {model.name!r} ({type(model).__name__}) is subclassed: only "
            "Functional and Sequential models can be walked."
        )
    return model


def _free_name(name, names):
    """Returns `name`, or `name_1`, ... when a nested model already used it."""
    free, number = name, 0
    while free in names:
        number += 1
        free = f"{name}_{number}"
    names.add(free)
    return free


def _twin_of(layer, name, rng):
    """Makes the `tf_keras` layer of the same class from the config of a Keras 3 layer."""
    import tf_keras

    kind = type(layer).__name__
    twin_class = getattr(tf_keras.layers, kind, None)
    own = type(layer).__module__.split(".")[0] == "keras"
    if not isinstance(layer, keras.Layer) or not own or twin_class is None:
        raise UnsupportedLayerError(
            f"Layer {layer.name!r} ({type(layer).__module__}.{kind}) has no twin in tf_keras, "
            "so the model-optimization toolkit cannot work on this model. Supported are the "
            "layers that Keras 3 and tf_keras both have under the same name, Lambda excepted."
        )
    if kind == "Lambda":
        raise UnsupportedLayerError(
            f"Layer {layer.name!r} (Lambda) wraps a Python function: no twin in tf_keras. "
            "Use a Keras layer in its place."
        )
    accepted = _accepted_arguments(twin_class)
    config = {}
    for key, value in reseeded(layer.get_config(), rng).items():
        key = _RENAMED.get((kind, key), key)
        if key in accepted and not key.endswith(_INITIAL_VALUES):
            config[key] = _twin_value(value, rng)
    config["name"] = name
    try:
        return twin_class(**config)
    except (TypeError, ValueError) as error:
        raise UnsupportedLayerError(
            f"Layer {layer.name!r} ({kind}) cannot be rebuilt in tf_keras: {error}"
        ) from error


def _accepted_arguments(layer_class):
    """Returns the constructor arguments that a `tf_keras` layer class takes."""
    accepted = {"name", "dtype", "trainable"}
    for base in layer_class.__mro__:
        if base.__name__ == "Layer":
            break
        parameters = inspect.signature(base.__init__).parameters
        accepted.update(parameters)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    return accepted - {"self", "args", "kwargs"}


def _twin_value(value, rng):
    """Translates one entry of a config: inner layers become twins, policies their names."""
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        if "DTypePolicy" in value["class_name"]:
            return value["config"]["name"]
        inner = keras.saving.deserialize_keras_object(value)
        if isinstance(inner, keras.Layer):
            return _twin_of(inner, inner.name, rng)
        raise ValueError(f"no counterpart for {value['class_name']!r}")
    if isinstance(value, keras.DTypePolicy):
        return value.name
    if isinstance(value, list):
        return [_twin_value(item, rng) for item in value]
    return value


def _copy_weights(layer, twin):
    weights = layer.get_weights()
    if [w.shape for w in weights] != [w.shape for w in twin.get_weights()]:
        raise UnsupportedLayerError(
            f"Layer {layer.name!r} ({type(layer).__name__}) keeps weights of shapes "
            f"{[w.shape for w in weights]}, its tf_keras twin of shapes "
            f"{[w.shape for w in twin.get_weights()]}."
        )
    twin.set_weights(weights)


def _check_same_answers(model, twin, tolerance, rng):
    rows = [_random_rows(tensor, rng) for tensor in model.inputs]
    first = np.asarray(model(rows[0] if len(rows) == 1 else rows, training=False))
    second = np.asarray(twin(rows[0] if len(rows) == 1 else rows, training=False))
    difference = float(np.max(np.abs(first - second)))
    if not difference <= tolerance * max(1.0, float(np.max(np.abs(first)))):
        raise ValueError(
            f"The tf_keras twin of {model.name!r} answers differently: largest difference "
            f"{difference:.3g} on {len(first)} random rows, tolerance {tolerance:.3g}."
        )


def _random_rows(tensor, rng, rows=8):
    shape = [rows if size is None else size for size in tensor.shape]
    if "int" in str(tensor.dtype):
        return rng.integers(0, 2, size=shape).astype(str(tensor.dtype))
    return rng.uniform(0.0, 1.0, size=shape).astype("float32")
