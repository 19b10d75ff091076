"""Trying marks in-house: marking a copy of the model, stealing it, asking what is left.

How far a mark is carried differs more between class pairs than between settings, and what
innocent models say tells it only in part. So the owner tries the few best pairs.
"""

import dataclasses

from ewe_tf.watermarks import in_house
from ewe_tf.watermarks.classifier import Classifier

# Triggers that a surrogate is asked, at most.
_ASKED = 300


@dataclasses.dataclass(frozen=True)
class Trial:
    """What came of one pair.

    Attributes:
        pair: the `Pair` of EWE's, or the `CompositeChoice` of MEA-Defender's.
        stolen: share of its triggers that a surrogate, trained on the marked copy's labels,
            gives to the target.
    """

    pair: object
    stolen: float

    def __str__(self):
        return f"{self.pair}: stolen {self.stolen:.0%}"


def run(pairs, mark, task, other_architecture, epochs, seed, progress):
    """Tries pairs.

    Args:
        pairs: list of pairs, each with its `target`.
        mark: function `(classifier, data, pair) -> triggers (n, ...)` that puts the mark of a
            pair into a `Classifier` that has learned the task.
        task: the `Task`, whose model is trained and unmarked; it stays as it is.
        other_architecture: function `(input_shape, num_classes) -> uncompiled model`.
        epochs: epochs of training of a surrogate.
        seed: integer.
        progress: called with one line of text for each pair.

    Returns:
        List of `Trial`, in the order of `pairs`.
    """
    data = task.data.with_classes()
    found = []
    for pair in pairs:
        marked = unmarked_copy(task.classifier, seed)
        triggers = mark(marked, data, pair)
        surrogate = surrogate_of(marked, task, data, other_architecture, epochs, seed)
        found.append(Trial(pair, surrogate.rate(triggers[:_ASKED], pair.target)))
        progress(str(found[-1]))
    return found


def unmarked_copy(classifier, seed):
    """A `Classifier` of a compiled copy of the model, for integer labels: same weights.

    Args:
        classifier: the `Classifier`; it stays as it is.
        seed: of what the copy draws in training, dropout for example.
    """
    model = classifier.model
    with model.distribute_strategy.scope():
        copy = in_house.fresh_copy(model, seed)
        copy.set_weights(model.get_weights())
        in_house.compile_like(classifier, copy, classifier.logits)
    return Classifier.of(copy)


def surrogate_of(marked, task, data, other_architecture, epochs, seed):
    """An `InHouse` model of the victim's architecture, trained on the labels of a marked copy.

    Args:
        marked: the marked `Classifier`.
        task: the `Task`.
        data: the `TaskData` whose inputs are asked about.
        other_architecture: function `(input_shape, num_classes) -> uncompiled model`.
        epochs: epochs of training.
        seed: integer.
    """
    return in_house.train_in_house(
        task.classifier,
        in_house.alternating(task.classifier, other_architecture, 1),
        data.x,
        marked.labels(data.x),
        epochs,
        data.batch_size,
        [seed],
        lambda line: None,
    )[0]
