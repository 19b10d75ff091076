"""How every party trains: networks, compilation, marking, and models read back."""

import keras
import numpy as np

import ewe_tf
from ewe_tf import models
from ewe_tf.models.augmented import augmented


def compiled(config, input_shape, num_classes):
    """A network with its seed, compiled, as the first thing of a stage."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(config["seed"])
    training = config["training"]
    model = network(config, input_shape, num_classes)
    optimizer = keras.optimizers.get(
        {"class_name": training["optimizer"], "config": {"learning_rate": training["rate"]}}
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def network(config, input_shape, num_classes):
    """A new network of a stage's architecture, with the task's augmentation in front."""
    seed = config["seed"]
    model = models.build(config["architecture"], input_shape, num_classes, seed=seed)
    training, changes = config["training"], []
    if training.get("augment"):
        shift = keras.layers.RandomTranslation(0.125, 0.125, fill_mode="constant", seed=seed)
        changes += [shift, keras.layers.RandomFlip("horizontal", seed=seed + 1)]
    if most := training.get("time_shift"):
        changes.append(keras.layers.RandomTranslation(most, 0.0, fill_mode="nearest", seed=seed))
    return augmented(model, changes) if changes else model


def accuracy(model, part):
    """Accuracy of a compiled model on the test rows of a part."""
    return float(model.evaluate(part.x_test, part.y_test, batch_size=500, verbose=0)[1])


def accuracy_of(suspect, part):
    """Share of a part's test rows that any suspect answers rightly; refused ones are wrong."""
    oracle = ewe_tf.Oracle(suspect, answers="label", batch_size=500)
    return float(np.mean(oracle.predict(part.x_test) == part.y_test))


def fit(model, part, watermark, config):
    """`ewe_tf.fit` on all rows of a part, with the settings of a stage."""
    training = config["training"]
    return ewe_tf.fit(
        model,
        part.x_train,
        part.y_train,
        watermark=watermark,
        epochs=training["epochs"],
        batch_size=training["batch_size"],
        verbose=0,
        seed=config["seed"],
    )


def trained_clean(config, part, x, y, passes=1):
    """A model without a mark, trained on rows of a part like a marked one is on all of them.

    Args:
        passes: factor on the epochs.
    """
    model = compiled(config, part.input_shape, part.num_classes)
    training = config["training"]
    ewe_tf.fit(
        model,
        x,
        y,
        watermark=ewe_tf.Control(passes * training["further_epochs"], training["further_rate"]),
        epochs=passes * training["epochs"],
        batch_size=training["batch_size"],
        verbose=0,
        seed=config["seed"],
    )
    return model


def loaded(result):
    """The model that a finished stage has left."""
    return keras.saving.load_model(result.folder / "model.keras")
