"""`ewe_tf.fit`: train a classifier and mark it."""

import math
import secrets

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.keys.generator import beacon_bytes
from ewe_tf.keys.generator import beacon_seed
from ewe_tf.watermarks import task_data
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.task import Task


def fit(
    model,
    x,
    y=None,
    *,
    watermark,
    epochs=None,
    batch_size=128,
    validation_data=None,
    callbacks=None,
    verbose="auto",
    sample_weight=None,
    class_weight=None,
    steps_per_epoch=None,
    seed=None,
    beacon=None,
):
    """Trains a compiled Keras classifier and embeds a watermark in it.

    Args:
        model: a compiled Functional or Sequential classifier, with softmax outputs or logits.
            A model that was trained before is marked without task training.
        x: `(n, ...)` array of inputs, or a batched `tf.data.Dataset` of `(x, y)` or
            `(x, y, sample_weight)`. Keys whose source is a class of the task regenerate
            (`ewe-tf regenerate`) from these arrays only, as given and in order, without the rows
            of weight 0; of a dataset from what its first pass gave, up to 50,000 rows, which one
            that shuffles or augments afresh does not give again.
        y: `(n,)` integer classes or `(n, classes)` one-hot rows, as the model's loss wants
            them; `None` for a dataset.
        watermark: the scheme, such as `ewe_tf.EWE()`.
        epochs: epochs of task training; `None` for a model that is trained already.
        batch_size: task rows of a step.
        validation_data, callbacks, verbose: as in `keras.Model.fit`; callbacks (one, or a list)
            see every stage that trains the model.
        sample_weight: `(n,)` floats: weights of the task rows; rows of weight 0 are left out.
            Arrays only.
        class_weight: dict from class to weight of the task rows. Arrays only.
        steps_per_epoch: for datasets that repeat for ever.
        seed: integer, at least 0, that every random choice of the watermark derives from; drawn
            and recorded in the key if `None`. (What the model itself draws, initial weights and
            dropout, is seeded where the model is made, for example by
            `keras.utils.set_random_seed`. A key also records the names of layers, which Keras
            counts in a process: the same call again gives the same triggers, and the same
            commitment only if the layers are named, or after `keras.utils.clear_session()`.)
        beacon: a public value that nobody could foresee when `seed` was committed to
            (`ewe_tf.keys.seed_commitment`): bytes or hexadecimal digits. It is mixed into the
            seed, so that a judge knows that no lucky key was searched for.

    Returns:
        `Protected(model, key, history)`; `model` is the object that was passed in.

    Raises:
        TypeError, ValueError: before any training, naming the argument, what was given and
            what is accepted.

    Example:

    ```python
    protected = ewe_tf.fit(model, x_train, y_train,
                           watermark=ewe_tf.EWE(source=ewe_tf.NaturalAttribute()), epochs=10)
    protected.key.save("secret.npz")
    ```
    """
    unmade = isinstance(watermark, type | keras.Model)
    if unmade or not hasattr(watermark, "fit"):
        received = type(watermark).__name__ if isinstance(watermark, keras.Model) else watermark
        raise TypeError(
            f"`watermark` must be a scheme such as ewe_tf.EWE(). Received: {received!r}"
        )
    classifier = Classifier.of(model)
    _check_integer("batch_size", batch_size, 1)
    for name, value, least in (
        ("epochs", epochs, 0),
        ("steps_per_epoch", steps_per_epoch, 1),
        ("seed", seed, 0),
    ):
        if value is not None:
            _check_integer(name, value, least)
    if epochs is None:
        if not int(np.asarray(model.optimizer.iterations)):
            raise ValueError(
                "`epochs` must be given for a model that was not trained by its optimizer. "
                "(`epochs=0` says that its weights are trained.)"
            )
        epochs = 0
    origin = None
    if beacon is not None:
        if seed is None:
            raise ValueError("`seed` must be given with `beacon`: the one that was committed to")
        origin = {"seed": int(seed), "value": beacon_bytes(beacon).hex()}
        seed = beacon_seed(seed, beacon)
    seed = secrets.randbits(63) if seed is None else int(seed)
    shuffle_seed = int(np.random.SeedSequence(seed).generate_state(1)[0] >> 1)
    if isinstance(x, tf.data.Dataset):
        for name, value in (
            ("y", y),
            ("sample_weight", sample_weight),
            ("class_weight", class_weight),
        ):
            if value is not None:
                raise ValueError(
                    f"`{name}` must be None where `x` is a dataset: give (x, y, sample_weight) "
                    "batches instead"
                )
        data = task_data.from_dataset(
            x, classifier.num_classes, classifier.input_shape, batch_size, shuffle_seed,
            steps_per_epoch,
        )  # fmt: skip
    else:
        if steps_per_epoch is not None:
            raise ValueError(
                "`steps_per_epoch` must be None where `x` is an array: an epoch is one pass over it"
            )
        data = task_data.from_arrays(
            x, y, classifier.num_classes, batch_size, shuffle_seed, sample_weight, class_weight
        )
    if data.x.shape[1:] != classifier.input_shape:
        raise ValueError(
            f"`x` must have the model's input shape {classifier.input_shape}. Received: rows of "
            f"shape {data.x.shape[1:]}"
        )
    if classifier.takes_whole_numbers:
        data = data.of_whole_numbers()
    classifier.check_labels(data.x, data.y)
    if validation_data is not None:
        classifier.check_validation(validation_data)
    return watermark.fit(
        Task(
            classifier, data, int(epochs), validation_data, _callbacks(callbacks), verbose, seed,
            origin,
        )
    )  # fmt: skip


def _check_integer(name, value, least):
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value != int(value) or value < least:
        raise ValueError(f"`{name}` must be an integer >= {least}. Received: {value!r}")


def _callbacks(callbacks):
    given = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    given = [callback for callback in given if callback is not None]
    for callback in given:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"`callbacks` must be Keras callbacks (made, not their class). Received: "
                f"{callback!r}"
            )
    return given
