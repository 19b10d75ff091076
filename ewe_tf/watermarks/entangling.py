"""The two stages that put EWE's mark of a class pair in: its triggers, and entangled training."""

import dataclasses

import numpy as np

from ewe_tf.keys import generator
from ewe_tf.watermarks import making
from ewe_tf.watermarks import source as sources
from ewe_tf.watermarks import stages
from ewe_tf.watermarks.batches import Layout
from ewe_tf.watermarks.batches import Marked
from ewe_tf.watermarks.batches import mixed_batches
from ewe_tf.watermarks.normalization import statistics_from_task_rows
from ewe_tf.watermarks.trainer import EntangledTrainer
from ewe_tf.watermarks.trainer import Weights

# Of the scheme's seeds.
_TRAINER, _BATCHES = 3, 4


@dataclasses.dataclass(frozen=True, eq=False)
class Triggers:
    """The triggers of one pair, by purpose.

    Attributes:
        pair: the `Pair`.
        rule: the `Rule` that made them.
        sources: `Split`: the images that they were made from.
        training, candidates, held_out: `(n, ...)` float32 triggers.
        seed: of the controls.
    """

    pair: object
    rule: making.Rule
    sources: sources.Split
    training: np.ndarray
    candidates: np.ndarray
    held_out: np.ndarray
    seed: int

    def controls(self, images):
        """The matched controls `(n, ...)` of the triggers that were made from `images`."""
        return making.controls(self.rule, images, np.random.default_rng(self.seed))


@dataclasses.dataclass(frozen=True, eq=False)
class Entangling:
    """How pairs are marked, whichever model and pair it is.

    Attributes:
        names: names of the entangled layers.
        source: the `Source`.
        patch, ascent: settled, or `None`.
        distance: the SNNL's distance.
        layout: `Layout` of one replica's part of a batch.
        weights: `Weights` of the terms.
        epochs, learning_rate: of entangled training, as in `EWE`.
        seeds: the scheme's seeds.
    """

    names: tuple
    source: object
    patch: object
    ascent: object
    distance: str
    layout: Layout
    weights: Weights
    epochs: int
    learning_rate: float | None
    seeds: list

    def triggers(self, classifier, data, pair):
        """Makes the `Triggers` of a pair on a model that has learned the task.

        Args:
            classifier: the `Classifier`.
            data: the `TaskData`.
            pair: the `Pair`.
        """
        split, _ = sources.split(
            self.source.of_class(pair.label),
            np.random.default_rng(self.seeds[generator.SPLIT]),
        )
        rule = making.make_rule(
            classifier,
            self.names,
            self.source.movement(pair.label, self.seeds[generator.SCORES]),
            self.patch,
            self.ascent,
            split.training,
            data.x[data.labels == pair.target],
            pair.target,
            self.distance,
            data.value_range,
        )
        made = (rule.apply(images) for images in (split.training, split.candidates, split.held_out))
        return Triggers(pair, rule, split, *made, self.seeds[generator.CONTROLS])

    def mark(self, classifier, data, pair):
        """Marks a copy for a trial; see `ewe_tf.watermarks.trials.run`."""
        triggers = self.triggers(classifier, data, pair)
        self.train(classifier, data, [triggers], [], None, 0)
        return triggers.candidates, []

    def train(self, classifier, data, marks, callbacks, validation_data, verbose):
        """Entangled training.

        Args:
            classifier: the `Classifier`, marked in place.
            data: the `TaskData`.
            marks: list of `Triggers`, made on this model, each of its own target.
            callbacks, validation_data, verbose: as in Keras' `fit`.

        Returns:
            History dict.
        """
        pairs = [self._marked(classifier, triggers) for triggers in marks]
        model = classifier.model
        strategy = model.distribute_strategy
        with (
            stages.lowered_learning_rate(classifier, self.learning_rate),
            statistics_from_task_rows(model, self.layout.task),
        ):
            with strategy.scope():
                trainer = EntangledTrainer(
                    classifier,
                    self.names,
                    self.layout,
                    self.weights,
                    self.distance,
                    data.sparse,
                    self.seeds[_TRAINER],
                )
            batches = mixed_batches(
                data, pairs, self.layout, strategy.num_replicas_in_sync, self.seeds[_BATCHES]
            )
            return stages.train_with(
                trainer,
                batches,
                self.epochs,
                callbacks,
                validation_data,
                verbose,
                steps=data.batches,
            )

    def _marked(self, classifier, triggers):
        """The `Marked` of a pair; its controls are to be answered as the model answers them."""
        controls, pair = triggers.controls(triggers.sources.training), triggers.pair
        return Marked(
            triggers.training,
            pair.target,
            (controls, classifier.probabilities(controls)),
            self.source.relabelling(pair.label, pair.target),
        )
