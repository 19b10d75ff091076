"""Disentangling: the thief turns the entanglement loss against the mark."""

import dataclasses

import keras
import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.classifier import feature_model
from ewe_tf.removal.classifier import num_classes_of
from ewe_tf.removal.classifier import require_float_rows
from ewe_tf.removal.settings import Retraining


@dataclasses.dataclass(frozen=True)
class Disentangling(Retraining):
    """Minimises the soft nearest neighbour loss between guessed triggers and each class.

    An adaptive attack: the thief knows the scheme, not the key. He guesses triggers (a square
    of a random place, size and colour on rows of any class), and trains with their true labels
    while the SNNL on the penultimate features separates them from the rows of a class, each
    class in turn. What he guessed wrongly costs him accuracy, what he guessed well costs the
    owner the mark.

    Attributes:
        weight: Non-negative float, weight of the SNNL beside the cross-entropy.
        guesses: Integer of at least 2, guessed triggers per step and as many rows of the class.
        temperature: Positive float, or `None` for the median distance of the step's rows.
        largest_patch: Float in (0, 1], largest side of the square relative to the image's.
        epochs, learning_rate, batch_size, seed, verbose: See `Retraining`.

    Reference:
        Jia et al., Entangled Watermarks as a Defense against Model Extraction, 2021, for
        the loss and for thieves who know the scheme (arXiv:2002.12200).
    """

    weight: float = 1.0
    guesses: int = 16
    temperature: float | None = None
    largest_patch: float = 0.5
    _: dataclasses.KW_ONLY
    epochs: int = 5

    def __post_init__(self):
        super().__post_init__()
        fields.number(self, "weight", least=0)
        fields.integer(self, "guesses", least=2)
        fields.number(self, "temperature", above=0, optional=True)
        fields.number(self, "largest_patch", above=0, most=1)

    def run(self, model, data):
        """Returns a disentangled copy of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier of inputs (height, width,
                channels), (steps, features) or (features,); left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and integer labels (n,).

        Returns:
            A compiled Keras 3 model of the same topology.
        """
        x, y = check_data(model, data)
        require_float_rows(x)
        if y.ndim != 1:
            raise ValueError(f"`data` must hold integer labels (n,). Received: {y.shape}")
        disentangled = copy_classifier(model, self.seed)
        optimizer = keras.optimizers.Adam(self.learning_rate)
        compile_classifier(disentangled, y, optimizer)
        step = self._step(disentangled, optimizer)
        rng = np.random.default_rng(self.seed)
        turn = 0
        for _ in range(self.epochs):
            order = rng.permutation(len(x))
            size = min(self.batch_size, len(x))
            for start in range(0, len(x) - size + 1, size):
                task = order[start : start + size]
                target = turn % num_classes_of(model)
                turn += 1
                own, others = np.flatnonzero(y == target), np.flatnonzero(y != target)
                if not len(own) or not len(others):
                    continue
                own, others = rng.choice(own, self.guesses), rng.choice(others, self.guesses)
                guessed = guessed_triggers(x[others], rng, self.largest_patch, x.min(), x.max())
                rows = np.concatenate([x[task], guessed, x[own]])
                step(rows, np.concatenate([y[task], y[others], y[own]]))
        return disentangled

    def _step(self, model, optimizer):
        import tensorflow as tf

        from ewe_tf.losses import median_distance
        from ewe_tf.losses import soft_nearest_neighbor_loss

        probe = keras.Model(model.inputs[0], [feature_model(model).output, model.outputs[0]])
        groups = np.repeat([0, 1], self.guesses)

        @tf.function
        def step(rows, labels):
            with tf.GradientTape() as tape:
                features, answers = probe(rows, training=True)
                pair = features[-2 * self.guesses :]
                temperature = self.temperature
                if temperature is None:
                    temperature = tf.stop_gradient(median_distance(pair))
                entangled = soft_nearest_neighbor_loss(pair, groups, temperature)
                loss = model.loss(labels, answers) + self.weight * entangled
            variables = probe.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        return step


def guessed_triggers(rows, rng, largest_patch, low, high):
    """Returns copies of `rows` with a patch each, of random place, size and colour.

    Args:
        rows: Inputs (n, height, width, channels), (n, steps, features) or (n, features).
        rng: NumPy generator.
        largest_patch: Float in (0, 1], largest side of the patch relative to the rows' sides.
        low: Float, smallest value of a patch.
        high: Float, largest value of a patch.
    """
    rows = rows.copy()
    spatial = rows.shape[1:-1] or rows.shape[1:]
    for row in rows:
        place = []
        for size in spatial:
            side = int(rng.integers(1, max(2, int(size * largest_patch) + 1)))
            start = int(rng.integers(0, size - side + 1))
            place.append(slice(start, start + side))
        colour = rng.uniform(low, high, row.shape[-1] if row.ndim > 1 else ())
        row[tuple(place)] = colour
    return rows
