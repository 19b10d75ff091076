"""Trying marks in-house: marking a copy of the model, stealing it, asking what is left.

How far a mark is carried differs more between class pairs than between settings, and what
innocent models say tells it only in part; what a fine-tuning leaves of it differs even more. So
the owner tries the few best pairs. One theft says little about a pair: the better half of them is
stolen again, and the better half of those twice more. (Successive halving: Jamieson and
Talwalkar, AISTATS 2016.)
"""

import dataclasses
import math

import numpy as np

from ewe_tf.watermarks import fine_tuning
from ewe_tf.watermarks import in_house
from ewe_tf.watermarks.classifier import Classifier

# Triggers that a surrogate is asked, at most.
_ASKED = 300
# Further surrogates of the better half of the pairs, and of the better half of those.
_FURTHER = (1, 2)
# Share of its triggers that a fine-tuned surrogate need answer: of the keys, which are selected, a
# copy then answers twice as many, which is about what a verdict needs.
_ENOUGH = 0.1
# A mark that changes more of the plain answers is taken only if every other does as well.
_WELCOME = 0.025
# What a nat of the loss on the task counts, in shares stolen or outlasted: a point of accuracy,
# which goes with some .03 of it, as much as .3.
_LOSS_COUNTS = 10.0
# What the rate counts at which innocent models give a pair's target: what fine-tuning keeps of a
# mark may be what fine-tuning brings to every model, and such a key accuses strangers. (Of marks
# of a rate below .01 strangers answered 15 % at most, of six of a higher one up to 47 %.) Up to
# half a per cent it counts nothing: that is less than one answer of two hundred.
_NULL_COUNTS, _NULL_FREE = 50.0, 0.005


@dataclasses.dataclass(frozen=True)
class Trial:
    """What came of one pair.

    Attributes:
        pair: the `Pair` of EWE's, or the `CompositeChoice` of MEA-Defender's.
        stolen: share of its triggers that a surrogate, trained on the marked copy's labels,
            gives to the target, mean of its surrogates.
        kept: the same share once a surrogate has been fine-tuned on true labels, mean of the
            `fine_tuning.TUNINGS`, with labels of its own each: which ones they are decides over the
            rest almost as much as the pair.
        outlasted: share of these fine-tunings that leave a tenth of the triggers; one that
            leaves less counts by as much less.
        loss: mean cross-entropy of the marked copy on the task's own rows: of two marks, the one
            with more costs more accuracy.
        spoiled: by how much more often the marked copy gives the target to plain inputs of a
            source class than the model without the mark; 0 where none were asked, as for EWE.
        surrogates: how many there were.
    """

    pair: object
    stolen: float
    kept: float
    outlasted: float
    loss: float
    spoiled: float = 0.0
    surrogates: int = 1

    def __str__(self):
        thefts = f" ({self.surrogates} surrogates)" if self.surrogates > 1 else ""
        return (
            f"{self.pair}: stolen {self.stolen:.0%}, kept in fine-tuning {self.kept:.0%}, outlasts "
            f"{self.outlasted:.0%}{thefts}, loss {self.loss:.3f}, spoils {self.spoiled:.1%}"
        )


@dataclasses.dataclass
class _Marked:
    """A pair whose mark was put into a copy of the model, and what thefts have brought so far."""

    pair: object
    triggers: np.ndarray
    labels: np.ndarray
    loss: float
    spoiled: float
    thefts: list = dataclasses.field(default_factory=list)

    @property
    def trial(self):
        stolen, *kept = np.array(self.thefts).T
        outlasted = np.minimum(np.divide(kept, _ENOUGH), 1)
        return Trial(
            self.pair,
            float(np.mean(stolen)),
            float(np.mean(kept)),
            float(np.mean(outlasted)),
            self.loss,
            self.spoiled,
            len(self.thefts),
        )


def shortlist(ranked, count, targets):
    """The first `count` pairs, and others where these have fewer targets than so many."""
    chosen = list(ranked[:count])
    for pair in ranked[count:]:
        known = {one.target for one in chosen}
        if len(known) < targets and pair.target not in known:
            chosen.append(pair)
    return chosen


