"""What a removal attack has to know of a classifier: how to copy it, its layers, its head."""

import keras
import numpy as np

from ewe_tf.oracle.ends_in_softmax import ends_in_softmax
from ewe_tf.oracle.output_activation import output_activation


def require_graph(model):
    """Raises unless `model` is a built Functional or Sequential Keras model."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a Keras 3 model (keras.Model). "
            f"Received: model={model!r} of type {type(model).__module__}.{type(model).__name__}"
        )
    if not isinstance(model, keras.Sequential) and not hasattr(model, "_nodes_by_depth"):
        raise TypeError(
            "`model` must be a Functional or Sequential model: the layers of a subclassed "
            f"model cannot be walked. Received: model={model.name!r} of type "
            f"{type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            f"`model` must be built (its input shape known). Received: model={model.name!r}, "
            "which has no input shape. Add a `keras.Input` or call it once."
        )


def copy_classifier(model, seed=0):
    """Returns a copy of `model` with the same weights, not compiled.

    Args:
        model: A built Functional or Sequential Keras 3 model. It is left unchanged.
        seed: Integer from which the seeds of the copy's random layers (dropout, noise,
            augmentation) are drawn, so that training the copy can be repeated.

    Returns:
        A model of the same class, topology, layer names and weights.
    """
    copy = renewed_classifier(model, seed)
    copy.set_weights(model.get_weights())
    return copy


def renewed_classifier(model, seed):
    """Returns a model of the same topology with new initial weights drawn from `seed`."""
    rng = np.random.default_rng(seed)
    return rebuilt_classifier(model, lambda config: reseeded(config, rng))


def rebuilt_classifier(model, change):
    """Returns a model of the same topology whose layers come from changed configs.

    Args:
        model: A built Functional or Sequential Keras 3 model. It is left unchanged.
        change: Function from a layer's config to the config of the layer in its place.

    Returns:
        A model with new weights, where the layers that were frozen are frozen.
    """
    require_graph(model)
    copy = keras.models.clone_model(
        model,
        clone_function=lambda layer: layer.__class__.from_config(change(layer.get_config())),
        recursive=True,
    )
    for original, layer in zip(leaf_layers(model), leaf_layers(copy), strict=True):
        layer.trainable = original.trainable
    return copy


def reseeded(config, rng):
    """Returns a copy of a layer's config where every `seed` is an integer drawn from `rng`."""
    if isinstance(config, dict):
        return {
            key: int(rng.integers(2**31 - 1)) if key == "seed" else reseeded(value, rng)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(reseeded(value, rng) for value in config)
    return config


def leaf_layers(model):
    """Returns the layers of `model` in order, those of nested models in their place."""
    leaves = []
    for layer in model.layers:
        leaves.extend(leaf_layers(layer) if isinstance(layer, keras.Model) else [layer])
    return leaves


def head_of(model):
    """Returns the last layer that has weights: the one that makes the class scores."""
    for layer in reversed(leaf_layers(model)):
        if layer.weights:
            return layer
    raise ValueError(f"`model` has no layer with weights. Received: model={model.name!r}")


def feature_model(model):
    """Returns a model from the inputs of `model` to its penultimate features.

    The features are what the last layer with weights receives, flattened by nobody: their
    shape is that layer's input shape. The returned model shares its weights with `model`.
    """
    require_graph(model)
    head = head_of(model)
    if head not in model.layers:
        raise ValueError(
            "The penultimate features need a model whose last weighted layer is not inside a "
            f"nested model. Received: model={model.name!r} with last layer {head.name!r}"
        )
    return keras.Model(model.inputs[0], head.input)


def answers_probabilities(model):
    """Tells whether `model` ends in a softmax (or sigmoid); otherwise it answers logits."""
    return output_activation(model) == "sigmoid" or ends_in_softmax(model)


def num_classes_of(model):
    """Returns the size of the last axis of the model's output."""
    return int(model.output_shape[-1])


def compile_classifier(model, y, optimizer):
    """Compiles `model` for labels like `y`: integers (n,) or probabilities (n, classes)."""
    logits = not answers_probabilities(model)
    if np.ndim(y) == 1:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    else:
        loss = keras.losses.CategoricalCrossentropy(from_logits=logits)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])


def check_data(model, data):
    """Returns `data` as arrays after checking that they fit `model`.

    Args:
        model: A built Functional or Sequential Keras 3 classifier.
        data: Pair (x, y): inputs (n, ...) and labels, integers (n,) or rows of class
            probabilities (n, classes).

    Returns:
        x as float32 (integer inputs, such as tokens, keep their dtype) and y as int64 or
        float32.

    Raises:
        ValueError: If the shapes do not fit each other or the model, a value is not finite, or
            a label is no class.
    """
    require_graph(model)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            "`model` must be a classifier with one input and one output. "
            f"Received: {len(model.inputs)} inputs and {len(model.outputs)} outputs"
        )
    x, y = check_rows(data)
    expected = model.input_shape[1:]
    if len(expected) != x.ndim - 1 or any(
        want is not None and want != got for want, got in zip(expected, x.shape[1:], strict=True)
    ):
        raise ValueError(
            f"`data` must hold rows of shape {expected}, as the model takes them. "
            f"Received: x.shape={x.shape}"
        )
    classes = num_classes_of(model)
    if y.ndim == 1 and not 0 <= y.min() <= y.max() < classes:
        raise ValueError(
            f"`data` must hold labels in 0..{classes - 1}, the classes of the model. "
            f"Received: labels from {y.min()} to {y.max()}"
        )
    if y.ndim == 2 and y.shape[1] != classes:
        raise ValueError(
            f"`data` must hold labels (n,) or (n, {classes}). Received: y.shape={y.shape}"
        )
    return x, y


def check_rows(data):
    """Returns `data` = (x, y) as finite arrays of one length, without looking at any model."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(
            f"`data` must be a pair (x, y) of arrays. Received: data of type {type(data)}"
        )
    x, y = np.asarray(data[0]), np.asarray(data[1])
    if len(x) == 0 or len(x) != len(y) or y.ndim not in (1, 2):
        raise ValueError(
            "`data` must be a pair (x, y) of arrays of one length, not empty, with labels (n,) "
            f"or (n, classes). Received: x.shape={x.shape}, y.shape={y.shape}"
        )
    if not np.issubdtype(x.dtype, np.integer):
        x = x.astype("float32")
        finite = np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
        if not finite.all():
            raise ValueError(
                "`data` must hold finite rows x. "
                f"Received: {np.sum(~finite)} rows with NaN or infinity"
            )
    with np.errstate(invalid="ignore"):
        labels = y.astype("int64" if y.ndim == 1 else "float32")
    if y.ndim == 1 and not np.array_equal(y, labels):
        raise ValueError(
            "`data` must hold integer labels where they are (n,). "
            f"Received: y of dtype {y.dtype} with {np.sum(y != labels)} that are not whole"
        )
    if not np.all(np.isfinite(labels)):
        raise ValueError("`data` must hold finite labels. Received: y with NaN or infinity")
    return x, labels


def require_float_rows(x):
    """Raises `ValueError` if the rows are integers (tokens), which have no gradient."""
    if np.issubdtype(x.dtype, np.integer):
        raise ValueError(
            "This attack changes the values of the inputs and needs floating rows. "
            f"Received: x of dtype {x.dtype}"
        )
