"""Program of `distribution_test`: a MirroredStrategy on two logical CPUs; prints JSON.

A program of its own, because logical devices must be made before TensorFlow starts.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import ewe_tf
from ewe_tf.watermarks import stages
from ewe_tf.watermarks import task_data
from ewe_tf.watermarks.batches import Layout
from ewe_tf.watermarks.batches import Marked
from ewe_tf.watermarks.batches import mixed_batches
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.trainer import EntangledTrainer
from ewe_tf.watermarks.trainer import Weights

L = keras.layers
TARGET = 1


def rows_of_each_replica(strategy):
    """For each replica the first value of each row: 0.. task, 1000.. triggers."""
    x = np.arange(96, dtype=np.float32)[:, None] * [[1.0, 0.0]]
    data = task_data.from_arrays(x, np.arange(96) % 3, 3, 24, 0)
    triggers = 1000 + np.arange(50, dtype=np.float32)[:, None] * [[1.0, 0.0]]
    found = {}
    for name, layout in (("all", Layout(12, 4, 4)), ("no targets", Layout(12, 4, 0))):
        batches = mixed_batches(data, [Marked(triggers.astype(np.float32), TARGET)], layout, 2, 0)
        batch = next(iter(strategy.experimental_distribute_dataset(batches)))
        found[name] = [
            {
                "x": np.asarray(part)[:, 0].tolist(),
                "y": np.argmax(labels, 1).tolist(),
            }
            for part, labels in zip(
                strategy.experimental_local_results(batch[0]),
                strategy.experimental_local_results(batch[1]),
                strict=True,
            )
        ]
    return found


def one_step(strategy, x, y, weights, layout):
    """Weights and logged loss after one step of gradient descent at rate 1."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = keras.Sequential(
            [
                keras.Input((5,)),
                L.Dense(4, activation="tanh", kernel_regularizer="l2", name="hidden"),
                L.Dense(3),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(1.0), loss, metrics=["accuracy"])
        classifier = Classifier.of(model)
        classifier.check_labels(x, np.argmax(y, axis=1))
        trainer = EntangledTrainer(
            classifier,
            ("hidden",),
            layout,
            Weights(0.7, 0.0, 0.0, 0.5),
            "cosine",
            True,
            0,
        )
    batches = tf.data.Dataset.from_tensors((x, y, weights))
    history = stages.train_with(trainer, batches, 1, None, None, 0)
    return {
        "weights": [w.tolist() for w in model.get_weights()],
        "loss": history["loss"],
        "accuracy": history["accuracy"],
    }


def the_same_step(strategy):
    """One step on two replicas, and on one with the same rows."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 5)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[rng.integers(3, size=32)]
    weights = rng.uniform(0.5, 2, 32).astype(np.float32)
    # [12 task, 4 triggers] of each replica; on one replica: [24 task, 8 triggers].
    order = np.r_[0:12, 16:28, 12:16, 28:32]
    return {
        "two": one_step(strategy, x, y, weights, Layout(12, 4, 0)),
        "one": one_step(
            tf.distribute.get_strategy(), x[order], y[order], weights[order], Layout(24, 8, 0)
        ),
    }


def whole_road(strategy):
    x, y = load_digits(return_X_y=True)
    x, y = (x[:800] / 16.0).reshape(-1, 8, 8, 1).astype(np.float32), y[:800]
    keras.utils.set_random_seed(2)
    with strategy.scope():
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                L.Conv2D(8, 3, activation="relu"),
                L.BatchNormalization(momentum=0.7),
                L.Flatten(),
                L.Dense(10, activation="softmax"),
            ]
        )
        model.compile(
            keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
    scheme = ewe_tf.EWE(
        source=1,
        target=7,
        epochs=3,
        trigger_weight=0.5,
        innocents=0,
        rehearsal=False,
        keys=20,
    )
    protected = ewe_tf.fit(
        model,
        x,
        y,
        watermark=scheme,
        epochs=5,
        batch_size=32,
        validation_data=(x[:100], y[:100]),
        verbose=0,
        seed=0,
    )
    answers = np.argmax(model.predict(protected.key.held_out, verbose=0), 1)
    predicted = np.argmax(model.predict(x, verbose=0), 1)
    return {
        "accuracy": float(np.mean(predicted == y)),
        "held_out": float(np.mean(answers == 7)),
        "val_loss": protected.history["entangled"]["val_loss"],
        "evaluated": float(model.evaluate(x[:100], y[:100], verbose=0)[0]),
        "measured": sorted(protected.history["entangled"]),
    }


def main():
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for part in sys.argv[1:]:
        print(json.dumps({part: globals()[part](strategy)}))


if __name__ == "__main__":
    main()