def run(pairs, mark, task, epochs, seed, progress):
    """Tries pairs, the better ones with more surrogates.

    Args:
        pairs: list of pairs, each with its `target`.
        mark: function `(classifier, data, pair) -> (triggers, plain)` that puts the mark of a
            pair into a `Classifier` that has learned the task: inputs `(n, ...)` to ask a
            surrogate about, and for each source class of the task plain inputs of it (a list).
        task: the `Task`, whose model is trained and unmarked; it stays as it is.
        epochs: epochs of training of a surrogate.
        seed: integer.
        progress: called with one line of text for each pair and round.

    Returns:
        List of `Trial`, in the order of `pairs`.
    """
    data = task.data.with_classes()

    def steal(one, times=1):
        for _ in range(times):
            draw = seed + len(fine_tuning.TUNINGS) * len(one.thefts)
            surrogate = surrogate_of(one.labels, task, data, epochs, draw)
            tuned = fine_tuning.all_fine_tuned([surrogate], data.x, data.labels, draw)
            one.thefts.append([m.rate(one.triggers, one.pair.target) for m in (surrogate, *tuned)])
        progress(str(one.trial))

    tried = []
    for pair in pairs:
        marked = unmarked_copy(task.classifier, seed)
        triggers, plain = mark(marked, data, pair)
        spoiled = [_rate(marked, x, pair) - _rate(task.classifier, x, pair) for x in plain]
        answers = marked.probabilities(data.x)
        tried.append(
            _Marked(
                pair,
                triggers[:_ASKED].copy(),
                np.argmax(answers, axis=1),
                _loss(answers, data.labels),
                max(spoiled, default=0.0),
            )
        )
        steal(tried[-1])
    left = tried
    for times in _FURTHER:
        rank = _rank([one.trial for one in left])
        left = sorted(left, key=lambda one: rank(one.trial))[: math.ceil(len(left) / 2)]
        if len(left) == 1:
            break
        for one in left:
            steal(one, times)
    return [one.trial for one in tried]


def best(tried, count=1):
    """The pairs with most stolen and outlasted, at least loss and with least from innocent models.

    The `Trial`s with most surrogates come first. Pairs that spoil more than little come last,
    those that spoil least first. Every pair has another target: where there are no more, fewer
    than `count` are returned.
    """
    pairs = {}
    for surrogates in sorted({trial.surrogates for trial in tried}, reverse=True):
        alike = [trial for trial in tried if trial.surrogates == surrogates]
        for trial in sorted(alike, key=_rank(alike)):
            pairs.setdefault(trial.pair.target, trial.pair)
    return list(pairs.values())[:count]


def _rank(tried):
    """The function by whose value a `Trial` is ranked among those tried, the best one lowest.

    A surrogate tells the share stolen only roughly (29 % where a thief's copy had 98), so that
    what fine-tuning leaves counts as much.
    """
    least = max(_WELCOME, min(trial.spoiled for trial in tried))

    def rank(trial):
        null = max((trial.pair.null_rate or 0.0) - _NULL_FREE, 0.0)
        cost = _LOSS_COUNTS * trial.loss + _NULL_COUNTS * null
        return trial.spoiled > least, cost - trial.stolen - trial.outlasted

    return rank


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


def surrogate_of(labels, task, data, epochs, seed):
    """An `InHouse` model of the victim's architecture, trained on the labels of a marked copy.

    Args:
        labels: `(n,)` int64: what the marked copy answers to the inputs of `data`.
        task: the `Task`.
        data: the `TaskData` whose inputs were asked about.
        epochs: epochs of training.
        seed: integer.
    """
    return in_house.train_in_house(
        task.classifier,
        [lambda draw: in_house.fresh_copy(task.classifier.model, draw)],
        data.x,
        labels,
        epochs,
        data.batch_size,
        [seed],
        lambda line: None,
    )[0]
