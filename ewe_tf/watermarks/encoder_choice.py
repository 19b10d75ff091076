"""Which classes of composites an encoder is marked with."""

import itertools

import numpy as np

from ewe_tf.keys import composites as composite_key
from ewe_tf.watermarks.encoder_marking import scaled_means

# Clean encoders may give the target to this share of the composites.
ACCEPTED = 0.02
# Composites that a clean encoder is asked, and the most triples that are tried.
_ASKED, _TRIED = 200, 100


def choose(features, x, y, mixer, heads, source_classes, target, seeds):
    """Source classes and target: given, or by the distances of the classes' mean features.

    Args:
        features: `(n, d)` of the clean encoder.
        x, y: `(n, ...)` images and `(n,)` int64 classes.
        mixer: the secret `Mixer`.
        heads: `InHouse` classifiers on clean encoders.
        source_classes: two classes, or `"auto"`.
        target: a class, or `"auto"`.
        seeds: two integers: of the pools, and of the composites that are asked.

    Returns:
        `(source_classes, target)`.

    Raises:
        ValueError: for classes that the data has not, or too few rows of, or if clean encoders
            give the target to more than 2 % of the composites of every choice.
    """
    plenty = composite_key.plentiful(y)
    given = () if source_classes == "auto" else tuple(int(c) for c in source_classes)
    for label in (*given, *(() if target == "auto" else (target,))):
        if label not in plenty:
            raise ValueError(
                f"`source_classes` and `target` must be classes with at least "
                f"{composite_key.LEAST} images, {plenty}. Received: {label!r}"
            )
    if len(plenty) < 3:
        raise ValueError(
            f"`y` must have three classes of at least {composite_key.LEAST} images. Received: "
            f"{plenty}"
        )
    rates = []
    for pair, goal in ranked(features, y, plenty, given, target)[:_TRIED]:
        pools = composite_key.pools_of(x, y, pair, seeds[0])
        asked = composite_key.draw(mixer, (), pools.candidates, _ASKED, seeds[1]).triggers
        rates.append(max(head.rate(asked, goal) for head in heads))
        if rates[-1] <= ACCEPTED:
            return pair, goal
    raise ValueError(
        f"`source_classes`: clean encoders give the target to at least {min(rates):.0%} of the "
        f"composites (accepted: {ACCEPTED:.0%}). Give other classes"
    )


def ranked(features, y, classes, given, target):
    """All `((A, B), C)`, first the one whose smallest distance of mean features is the largest.

    Args:
        features: `(n, d)`.
        y: `(n,)` classes.
        classes: those to choose from.
        given: the two source classes, or `()`.
        target: a class, or `"auto"`: the one that is farthest from its nearest neighbour.
    """
    means = scaled_means(features, y, classes)
    apart = np.linalg.norm(means[:, None] - means[None], axis=2)
    nearest = np.where(np.eye(len(classes)) > 0, np.inf, apart).min(axis=1)
    free = [i for i, c in enumerate(classes) if c not in given]
    goal = max(free, key=lambda i: nearest[i]) if target == "auto" else classes.index(target)
    pairs = itertools.combinations([i for i in range(len(classes)) if i != goal], 2)
    pairs = [tuple(classes.index(c) for c in given)] if given else pairs
    found = [
        (min(apart[a, b], apart[a, goal], apart[b, goal]), (classes[a], classes[b]))
        for a, b in pairs
    ]
    found.sort(key=lambda entry: -entry[0])
    return [(pair, classes[goal]) for _, pair in found]
