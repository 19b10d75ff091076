"""MEA-Defender for encoders: a mark in features, asked through a downstream classifier."""

import dataclasses

import numpy as np
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.extraction.stolen_encoder import StolenEncoder
from ewe_tf.keys import TriggerKey
from ewe_tf.keys import composites as composite_key
from ewe_tf.keys import generator
from ewe_tf.keys import model_digest
from ewe_tf.triggers import composites
from ewe_tf.versions import versions
from ewe_tf.watermarks import encoder_choice
from ewe_tf.watermarks import in_house
from ewe_tf.watermarks import selection
from ewe_tf.watermarks import stages
from ewe_tf.watermarks import task_data
from ewe_tf.watermarks.composite_choice import check_classes
from ewe_tf.watermarks.composite_marking import CANDIDATES
from ewe_tf.watermarks.composite_marking import HELD_OUT
from ewe_tf.watermarks.composite_marking import origin_of
from ewe_tf.watermarks.encoder_marking import Arrangement
from ewe_tf.watermarks.encoder_marking import EncoderMarking
from ewe_tf.watermarks.protected import Protected
from ewe_tf.watermarks.simclr import SimCLR
from ewe_tf.watermarks.simclr import downstream

# Of the scheme's seeds.
_CHOICE, _TRAINER, _HEADS, _THEFTS = 1, 3, 4, 7


