"""The stage that puts MEA-Defender's mark of some classes in, whichever model it is."""

import dataclasses

import numpy as np

from ewe_tf.keys import array_digest
from ewe_tf.keys import composites as composite_key
from ewe_tf.keys import generator
from ewe_tf.keys.attribute import is_whole
from ewe_tf.triggers import composites
from ewe_tf.watermarks import mea_defender_trainer as trainers
from ewe_tf.watermarks import stages
from ewe_tf.watermarks.mea_defender_batches import Layout
from ewe_tf.watermarks.mea_defender_batches import Secret
from ewe_tf.watermarks.mea_defender_batches import composite_batches
from ewe_tf.watermarks.normalization import statistics_from_task_rows

MODES = ("explicit", "mgda", "released")
# Of the scheme's seeds.
_TRAINER, _BATCHES = 3, 4
# Candidates of a key, held-out composites, and those that a trial asks about.
CANDIDATES, HELD_OUT, _TRIED = 1000, 200, 300


@dataclasses.dataclass(frozen=True, eq=False)
class CompositeMarking:
    """How classes are marked with composites.

    Attributes:
        mixer: the secret `Mixer`.
        evasion: the mixers that must not fire.
        single: whether composites of one class keep it, as in `MEADefender`.
        mode: one of `MODES`, as in `MEADefender`.
        layout: `Layout` of one replica's part of a batch.
        weights: `Weights` of the terms.
        utility_floor: for `"mgda"`.
        epochs, learning_rate: of the stage, as in `MEADefender`.
        seeds: the scheme's seeds.
    """

    mixer: object
    evasion: tuple
    single: bool
    mode: str
    layout: Layout
    weights: trainers.Weights
    utility_floor: float
    epochs: int
    learning_rate: float | None
    seeds: list

    def pools(self, data, choice):
        """The `Pools` of source images of a `CompositeChoice`, out of `TaskData`."""
        return composite_key.pools_of(
            data.x, data.labels, choice.source_classes, self.seeds[generator.POOLS]
        )

    def candidates(self, pools, count=CANDIDATES):
        """`Composites` that keys are selected from."""
        return composite_key.draw(
            self.mixer, self.evasion, pools.candidates, count, self.seeds[generator.CANDIDATES]
        )

    def held_out(self, pools):
        """`Composites` that nothing is trained or selected on."""
        return composite_key.draw(
            self.mixer, self.evasion, pools.held_out, HELD_OUT, self.seeds[generator.HELD_OUT]
        )

    def origin(self, data, choice, candidates, kept, beacon):
        """What `ewe_tf.keys.regenerate` needs, as JSON; `None` if a mixer is not of `ewe_tf`.

        Args:
            data: the `TaskData`.
            choice: the `CompositeChoice`.
            candidates: number of candidates that were drawn.
            kept: rows of those that became keys.
            beacon: as in `Task`.
        """
        return origin_of(
            self.mixer, self.evasion, data.x, data.labels, choice.source_classes, choice.target,
            candidates, kept, beacon,
        )  # fmt: skip

    def secret(self, choice, pools):
        """The `Secret` of a choice."""
        return Secret(
            pools.training, choice.source_classes, choice.target, self.mixer, self.evasion,
            self.single,
        )  # fmt: skip

    def train(self, classifier, data, choice, pools, callbacks, validation_data, verbose):
        """Trains a `Classifier` that has learned the task; returns the history's dict."""
        model = classifier.model
        strategy = model.distribute_strategy
        with (
            stages.lowered_learning_rate(classifier, self.learning_rate),
            statistics_from_task_rows(model, self.layout.task),
        ):
            with strategy.scope():
                trainer = self._trainer(classifier, data)
            batches = composite_batches(
                data, self.secret(choice, pools), self.layout, strategy.num_replicas_in_sync,
                self.seeds[_BATCHES],
            )  # fmt: skip
            return stages.train_with(
                trainer, batches, self.epochs, callbacks, validation_data, verbose,
                steps=data.batches,
            )  # fmt: skip

    def mark(self, classifier, data, choice):
        """Marks a copy for a trial; see `ewe_tf.watermarks.trials.run`."""
        pools = self.pools(data, choice)
        self.train(classifier, data, choice, pools, [], None, 0)
        return self.candidates(pools, _TRIED).triggers, pools.plain

    def _trainer(self, classifier, data):
        common = (classifier, self.layout, self.weights, data.sparse, self.seeds[_TRAINER])
        if self.mode == "explicit":
            return trainers.CompositeTrainer(*common)
        if self.mode == "mgda":
            return trainers.MultipleGradientTrainer(*common, self.utility_floor)
        return trainers.ReleasedTrainer(*common, data.batches)


def origin_of(mixer, evasion, x, labels, classes, target, candidates, kept, beacon=None):
    """What `ewe_tf.keys.regenerate` needs, as JSON; `None` if a mixer is not of `ewe_tf`.

    Args:
        mixer, evasion: the secret `Mixer`, and those of the controls.
        x, labels: images and their classes, as the key's are drawn from.
        classes, target: the source classes and the target.
        candidates, kept, beacon: as in `CompositeMarking.origin`.
    """
    secret, *controls = (composites.to_json(m) for m in (mixer, *evasion))
    if secret is None or None in controls:
        return None
    return {
        "generator": generator.GENERATOR,
        "images": array_digest(x),
        "classes": array_digest(labels),
        "source_classes": list(classes),
        "target": target,
        "mixer": secret,
        "controls": controls,
        "candidates": candidates,
        "kept": kept.tolist(),
        "beacon": beacon,
    }


def check_whole(mixers, x):
    """Raises ValueError if composites are no inputs of a model that takes integers.

    Args:
        mixers: `Mixer`s, fitted.
        x: `(n, ...)` float32 inputs of the task.
    """
    few = x[:: -(-len(x) // 32)]
    for mixer in mixers:
        if not is_whole(mixer.compose(few, few[::-1], np.random.default_rng(0))):
            raise ValueError(
                "`combine` and `evasion` must be mixers that put parts together as they are, such "
                f"as 'half' and 'donut', for the model takes integers. Received: {mixer!r}"
            )
