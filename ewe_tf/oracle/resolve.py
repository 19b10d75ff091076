"""Chooses the kind of black box for whatever a caller calls a model."""

import os
import pathlib

import keras

from ewe_tf.oracle import keras_model
from ewe_tf.oracle.black_box import BlackBox
from ewe_tf.oracle.function import Function
from ewe_tf.oracle.litert import LiteRT
from ewe_tf.oracle.rest import Remote
from ewe_tf.oracle.saved_model import SavedModel

ACCEPTED = (
    "a Keras model, a `.keras` file, a SavedModel folder, a `.tflite` file, an http(s) URL of "
    "a TF Serving model, or a callable that maps rows to answers"
)


def resolve(model):
    """Opens a model as a black box.

    Args:
        model: A Keras model, a `.keras` file, a SavedModel folder (or a folder of version
            folders), a LiteRT `.tflite` file, a TF Serving URL, a callable, or a `BlackBox`.

    Returns:
        A `BlackBox`.

    Raises:
        TypeError: If `model` is none of these.
        FileNotFoundError: If it is a path at which nothing is.
        ValueError: If the file is damaged or of another kind.
    """
    if isinstance(model, BlackBox):
        return model
    if isinstance(model, keras.Model):
        return keras_model.KerasModel(model)
    if isinstance(model, str) and model.startswith(("http://", "https://")):
        return Remote(model)
    if isinstance(model, str | os.PathLike):
        return _open_path(pathlib.Path(model))
    if callable(model) and not isinstance(model, type):
        return Function(model)
    raise TypeError(f"`model` must be {ACCEPTED}. Received: {type(model).__name__}")


def _open_path(path):
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at {str(path)!r}. `model` must be {ACCEPTED}")
    if path.is_dir():
        return SavedModel(path)
    if path.suffix in (".keras", ".h5"):
        return keras_model.load(path)
    if path.suffix in (".tflite", ".litert"):
        return LiteRT(path)
    raise ValueError(f"`model` must be {ACCEPTED}. Received: the file {str(path)!r}")
