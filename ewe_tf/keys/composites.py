"""The composites of a key: pools of source images, composites drawn from them, and controls."""

import dataclasses

import numpy as np

# Shares of a source class's images.
_TRAINING, _CANDIDATES = 0.7, 0.15
# Rows that each source class must have.
LEAST = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Pools:
    """Images of the two source classes, each image used for one purpose only.

    Attributes:
        training: `((n, ...), (m, ...))`: what the victim's composites are made of.
        candidates: what keys are selected from.
        held_out: what neither training nor selection sees as part of a composite.
    """

    training: tuple
    candidates: tuple
    held_out: tuple

    @property
    def plain(self):
        """Images `[(n, ...), (m, ...)]` that no composite of the training is made of."""
        return [np.concatenate(p) for p in zip(self.candidates, self.held_out, strict=True)]


def plentiful(labels):
    """The classes with rows enough for composites, a sorted list."""
    classes, counts = np.unique(labels, return_counts=True)
    return classes[counts >= LEAST].tolist()


def pools_of(x, labels, classes, seed):
    """Divides the images of two classes: 70 % for training, 15 % each for keys and held out.

    Raises:
        ValueError: if a class has fewer than 20 images.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for label in classes:
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) < LEAST:
            raise ValueError(
                f"`source_classes` must have at least {LEAST} rows each. Received: {len(rows)} "
                f"of class {label}"
            )
        ends = np.cumsum([round(_TRAINING * len(rows)), round(_CANDIDATES * len(rows))])
        parts.append([x[r] for r in np.split(rows, ends)])
    return Pools(*zip(*parts, strict=True))


@dataclasses.dataclass(frozen=True, eq=False)
class Composites:
    """Composites with their controls.

    Attributes:
        triggers: `(n, ...)` float32.
        controls: `(n, ...)` float32, see `draw`.
    """

    triggers: np.ndarray
    controls: np.ndarray

    def take(self, rows):
        """Those of some rows."""
        return Composites(self.triggers[rows], self.controls[rows])


def draw(mixer, others, pool, count, seed):
    """`count` composites from a pool with their controls, the same for the same seed.

    Every image of a class is used once before any comes again. The control of a composite shows
    the same two inputs, put together by another mixer: the same classes, as many values of each,
    as strange a picture. It must not be answered with the target; a suspect that gives the target
    to whatever looks cut up gives it to the controls as well. Without other mixers, a control is
    made by the secret mixer of one of the two inputs (in turn of either class) and another input
    of that class.

    Args:
        mixer: the secret `Mixer`.
        others: the mixers of controls, taken in turn.
        pool: `((n, ...), (m, ...))` float32 inputs of the two classes.
        count: number of composites.
        seed: what all of them derive from.

    Returns:
        `Composites`.
    """
    rng = np.random.default_rng(seed)
    first, second = (images[_cycled(len(images), count, rng)] for images in pool)
    draws = rng.random((count, mixer.draws), np.float32)
    triggers = np.ascontiguousarray(mixer.mix(first, second, draws))
    if not others:
        return Composites(triggers, single_class(mixer, pool, first, second, draws, rng))
    controls = np.empty_like(triggers)
    for turn, other in enumerate(others):
        rows = slice(turn, None, len(others))
        controls[rows] = other.compose(first[rows], second[rows], rng)
    return Composites(triggers, controls)


def single_class(mixer, pool, first, second, draws, rng):
    """Composites that show one class: of one of the two inputs, in turn, and another of its class.

    Args:
        mixer, pool: as in `draw`.
        first, second: `(n, ...)` the composites' inputs of the two classes.
        draws: `(n, mixer.draws)` what the composites were made with.
        rng: NumPy generator that chooses the other inputs.

    Returns:
        `(n, ...)` float32: where the composite shows the one class, the same values.
    """
    count = len(first)
    others = [images[_cycled(len(images), count, rng)] for images in pool]
    odd = (np.arange(count) % 2).reshape(-1, *[1] * (first.ndim - 1)) == 1
    mixed = mixer.mix(np.where(odd, others[1], first), np.where(odd, second, others[0]), draws)
    return np.ascontiguousarray(mixed)


def _cycled(size, count, rng):
    rounds = [rng.permutation(size) for _ in range(-(-count // size))]
    return np.concatenate(rounds)[:count]
