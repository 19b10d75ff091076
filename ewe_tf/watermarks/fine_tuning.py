"""In-house models that were fine-tuned on true labels, as a thief does to remove a mark.

There are many, and every compiled model takes its second before the first step. So all that are
made of one model take turns in one copy of it: they are trained in it, and asked in it.
"""

import keras
import numpy as np

from ewe_tf.keys import generator
from ewe_tf.watermarks import in_house

# How a thief trains on his true labels.
_EPOCHS, _BATCH = 20, 128
# How many he has at most, and his learning rate: what a mark should outlast. Which labels he draws
# decides as much over what is left of it as how many, and no single draw tells pairs apart.
TUNINGS = ((1000, 3e-3), (200, 5e-3), (1000, 5e-3), (200, 3e-3)) * 2
# What should bring no innocent model to a target. Few labels at a high rate do that most, and to
# other targets with every draw: of two targets that one in thirty draws led to, three draws of
# each of six models saw nothing, eight saw both.
INNOCENT_TUNINGS = ((1000, 3e-3), *((200, 5e-3),) * 8)


class FineTuned(in_house.InHouse):
    """What became of an in-house model, asked like any other.

    Args:
        copy: the `InHouse` model that it was trained in, and others as well.
        weights: its own, put back when it is asked.
        original: the `InHouse` model that it was before: what that one has seen, it has seen.
        x: `(n, ...)` float32 inputs that it was fine-tuned on.
    """

    def __init__(self, copy, weights, original, x):
        super().__init__(copy.model, x)
        self._seen |= original._seen
        self._copy = copy
        self.weights = weights

    def log_probabilities(self, x, batch_size=512):
        """As `InHouse.log_probabilities`."""
        self.model.set_weights(self.weights)
        return self._copy.log_probabilities(x, batch_size)


def all_fine_tuned(models, x, labels, seed, tunings=TUNINGS):
    """Every model as a thief leaves it who spends true labels, in each of the ways.

    He has a tenth as many as there are rows, or 200 if that is more, but the largest number at
    most, and does as `removal.FineTuning` of all layers with its defaults would. They are rows
    that the model has not seen, where these are enough, and others each time.

    Args:
        models: list of `InHouse` models; they stay as they are.
        x: `(n, ...)` float32 inputs, of which the thief's are drawn.
        labels: `(n,)` int64, their true classes.
        seed: integer, of the draws, the orders of the rows, and what a model draws in training.
        tunings: pairs of the largest number of labels and the learning rate.

    Returns:
        List of `FineTuned` models, those of the first model first.
    """
    digests = generator.digests(x)
    found = []
    for model in models:
        unseen = np.flatnonzero(~model.has_seen(digests))
        copy = _Copy(model)
        for most, rate in tunings:
            rng = np.random.default_rng(seed + len(found))
            spent = min(most, max(len(x) // 10, 200))
            rows = unseen if len(unseen) >= spent else np.arange(len(x))
            rows = rng.permutation(rows)[:spent]
            found.append(copy.tuned(x[rows], labels[rows], rate, seed + len(found)))
    return found


class _Copy:
    """A compiled copy of an `InHouse` model, trained from the same weights again and again."""

    def __init__(self, original):
        self._model = in_house.trained_copy(original.model, 0)
        self._model.compile(
            optimizer=keras.optimizers.Adam(),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=original.logits),
            jit_compile=original.model.jit_compile,
        )
        optimizer = self._model.optimizer
        optimizer.build(self._model.trainable_variables)
        self._asked, self._original = in_house.InHouse(self._model), original
        self._weights = original.model.get_weights()
        self._states = [(v, v.numpy()) for v in optimizer.variables]

    def tuned(self, x, labels, rate, seed):
        """A `FineTuned` model, trained on `(n, ...)` inputs and their `(n,)` classes."""
        self._model.set_weights(self._weights)
        for variable, value in self._states:
            variable.assign(value)
        self._model.optimizer.learning_rate = rate
        _reseed(self._model, seed)
        in_house.train(self._model, x, labels, _EPOCHS, _BATCH, seed)
        return FineTuned(self._asked, self._model.get_weights(), self._original, x)


def _reseed(model, seed):
    """Puts what a model draws in training, dropout for example, to the start of new sequences."""
    seeds = np.random.default_rng(seed)
    for variable in model.non_trainable_variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign([int(seeds.integers(2**31)), 0])
