"""In-house models: the owner's own innocent models and surrogates.

Innocent models are trained on the task without any watermark: what they answer to a trigger
says how a stranger's model would. Surrogates are trained on the marked model's labels: what
they answer says what a thief's copy would.
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from ewe_tf import quiet
from ewe_tf.keys import generator
from ewe_tf.oracle.ends_in_softmax import ends_in_softmax


class InHouse:
    """A trained model of the owner's, asked for log-probabilities.

    Args:
        model: Keras classifier; it need not be compiled.
        seen: `(n, ...)` float32 inputs that it was trained on, as far as is known.
    """

    def __init__(self, model, seen=()):
        self.model = model
        self.logits = not ends_in_softmax(model)
        self._seen = frozenset(generator.digests(seen))

    def has_seen(self, digests):
        """Whether it was trained on inputs of these `generator.digests`, as far as is known:
        `(n,)` bool."""
        return np.array([digest in self._seen for digest in digests], bool)

    def log_probabilities(self, x, batch_size=512):
        """`(n, classes)` float32 log-probabilities on inputs `(n, ...)`."""
        blocks = [x[first : first + batch_size] for first in range(0, len(x), batch_size)] or [x]
        with quiet.many_models():
            outputs = np.concatenate([self._outputs(block) for block in blocks], dtype=np.float32)
        if self.logits:
            return np.asarray(keras.ops.log_softmax(outputs))
        return np.log(np.maximum(outputs, 1e-7))

    @functools.cached_property
    def _outputs(self):
        """What the model gives, compiled: `predict` would take its twentieth of a second for every
        class that a model is asked about."""
        model = self.model
        return tf.function(lambda x: model(x, training=False), reduce_retracing=True)

    def rate(self, x, label):
        """Share of the inputs `(n, ...)` that the model gives to class `label`."""
        return float(np.mean(np.argmax(self.log_probabilities(x), axis=1) == label))


def default_other_architecture(input_shape, num_classes):
    """A small network of another kind than most victims: two dense layers, 256 and 128."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(256, activation="relu")(x)
    x = keras.layers.Dense(128, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, activation="softmax")(x))


def fresh_copy(model, seed):
    """A newly initialised, uncompiled model of the same architecture; same seed, same weights.

    What training does not change stays as it is: frozen layers, such as a pre-trained backbone,
    and adapted preprocessing.

    Args:
        model: Functional or Sequential model; it stays unchanged.
        seed: integer. Every seeded part (initialisers, dropout) gets one derived from it.
    """
    seeds = np.random.default_rng(seed)
    copies = []

    def clone(layer):
        # A function of the user's has no state to renew, and cannot be read back from a config.
        if isinstance(layer, keras.layers.Lambda):
            return layer
        config = _reseeded(layer.get_config(), seeds)
        copies.append((layer, layer.__class__.from_config(config)))
        return copies[-1][1]

    # Without the compilation, whose loss may be a function that no config can name.
    plain = keras.Model(model.inputs[0], model.outputs[0])
    copy = keras.models.clone_model(plain, clone_function=clone, recursive=True)
    for layer, new in copies:
        if getattr(layer, "weights", None) and _is_fixed(layer):
            new.set_weights(layer.get_weights())
            # Beside the weights: what an adapted layer worked out of them.
            stored = {}
            layer.save_own_variables(stored)
            new.load_own_variables(stored)
    return copy


def trained_copy(model, seed):
    """A `fresh_copy` with the model's own weights; `seed` is of what it draws in training."""
    copy = fresh_copy(model, seed)
    copy.set_weights(model.get_weights())
    return copy


def _is_fixed(layer):
    learns_averages = isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    return not layer.trainable_weights and not learns_averages


def train_in_house(classifier, architectures, x, labels, epochs, batch_size, seeds, progress):
    """Models of alternating architectures, each trained on its own labels.

    Args:
        classifier: the victim's `Classifier`: its optimizer's configuration is used anew.
        architectures: one function `seed -> uncompiled model` for each model to train.
        x: `(n, ...)` float32 inputs, or one such array for each model (a list).
        labels: `(n,)` int64, or one array for each model (a list).
        epochs, batch_size: as in `fit`.
        seeds: one integer for each model.
        progress: called with one line of text for each model that is done.

    Returns:
        List of trained `InHouse` models.
    """
    models = []
    for i, (architecture, seed) in enumerate(zip(architectures, seeds, strict=True)):
        rows = x[i] if isinstance(x, list) else x
        answers = labels[i] if isinstance(labels, list) else labels
        model = architecture(seed)
        compile_like(classifier, model, not ends_in_softmax(model))
        train(model, rows, answers, epochs, batch_size, seed)
        models.append(InHouse(model, rows))
        progress(f"{i + 1} of {len(seeds)}")
    return models


def train(model, x, labels, epochs, batch_size, seed):
    """Trains a compiled model for some epochs, each in an order of its own.

    In one pass over the batches of all epochs, for every call of `fit` and every epoch of one
    takes its tenth of a second: as long as a step or ten of few labels.
    """
    if not epochs:
        return
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(len(x)) for _ in range(epochs)])
    rows = tuple(tf.convert_to_tensor(array) for array in (x, labels))
    batches = (
        tf.data.Dataset.from_tensor_slices(orders)
        .flat_map(lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size))
        .map(lambda order: tuple(tf.gather(array, order) for array in rows))
        .apply(tf.data.experimental.assert_cardinality(epochs * -(-len(x) // batch_size)))
        .prefetch(2)
    )
    with quiet.many_models():
        model.fit(batches, shuffle=False, verbose=0)


def compile_like(classifier, model, logits):
    """Compiles `model` for integer labels with a new optimizer configured as the victim's."""
    model.compile(
        optimizer=classifier.new_optimizer(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
        metrics=["accuracy"],
        jit_compile=classifier.model.jit_compile,
    )


def alternating(classifier, other_architecture, count):
    """`count` functions `seed -> model`: the victim's architecture and the other one, in turn."""

    def same(seed):
        return fresh_copy(classifier.model, seed)

    def other(seed):
        blank = other_architecture(classifier.input_shape, classifier.num_classes)
        return fresh_copy(blank, seed)

    return [(same, other)[i % 2] for i in range(count)]


def margins(log_probabilities):
    """`z_t - max_{j != t} z_j` for every class t: `(n, classes)`; positive for the top class."""
    top, runner_up = -np.sort(-log_probabilities, axis=1)[:, :2].T
    is_top = log_probabilities == top[:, None]
    return log_probabilities - np.where(is_top, runner_up[:, None], top[:, None])


def _reseeded(config, seeds):
    """A copy of a layer's configuration with every `seed` entry drawn anew."""
    if isinstance(config, dict):
        return {
            name: int(seeds.integers(2**31))
            if name == "seed" and not isinstance(value, dict)
            else _reseeded(value, seeds)
            for name, value in config.items()
        }
    if isinstance(config, list):
        return [_reseeded(value, seeds) for value in config]
    return config