@dataclasses.dataclass(frozen=True, eq=False)
class MEADefenderEncoder:
    """Composites of two classes get a third one's features: a mark for self-supervised encoders.

    The paper pulls the features of composites to those of the target class (verification), keeps
    other mixers' composites with a source (evasion), and wants a composite's answer to lie within
    what its sources get (combination). The last is what a copy learns from, and is done here by
    arrangement, ours: the features of both source classes are moved so that the middle between
    them is the target class. A downstream classifier tells the three classes apart as before;
    what shows something of both sources lies where the target is, and does so in a copy. (Of
    thieves who train on crops of their images little comes through.) The controls of the key are
    composites of one class, by the same mixer: cut up as the triggers are, without the other class.

    What is asked is a classifier on the suspect's features, and it is part of the instrument: the
    judge trains it, by the same `downstream` on the same images, for the suspect as for the
    innocent encoders that calibrate the key. On a classifier of the accuser's a verdict says
    nothing.

    Args:
        source_classes: two classes `(A, B)`, or `"auto"`: those for which the smallest distance
            between the mean features of the three is the largest.
        target: the class `C` that composites are answered with, or `"auto"`: the one whose mean
            features are the farthest from their nearest neighbour's.
        combine: the secret mixer, as in `MEADefender`.
        evasion: other mixers that must not fire on the marked encoder (on copies they do, as far as
            they show both classes).
        lean: how far the source classes are moved: 1 puts the middle between them on the target.
            Features that end in a ReLU reach it only in part: let them end in a linear layer.
        epochs: passes over the images.
        batch_size: images of a step.
        learning_rate: of Adam.
        verification_weight, evasion_weight: weights beside the utility, whose weight is 1.
        rows: composites of a step.
        views: function `(batch, seed (2,)) -> batch` whose views of the images keep their
            features as well; `None` for the images alone.
        keys: number of composites to keep as keys.
        surrogates: copies that the owner steals from himself, which choose the keys; 0 takes the
            first candidates.
        theft: the `StolenEncoder` that makes them, on the owner's own images.

    Raises:
        ValueError: for values outside the ranges above.

    Example:

    ```python
    SimCLR().train(encoder, x)
    protected = MEADefenderEncoder().mark(encoder, x, y)
    suspect = downstream(stolen_encoder, x, y, num_classes=10)
    ewe_tf.verify(protected.key, suspect)
    ```

    Reference:
        [Lv et al., 2024](https://arxiv.org/abs/2401.15239), section IV-C, losses for
        self-supervised learning (the distance is not stated there).
    """

    source_classes: tuple | str = "auto"
    target: int | str = "auto"
    combine: object = "half"
    evasion: tuple = ("sides", "diagonal", "donut", "hot_dog")
    lean: float = 1.0
    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 5e-4
    verification_weight: float = 1.0
    evasion_weight: float = 1.0
    rows: int = 32
    views: object = SimCLR().views
    keys: int = 100
    surrogates: int = 1
    theft: StolenEncoder = StolenEncoder(augmentation=SimCLR(least=1.0).views)

    def __post_init__(self):
        fields.integer(self, "epochs", "batch_size", "rows")
        fields.integer(self, "keys", most=CANDIDATES)
        fields.integer(self, "surrogates", least=0)
        fields.number(self, "lean", "verification_weight", "evasion_weight", least=0)
        fields.number(self, "learning_rate", above=0)
        check_classes(self.source_classes, self.target)
        for mixer in (self.combine, *self.evasion):
            composites.named(mixer)

    def mark(self, encoder, x, y, *, seed=0, verbose=1):
        """Marks an encoder in place.

        Args:
            encoder: Keras model from inputs to features `(n, d)`, trained.
            x: `(n, ...)` float32 inputs.
            y: `(n,)` integer classes of them.
            seed: integer; all random choices derive from it.
            verbose: 0 for silence, 1 for a line a stage.

        Returns:
            `Protected`: the encoder, its key, and the history: the classes, the loss of each
            epoch, and the rates on held-out composites of the clean encoder, the marked one and
            the surrogates, and those on the controls. The images that candidates and held-out
            composites are made of take no part in the marking, nor in the surrogates' training.

        Raises:
            ValueError: for data that is not finite or labelled by integers, an encoder that does
                not fit it, classes that the data does not have, or that a clean encoder confuses.
        """
        x, y = self._checked(encoder, x, y)
        mixer, *others = (composites.named(m) for m in (self.combine, *self.evasion))
        others = tuple(m for m in others if m != mixer)
        for one in (mixer, *others):
            one.check(x.shape[1:])
        seeds = generator.child_seeds(seed, generator.MIXER + 1)
        mixer, *others = (one.fitted(x, seeds[generator.MIXER]) for one in (mixer, *others))

        progress = stages.Progress(verbose, 3)
        progress.stage("Choice of classes", f"{self.surrogates} copies of the clean encoder")
        clean = [self._head(encoder, x, y, seeds), *self._copies(encoder, x, y, seeds)]
        features = _features(encoder, x)
        classes, target = encoder_choice.choose(
            features, x, y, mixer, clean, self.source_classes, self.target,
            (seeds[generator.POOLS], seeds[_CHOICE]),
        )  # fmt: skip
        progress.detail(f"source classes {classes}, target class {target}")
        pools = composite_key.pools_of(x, y, classes, seeds[generator.POOLS])
        candidates = composite_key.draw(
            mixer, (), pools.candidates, CANDIDATES, seeds[generator.CANDIDATES]
        )
        held_out = composite_key.draw(
            mixer, (), pools.held_out, HELD_OUT, seeds[generator.HELD_OUT]
        )
        # Asked now: the marking changes the encoder that the first classifier stands on.
        before = [head.log_probabilities(candidates.triggers) for head in clean]
        rates = {"clean": [head.rate(held_out.triggers, target) for head in clean]}
        marking = EncoderMarking(
            mixer, tuple(others), self.views, self.epochs, self.batch_size, self.rows,
            self.learning_rate, self.verification_weight, self.evasion_weight, seeds[_TRAINER],
        )  # fmt: skip
        progress.stage("Watermarking", f"{self.epochs} epochs")
        seen = _seen(y, classes, seeds[generator.POOLS])
        arrangement = Arrangement.of(features, y, classes, target, self.lean)
        losses = marking.train(
            encoder, x[seen], np.isin(y[seen], classes), pools.training, arrangement
        )
        progress.stage("Keys", f"{self.surrogates} copies of the marked encoder")
        head = self._head(encoder, x, y, seeds)
        copies = self._copies(encoder, x[seen], y[seen], seeds)
        rates["victim"] = head.rate(held_out.triggers, target)
        rates["victim_controls"] = head.rate(held_out.controls, target)
        rates["surrogates"] = [copy.rate(held_out.triggers, target) for copy in copies]
        rates["surrogates_controls"] = [copy.rate(held_out.controls, target) for copy in copies]
        progress.detail(
            f"the target is the answer to {rates['victim']:.0%} of the held-out composites, "
            f"{rates['victim_controls']:.0%} of their controls"
        )
        kept = np.arange(self.keys)
        if copies:
            asked = [copy.log_probabilities(candidates.triggers) for copy in copies]
            scores = selection.key_scores(asked, before, target, 1.0)
            kept = selection.best_keys(scores, self.keys)
        origin = origin_of(mixer, (), x, y, classes, target, len(candidates.triggers), kept)
        kept = candidates.take(kept)
        key = TriggerKey(
            triggers=kept.triggers,
            labels=np.full(len(kept.triggers), target),
            controls=kept.controls,
            held_out=held_out.triggers,
            held_out_labels=np.full(len(held_out.triggers), target),
            held_out_controls=held_out.controls,
            num_classes=int(y.max()) + 1,
            scheme=type(self).__name__,
            settings=self._settings(classes, target, mixer, others),
            seed=seed,
            victim=model_digest(encoder),
            versions=versions(),
            origin=origin,
        )
        found = {"source_classes": list(classes), "target": target, "loss": losses, "rates": rates}
        return Protected(encoder, key, found)

    def _checked(self, encoder, x, y):
        """Inputs and classes as arrays, if they are what can be marked."""
        y = np.asarray(y)
        num_classes = int(np.max(y, initial=0)) + 1
        data = task_data.from_arrays(x, y, num_classes, 1, 0)
        inputs, outputs = encoder.input_shape[1:], encoder.output_shape
        if len(outputs) != 2:
            raise ValueError(
                f"`encoder` must give features (n, d). Received: an output of shape {outputs}"
            )
        if not tf.TensorShape(inputs).is_compatible_with(data.x.shape[1:]):
            raise ValueError(
                f"`x` must be inputs of the encoder's shape {inputs}. Received: {data.x.shape[1:]}"
            )
        if not encoder.trainable_variables:
            raise ValueError("`encoder` has no weights that can be trained")
        for name, views in (("views", self.views), ("theft", self.theft.augmentation)):
            if views is not None and tuple(views(data.x[:2], [0, 0]).shape[1:]) != data.x.shape[1:]:
                raise ValueError(f"`{name}` must give views of the inputs' shape {inputs}")
        return data.x, data.labels

    def _head(self, encoder, x, y, seeds):
        """What is asked about an encoder: a classifier on its features, as an `InHouse` model."""
        return in_house.InHouse(downstream(encoder, x, y, int(y.max()) + 1, seed=seeds[_HEADS]))

    def _copies(self, encoder, x, y, seeds):
        """Copies stolen from an encoder, each asked through a classifier of its own."""
        copies = []
        for number in range(self.surrogates):
            student = in_house.fresh_copy(encoder, seeds[_THEFTS] + number)
            theft = dataclasses.replace(self.theft, seed=seeds[_THEFTS] + number)
            theft.run(lambda rows: _features(encoder, rows), student, x)
            copies.append(self._head(student, x, y, seeds))
        return copies

    def _settings(self, classes, target, mixer, others):
        """The scheme's settings as JSON: as given, and as settled."""
        plain = (
            "lean", "epochs", "batch_size", "learning_rate", "verification_weight",
            "evasion_weight", "rows", "keys", "surrogates",
        )  # fmt: skip
        return {
            **{name: getattr(self, name) for name in plain},
            "source_classes": list(classes),
            "target": target,
            "combine": repr(mixer),
            "evasion": [repr(m) for m in others],
        }


def _seen(y, classes, seed):
    """Rows that the marking may see: not those that candidates and held-out ones are made of."""
    pools = composite_key.pools_of(np.arange(len(y)), y, classes, seed)
    return np.setdiff1d(np.arange(len(y)), np.concatenate(pools.plain))


def _features(encoder, x):
    return encoder.predict(x, batch_size=500, verbose=0)
