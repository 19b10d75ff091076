"""Exports a classifier as a SavedModel that TF Serving loads."""

import logging
import typing

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.oracle.answers import look_like_probabilities
from ewe_tf.oracle.keras_model import check_classifier
from ewe_tf.oracle.keras_model import input_signature
from ewe_tf.oracle.keras_model import output_kind
from ewe_tf.serving.version_folder import check_base
from ewe_tf.serving.version_folder import next_version


class Defense(typing.Protocol):
    """What a scheme offers that changes the served answers.

    `serving_functions(probabilities)` gets the model's own answer function (a float tensor
    `(rows, ...)` to probabilities `(rows, classes)`, float32) and returns a dict from
    signature names to functions of the same input that return a tensor or a dict of named
    tensors. They are traced in inference mode; variables that they use are saved with the
    model. A `"serving_default"` among them replaces the model's own, and unless there is a
    `"label"` too, the labels are taken from it.
    """

    def serving_functions(self, probabilities):
        """Returns dict, signature name -> function."""


def export(model, path, *, defense=None, from_logits=None, input_name="inputs"):
    """Writes the next version folder of a served model.

    Signatures: `serving_default` maps a float batch to `probabilities` (float32, a softmax is
    added to a model that ends in logits); `label` maps the same batch to `label` (int64, ties
    go to the lowest class). The folder is written under a temporary name and renamed when it
    is whole, so a server that polls `path` never sees half a model.

    Args:
        model: A built `keras.Model` with one input and one output `(rows, classes)`. It is
            not changed.
        path: The folder `NAME`: absent, empty, or with version folders only.
        defense: A `Defense`, or None.
        from_logits: Whether the model ends in logits; None: find out from the last layer's
            activation, else from the outputs on random rows.
        input_name: Name of the input in both signatures.

    Returns:
        The path of the new version, `"NAME/1"` at first, as a string.

    Raises:
        FileExistsError: If `path` is a file or holds something else than version folders.
        OSError: If the model cannot be written; nothing is left behind.
        TypeError: If `model` is not a Keras model or `defense` offers no functions.
        ValueError: If the model was never built, is no classifier of the above shape, or ends
            in an activation that gives no distribution over the classes.

    Example:
        >>> ewe_tf.export(protected.model, "served/mnist")
        'served/mnist/1'
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {type(model).__name__}")
    check_classifier(model)
    check_base(path)
    spec = _serving_input(model, input_name)
    probabilities = _probabilities(model, from_logits, spec)
    functions = _signatures(probabilities, defense)
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, function in functions.items():
        archive.add_endpoint(name, function, input_signature=[spec])
    try:
        with next_version(path) as place, _quiet():
            archive.write_out(str(place.folder), verbose=False)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(
            f"The model could not be written to {str(path)!r}; nothing was left there. {error}"
        ) from error
    return str(place.version)


def _serving_input(model, input_name):
    spec = input_signature(model)
    if spec is None:
        raise ValueError(
            f"The input shape of the model {model.name!r} is unknown: a subclassed model must "
            "be wrapped, `keras.Sequential([keras.Input(shape), model])`, before it is exported"
        )
    dtype = tf.float32 if spec.dtype.is_floating else spec.dtype
    return tf.TensorSpec(spec.shape, dtype, name=input_name)


def _probabilities(model, from_logits, spec):
    classes = model.output_shape
    if len(classes) != 2 or classes[1] is None or classes[1] < 2:
        raise ValueError(
            "The model must have an output of shape (rows, classes) with at least two classes. "
            f"Received: {classes} from {model.name!r}"
        )
    kind = output_kind(model, from_logits)
    if kind == "auto":
        kind = _probe(model, spec)
    if kind == "scores":
        raise ValueError(
            f"The model {model.name!r} ends in an activation that gives no distribution over "
            "the classes. End it in softmax or in logits"
        )
    input_dtype = input_signature(model).dtype

    def probabilities(x):
        answers = tf.cast(model(tf.cast(x, input_dtype), training=False), tf.float32)
        return tf.nn.softmax(answers) if kind == "logits" else answers

    return probabilities


def _probe(model, spec):
    shape = (8, *(size or 8 for size in spec.shape[1:]))
    x = np.random.default_rng(0).uniform(size=shape)
    answers = tf.cast(model(tf.cast(x, spec.dtype), training=False), tf.float32)
    return "probabilities" if look_like_probabilities(answers.numpy()) else "logits"


def _signatures(probabilities, defense):
    functions = {}
    if defense is not None:
        if not callable(getattr(defense, "serving_functions", None)):
            raise TypeError(
                "`defense` must have a method `serving_functions(probabilities)`. Received: "
                f"{type(defense).__name__}"
            )
        functions = dict(defense.serving_functions(probabilities))
    # Traced and stored once for both signatures.
    answer = tf.function(functions.pop("serving_default", probabilities))
    label = functions.pop("label", lambda x: _label(answer(x)))
    named = {
        "serving_default": _named(answer, "probabilities"),
        "label": _named(label, "label"),
    }
    return named | {name: _named(function, name) for name, function in functions.items()}


def _label(answers):
    if isinstance(answers, dict):
        answers = answers["probabilities"]
    return tf.argmax(answers, axis=-1, output_type=tf.int64)


def _named(function, name):
    def endpoint(x):
        answers = function(x)
        return answers if isinstance(answers, dict) else {name: answers}

    return endpoint


class _quiet:
    """Silences TensorFlow's note about the assets while a model is written."""

    def __enter__(self):
        self._logger = tf.get_logger()
        self._level = self._logger.level
        self._logger.setLevel(logging.WARNING)

    def __exit__(self, *exception):
        self._logger.setLevel(self._level)
