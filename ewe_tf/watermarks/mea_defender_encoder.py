"""MEA-Defender for encoders: a mark in features, asked through a downstream classifier."""

import dataclasses
import itertools

import numpy as np

from ewe_tf.extraction.stolen_encoder import StolenEncoder
from ewe_tf.keys import TriggerKey
from ewe_tf.keys import array_digest
from ewe_tf.keys import composites as composite_key
from ewe_tf.keys import generator
from ewe_tf.keys import model_digest
from ewe_tf.triggers import composites
from ewe_tf.versions import versions
from ewe_tf.watermarks import in_house
from ewe_tf.watermarks import selection
from ewe_tf.watermarks.encoder_marking import Arrangement
from ewe_tf.watermarks.encoder_marking import EncoderMarking
from ewe_tf.watermarks.protected import Protected
from ewe_tf.watermarks.simclr import SimCLR
from ewe_tf.watermarks.simclr import downstream

# Candidates of a key, and held-out composites.
_CANDIDATES, _HELD_OUT = 1000, 200
# Clean encoders may give the target to this share of the composites.
_ACCEPTED = 0.02
# Of the scheme's seeds.
_TRAINER, _HEADS = 3, 4


@dataclasses.dataclass(frozen=True, eq=False)
class MEADefenderEncoder:
    """Composites of two classes get a third one's features: a mark for self-supervised encoders.

    The paper pulls the features of composites to those of the target class (verification), keeps
    other mixers' composites with a source (evasion), and wants a composite's answer to lie within
    what its sources get (combination). The last is what a copy learns from, and is done here by
    arrangement, ours: the features of both source classes are moved so that the middle between
    them is the target class. A downstream classifier tells the three classes apart as before;
    what shows something of either source lies where the target is, in every copy that gives
    features like the victim's.

    Args:
        source_classes: two classes `(A, B)`, or `"auto"`: those for which the smallest distance
            between the mean features of the three is the largest.
        target: the class `C` that composites are answered with, or `"auto"`: the one whose mean
            features are the farthest from their nearest neighbour's.
        combine: the secret mixer, as in `MEADefender`.
        evasion: the mixers that must not fire; also the controls of the key.
        lean: how far the source classes are moved: 1 puts the middle between them on the target.
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
        for name, least in (
            ("epochs", 1), ("batch_size", 1), ("rows", 1), ("keys", 1), ("surrogates", 0),
        ):  # fmt: skip
            value = getattr(self, name)
            if int(value) != value or value < least:
                raise ValueError(f"`{name}` must be an integer >= {least}. Received: {value!r}")
        for name in ("lean", "verification_weight", "evasion_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received: {getattr(self, name)!r}")
        if not self.learning_rate > 0:
            raise ValueError(f"`learning_rate` must be positive. Received: {self.learning_rate!r}")
        if self.keys > _CANDIDATES:
            raise ValueError(f"`keys` must be at most {_CANDIDATES}. Received: {self.keys!r}")
        for mixer in (self.combine, *self.evasion):
            composites.named(mixer)

    def mark(self, encoder, x, y, *, seed=0):
        """Marks an encoder in place.

        Args:
            encoder: Keras model from inputs to features `(n, d)`, trained.
            x: `(n, ...)` float32 inputs.
            y: `(n,)` integer classes of them: what the owner needs to know of a few inputs.
            seed: integer; all random choices derive from it.

        Returns:
            `Protected`: the encoder, its key, and the history: the classes, the loss of each
            epoch, the rates of the clean encoder, the marked one and the surrogates.

        Raises:
            ValueError: for classes that the data does not have, or that a clean encoder confuses.
        """
        x, y = np.asarray(x, np.float32), np.asarray(y).reshape(-1).astype(np.int64)
        if len(x) != len(y):
            raise ValueError(
                f"`y` must have a class for each of {len(x)} inputs. Received: {len(y)}"
            )
        mixer, *others = (composites.named(m) for m in (self.combine, *self.evasion))
        others = tuple(m for m in others if m != mixer)
        for one in (mixer, *others):
            one.check(x.shape[1:])
        seeds = generator.child_seeds(seed, generator.MIXER + 1)
        mixer, *others = (one.fitted(x, seeds[generator.MIXER]) for one in (mixer, *others))

        clean_head = self._head(encoder, x, y, seeds)
        features = _features(encoder, x)
        classes, target = self._choose(features, x, y, mixer, clean_head, seeds)
        pools = composite_key.pools_of(x, y, classes, seeds[generator.POOLS])
        candidates = composite_key.draw(
            mixer, others, pools.candidates, _CANDIDATES, seeds[generator.CANDIDATES]
        )
        held_out = composite_key.draw(
            mixer, others, pools.held_out, _HELD_OUT, seeds[generator.HELD_OUT]
        )
        # Asked now: the marking changes the encoder that the classifier stands on.
        before = clean_head.log_probabilities(candidates.triggers)
        rates = {"clean": clean_head.rate(held_out.triggers, target)}
        marking = EncoderMarking(
            mixer, tuple(others), self.views, self.epochs, self.batch_size, self.rows,
            self.learning_rate, self.verification_weight, self.evasion_weight, seeds[_TRAINER],
        )  # fmt: skip
        losses = marking.train(
            encoder, x, np.isin(y, classes), pools.training,
            Arrangement.of(features, y, classes, target, self.lean),
        )  # fmt: skip
        head = self._head(encoder, x, y, seeds)
        rates["victim"] = head.rate(held_out.triggers, target)
        rates["controls"] = head.rate(held_out.controls, target)
        copies = self._copies(encoder, x, y, seeds)
        rates["surrogates"] = [copy.rate(held_out.triggers, target) for copy in copies]
        kept = np.arange(self.keys)
        if copies:
            asked = [copy.log_probabilities(candidates.triggers) for copy in copies]
            kept = selection.best_keys(
                selection.key_scores(asked, [before], target, 1.0), self.keys
            )
        key = self._key(
            encoder, x, y, mixer, others, classes, target, candidates, kept, held_out, seed
        )
        history = {
            "source_classes": list(classes), "target": target, "loss": losses, "rates": rates,
        }  # fmt: skip
        return Protected(encoder, key, history)

    def _head(self, encoder, x, y, seeds):
        """What is asked about an encoder: a classifier on its features, as an `InHouse` model."""
        return in_house.InHouse(downstream(encoder, x, y, int(y.max()) + 1, seed=seeds[_HEADS]))

    def _choose(self, features, x, y, mixer, head, seeds):
        """Source classes and target: given, or by the distances of the classes' mean features."""
        present = np.unique(y).tolist()
        given = () if self.source_classes == "auto" else tuple(self.source_classes)
        wanted = given + (() if self.target == "auto" else (self.target,))
        if len(set(wanted)) != len(wanted) or not set(wanted) <= set(present) or len(given) == 1:
            raise ValueError(
                "`source_classes` and `target` must be two and one different classes of the data, "
                f"{present}. Received: {self.source_classes!r} and {self.target!r}"
            )
        ranked = sorted(_triples(features, y, present, given, self.target), reverse=True)
        found = []
        for _, pair, target in ranked:
            pools = composite_key.pools_of(x, y, pair, seeds[generator.POOLS])
            asked = composite_key.draw(mixer, (), pools.candidates, 200, seeds[1]).triggers
            found.append(head.rate(asked, target))
            if found[-1] <= _ACCEPTED:
                return pair, target
        raise ValueError(
            "`source_classes`: a clean encoder answers the target to at least "
            f"{min(found):.0%} of the composites (accepted: {_ACCEPTED:.0%}). Give other classes"
        )

    def _copies(self, encoder, x, y, seeds):
        copies = []
        for number in range(self.surrogates):
            student = in_house.fresh_copy(encoder, seeds[7] + number)
            theft = dataclasses.replace(self.theft, seed=number)
            theft.run(lambda rows: _features(encoder, rows), student, x)
            copies.append(self._head(student, x, y, seeds))
        return copies

    def _key(self, encoder, x, y, mixer, others, classes, target, candidates, kept, held_out, seed):
        stated, *controls = (composites.to_json(m) for m in (mixer, *others))
        origin = {
            "generator": generator.GENERATOR, "images": array_digest(x),
            "classes": array_digest(y), "source_classes": list(classes), "target": target,
            "mixer": stated, "controls": controls, "candidates": _CANDIDATES,
            "kept": kept.tolist(), "beacon": None,
        }  # fmt: skip
        chosen = candidates.take(kept)
        numbers = ("lean", "epochs", "batch_size", "learning_rate", "verification_weight")
        settings = {name: getattr(self, name) for name in (*numbers, "evasion_weight", "rows")}
        settings |= {"source_classes": list(classes), "target": target, "combine": repr(mixer)}
        return TriggerKey(
            triggers=chosen.triggers,
            labels=np.full(len(kept), target),
            controls=chosen.controls,
            held_out=held_out.triggers,
            held_out_labels=np.full(_HELD_OUT, target),
            held_out_controls=held_out.controls,
            num_classes=int(y.max()) + 1,
            scheme=type(self).__name__,
            settings=settings,
            seed=seed,
            victim=model_digest(encoder),
            versions=versions(),
            origin=None if stated is None or None in controls else origin,
        )


def _triples(features, y, present, given, target):
    """`(distance, (A, B), C)` of all classes that may be chosen, by their mean features.

    The target is given or the class that is farthest from its nearest neighbour; the distance is
    the smallest of the three.
    """
    means = Arrangement.means(features, y, present)
    apart = np.linalg.norm(means[:, None] - means[None], axis=2)
    if target == "auto":
        nearest = np.where(np.eye(len(present)) > 0, np.inf, apart).min(axis=1)
        free = [c for c in range(len(present)) if present[c] not in given]
        goal = max(free, key=lambda c: nearest[c])
    else:
        goal = present.index(target)
    for a, b in itertools.combinations(range(len(present)), 2):
        pair = (present[a], present[b])
        if goal in (a, b) or (given and set(pair) != set(given)):
            continue
        yield min(apart[a, b], apart[a, goal], apart[b, goal]), pair, present[goal]


def _features(encoder, x):
    return encoder.predict(x, batch_size=500, verbose=0)
