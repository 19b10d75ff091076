"""The TensorFlow Model Optimization Toolkit: importing it and training its models."""

import contextlib
import os
import warnings

from ewe_tf.removal.classifier import answers_probabilities
from ewe_tf.removal.training import shuffled_batches

_SWITCH = "TF_USE_LEGACY_KERAS"


@contextlib.contextmanager
def legacy_keras_kept_out():
    """Restores `TF_USE_LEGACY_KERAS` on leaving: importing the toolkit sets it."""
    before = os.environ.get(_SWITCH)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_SWITCH, None)
        else:
            os.environ[_SWITCH] = before


def import_toolkit():
    """Imports `tensorflow_model_optimization` and keeps its side effects out.

    The toolkit asks for Keras 2 through an environment variable, which would reach child
    processes, and would decide for good what `tf.keras` is in this one.

    Returns:
        The module. `tf_keras` is the Keras that its models must come from.
    """
    import tensorflow as tf

    str(tf.keras.__name__)  # Loaded lazily, once: now, while it still means Keras 3.
    with legacy_keras_kept_out():
        import tensorflow_model_optimization as toolkit
    return toolkit


def wrap_layers(twin_model, wrap, supports, what):
    """Returns a clone of a `tf_keras` model in which `wrap` was applied where it can be.

    Args:
        twin_model: Functional `tf_keras` model.
        wrap: Function from a layer to the layer that takes its place.
        supports: Function from a layer to a bool.
        what: String, what happens to the layers, for the warning that names those with
            weights that stay as they are.

    Raises:
        ValueError: If no layer with weights can be wrapped.
    """
    import tf_keras

    wrapped, left = [], []

    def clone(layer):
        matrices = [w for w in layer.trainable_weights if len(w.shape) > 1]
        if not matrices:
            return layer
        if not supports(layer):
            left.append(f"{layer.name!r} ({type(layer).__name__})")
            return layer
        wrapped.append(layer.name)
        return wrap(layer)

    clone_model = tf_keras.models.clone_model(twin_model, clone_function=clone)
    if not wrapped:
        raise ValueError(
            f"No layer of model {twin_model.name!r} can be {what} by the toolkit."
            + (f" Left as they are: {', '.join(left)}" if left else "")
        )
    if left:
        warnings.warn(f"Not {what}: layers {', '.join(left)}.", stacklevel=3)
    return clone_model


def train_twin(twin_model, model, x, y, settings, callbacks=()):
    """Trains a `tf_keras` model in place as `ewe_tf.removal.training.train` does in Keras 3.

    Args:
        twin_model: `tf_keras` model made from `model`.
        model: The Keras 3 model: tells whether the answers are probabilities or logits.
        x: Inputs (n, ...).
        y: Integer labels (n,) or class probabilities (n, classes).
        settings: A `Retraining`.
        callbacks: `tf_keras` callbacks.
    """
    import tf_keras

    logits = not answers_probabilities(model)
    losses = tf_keras.losses
    loss = losses.SparseCategoricalCrossentropy if y.ndim == 1 else losses.CategoricalCrossentropy
    twin_model.compile(
        tf_keras.optimizers.Adam(settings.learning_rate),
        loss(from_logits=logits),
        metrics=["accuracy"],
    )
    twin_model.fit(
        shuffled_batches((x, y), settings.batch_size, settings.seed),
        epochs=settings.epochs,
        callbacks=list(callbacks),
        verbose=settings.verbose,
    )
