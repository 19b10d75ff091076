"""In-house models: the owner's own innocent models and surrogates.

Innocent models are trained on the task without any watermark: what they answer to a trigger
says how a stranger's model would. Surrogates are trained on the marked model's labels: what
they answer says what a thief's copy would.
"""

import itertools

import keras
import numpy as np

from ewe_tf import quiet
from ewe_tf.keys import generator
from ewe_tf.oracle.ends_in_softmax import ends_in_softmax

# Of a thief who fine-tunes his copy: true labels, and how he trains on them.
_TUNING_EPOCHS, _TUNING_BATCH = 20, 128
# How many he has at most, and his learning rate: what a mark should outlast.
TUNINGS = ((1000, 3e-3), (200, 5e-3))
# What should bring no innocent model to a target. Few labels at a high rate do that most, and to
# other targets with every draw: of two targets that one in thirty draws led to, three draws of
# each of six models saw nothing, eight saw both.
INNOCENT_TUNINGS = ((1000, 3e-3), *((200, 5e-3),) * 8)


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

    def further_trained(self, model, x):
        """An `InHouse` of a copy of the model that was trained further, on `(n, ...)` float32."""
        copy = InHouse(model, x)
        copy._seen |= self._seen
        return copy

    def has_seen(self, digests):
        """Whether it was trained on inputs of these `generator.digests`, as far as is known:
        `(n,)` bool."""
        return np.array([digest in self._seen for digest in digests], bool)

    def log_probabilities(self, x, batch_size=512):
        """`(n, classes)` float32 log-probabilities on inputs `(n, ...)`."""
        with quiet.many_models():
            outputs = self.model.predict(x, batch_size=batch_size, verbose=0)
        outputs = np.asarray(outputs, np.float32)
        if self.logits:
            return np.asarray(keras.ops.log_softmax(outputs))
        return np.log(np.maximum(outputs, 1e-7))

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
        _train(model, rows, answers, epochs, batch_size, seed)
        models.append(InHouse(model, rows))
        progress(f"{i + 1} of {len(seeds)}")
    return models


def fine_tuned(surrogate, x, labels, unseen, most, learning_rate, seed):
    """A copy of a surrogate as a thief leaves it who spends true labels to remove a mark.

    He has a tenth as many as there are rows, or 200 if that is more, but `most` at most, and does
    as `removal.FineTuning` of all layers with its defaults would. They are rows that the surrogate
    has not seen, where these are enough.

    Args:
        surrogate: the `InHouse` model; it stays as it is.
        x: `(n, ...)` float32 inputs, of which the thief's are drawn.
        labels: `(n,)` int64, their true classes.
        unseen: integer indices of the rows that the surrogate has not seen.
        most: largest number of labels that he has.
        learning_rate: of Adam.
        seed: integer, of the draw, the order of the rows, and what the copy draws in training.
    """
    model = trained_copy(surrogate.model, seed)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=surrogate.logits),
        jit_compile=surrogate.model.jit_compile,
    )
    spent = min(most, max(len(x) // 10, 200))
    rows = unseen if len(unseen) >= spent else np.arange(len(x))
    rows = np.random.default_rng(seed).permutation(rows)[:spent]
    _train(model, x[rows], labels[rows], _TUNING_EPOCHS, _TUNING_BATCH, seed)
    # There are many such models, and none is trained again: without Adam's two numbers a weight.
    model.optimizer = model.train_function = None
    return surrogate.further_trained(model, x[rows])


def all_fine_tuned(models, x, labels, seed, tunings=TUNINGS):
    """Every model as `fine_tuned` in each of the ways, with labels of its own each.

    Args:
        models: list of `InHouse` models; they stay as they are.
        x, labels: as in `fine_tuned`; those that a model has seen are found here.
        seed: integer.
        tunings: pairs of the largest number of labels and the learning rate.

    Returns:
        List of `InHouse` models, those of the first model first.
    """
    digests = generator.digests(x)
    unseen = [np.flatnonzero(~model.has_seen(digests)) for model in models]
    ways = itertools.product(zip(models, unseen, strict=True), tunings)
    return [
        fine_tuned(model, x, labels, rows, most, rate, seed + draw)
        for draw, ((model, rows), (most, rate)) in enumerate(ways)
    ]


def _train(model, x, labels, epochs, batch_size, seed):
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        with quiet.many_models():
            model.fit(x[order], labels[order], batch_size=batch_size, shuffle=False, verbose=0)


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
