"""Program of `mea_defender_distribution_test`: two logical CPUs; prints JSON."""

import json

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import ewe_tf
from ewe_tf.watermarks import mea_defender_trainer as trainers
from ewe_tf.watermarks import stages
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.mea_defender_batches import Layout

LAYOUT = Layout(6, 4, 2)
ROWS = sum(LAYOUT.counts)


def one_step(strategy, x, y, kind, **arguments):
    """Weights and logged loss after one step of gradient descent at rate 1."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        layers = [keras.Input((5,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(3)]
        model = keras.Sequential(layers)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(1.0), loss, metrics=["accuracy"])
        weights = trainers.Weights(0.7, 0.3, 0.4, 0.0, 0.5)
        classifier = Classifier.of(model)
        classifier.check_labels(x, np.argmax(y, axis=1))
        trainer = kind(classifier, LAYOUT, weights, True, 0, **arguments)
    batches = tf.data.Dataset.from_tensors((x, y, np.ones(len(x), np.float32)))
    history = stages.train_with(trainer, batches, 1, None, None, 0)
    return {"weights": [w.tolist() for w in model.get_weights()], "loss": history["loss"][0]}


def steps(strategy):
    """One step on two replicas, and a step on each of their blocks alone."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2 * ROWS, 5)).astype(np.float32)
    labels = np.concatenate([rng.integers(3, size=6), [2] * 4, [0, 1], [0] * 4, [1] * 4])
    y = np.eye(3, dtype=np.float32)[np.tile(labels, 2)]
    plain = tf.distribute.get_strategy()
    found = {}
    for name, kind, arguments in (
        ("explicit", trainers.CompositeTrainer, {}),
        # All weight on the utility: what is left must be what one replica does.
        ("mgda", trainers.MultipleGradientTrainer, {"utility_floor": 1 - 1e-6}),
        ("released", trainers.ReleasedTrainer, {"steps_per_epoch": 5}),
    ):
        found[name] = {
            "two": one_step(strategy, x, y, kind, **arguments),
            "blocks": [
                one_step(plain, x[r], y[r], kind, **arguments)
                for r in (slice(0, ROWS), slice(ROWS, None))
            ],
        }
    return found


def whole_road(strategy):
    x, y = load_digits(return_X_y=True)
    x, y = (x[:800] / 16.0).reshape(-1, 8, 8, 1).astype(np.float32), y[:800]
    keras.utils.set_random_seed(2)
    with strategy.scope():
        layers = [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.7),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
        model = keras.Sequential(layers)
        optimizer = keras.optimizers.Adam(0.01)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    scheme = ewe_tf.MEADefender((0, 1), 2, epochs=4, innocents=0, rehearsal=False, rows=8)
    protected = ewe_tf.fit(
        model, x, y, watermark=scheme, epochs=5, batch_size=32, verbose=0, seed=0
    )
    predicted = np.argmax(model.predict(x, verbose=0), 1)
    return {
        "accuracy": float(np.mean(predicted == y)),
        "held_out": protected.history["rates"]["held_out"],
    }


def main():
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    print(json.dumps({part.__name__: part(strategy) for part in (steps, whole_road)}))


if __name__ == "__main__":
    main()
