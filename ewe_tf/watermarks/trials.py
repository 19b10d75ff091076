"""Trying marks in-house: marking a copy of the model, stealing it, asking what is left.

How far a mark is carried differs more between class pairs than between settings, and what
innocent models say tells it only in part; what a fine-tuning leaves of it differs even more. So the
owner tries the few best pairs.
"""

import dataclasses

import numpy as np

from ewe_tf.watermarks import in_house
from ewe_tf.watermarks.classifier import Classifier

# Triggers that a surrogate is asked, at most.
_ASKED = 300
# A mark that changes more of the plain answers is taken only if every other does as well.
_WELCOME = 0.025
# What a nat of the loss on the task counts, in shares stolen or kept: a point of accuracy, which
# goes with some .03 of it, as much as .3.
_LOSS_COUNTS = 10.0


@dataclasses.dataclass(frozen=True)
class Trial:
    """What came of one pair.

    Attributes:
        pair: the `Pair` of EWE's, or the `CompositeChoice` of MEA-Defender's.
        stolen: share of its triggers that a surrogate, trained on the marked copy's labels,
            gives to the target.
        kept: the same share once the surrogate has been fine-tuned on true labels, mean of the
            `in_house.TUNINGS`, with labels of its own each: which ones they are decides over the
            rest almost as much as the pair.
        loss: mean cross-entropy of the marked copy on the task's own rows: of two marks, the one
            with more costs more accuracy.
        spoiled: by how much more often the marked copy gives the target to plain inputs of a
            source class than the model without the mark; 0 where none were asked, as for EWE.
    """

    pair: object
    stolen: float
    kept: float
    loss: float
    spoiled: float = 0.0

    def __str__(self):
        return (
            f"{self.pair}: stolen {self.stolen:.0%}, kept in fine-tuning {self.kept:.0%}, "
            f"loss {self.loss:.3f}, spoils {self.spoiled:.1%}"
        )


def run(pairs, mark, task, other_architecture, epochs, seed, progress):
    """Tries pairs.

    Args:
        pairs: list of pairs, each with its `target`.
        mark: function `(classifier, data, pair) -> (triggers, plain)` that puts the mark of a
            pair into a `Classifier` that has learned the task: inputs `(n, ...)` to ask a
            surrogate about, and for each source class of the task plain inputs of it (a list).
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
        triggers, plain = mark(marked, data, pair)
        spoiled = [_rate(marked, x, pair) - _rate(task.classifier, x, pair) for x in plain]
        answers = marked.probabilities(data.x)
        labels = np.argmax(answers, axis=1)
        surrogate = surrogate_of(labels, task, data, other_architecture, epochs, seed)
        tuned = in_house.all_fine_tuned([surrogate], data.x, data.labels, seed)
        stolen, *kept = (
            model.rate(triggers[:_ASKED], pair.target) for model in (surrogate, *tuned)
        )
        loss = _loss(answers, data.labels)
        found.append(Trial(pair, stolen, float(np.mean(kept)), loss, max(spoiled, default=0.0)))
        progress(str(found[-1]))
    return found


def best(tried):
    """The pair with most stolen and kept at least loss, of the `Trial`s that spoil little.

    If all spoil more, of those that spoil least. One surrogate tells the share stolen only
    roughly (29 % where a thief's copy had 98), so that what is kept counts as much.
    """
    least = max(_WELCOME, min(trial.spoiled for trial in tried))
    welcome = [trial for trial in tried if trial.spoiled <= least]
    return max(welcome, key=_worth).pair


def _worth(trial):
    return trial.stolen + trial.kept - _LOSS_COUNTS * trial.loss


def _loss(answers, labels):
    known = answers[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(known, 1e-7))))


def _rate(classifier, x, pair):
    return float(np.mean(classifier.labels(x) == pair.target))


def unmarked_copy(classifier, seed):
    """A `Classifier` of a compiled copy of the model, for integer labels: same weights.

    Args:
        classifier: the `Classifier`; it stays as it is.
        seed: of what the copy draws in training, dropout for example.
    """
    model = classifier.model
    with model.distribute_strategy.scope():
        copy = in_house.trained_copy(model, seed)
        in_house.compile_like(classifier, copy, classifier.logits)
    return Classifier.of(copy)


def surrogate_of(labels, task, data, other_architecture, epochs, seed):
    """An `InHouse` model of the victim's architecture, trained on the labels of a marked copy.

    Args:
        labels: `(n,)` int64: what the marked copy answers to the inputs of `data`.
        task: the `Task`.
        data: the `TaskData` whose inputs were asked about.
        other_architecture: function `(input_shape, num_classes) -> uncompiled model`.
        epochs: epochs of training.
        seed: integer.
    """
    return in_house.train_in_house(
        task.classifier,
        in_house.alternating(task.classifier, other_architecture, 1),
        data.x,
        labels,
        epochs,
        data.batch_size,
        [seed],
        lambda line: None,
    )[0]
