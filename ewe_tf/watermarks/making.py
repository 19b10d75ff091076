"""Making triggers from source images, and the controls that belong to them."""

import dataclasses

import numpy as np
import tensorflow as tf

from ewe_tf.keys import array_digest
from ewe_tf.keys import generator
from ewe_tf.losses import fully_mixed_value
from ewe_tf.losses import median_distance
from ewe_tf.losses import soft_nearest_neighbor_loss
from ewe_tf.triggers import GradientAscent
from ewe_tf.triggers import Patch
from ewe_tf.triggers import best_position

# Rows of the source and of the target class that the objective of trigger generation sees.
_ROWS = 64


@dataclasses.dataclass(frozen=True)
class Rule:
    """How a source image becomes a trigger.

    Attributes:
        patch: the settled patch, or `None`.
        position: its upper left corner (row, column), or `None`.
        ascent: the gradient ascent on the pixels, or `None`.
        objective: what ascent raises, `images -> scalar`; `None` without ascent.
        value_range: `(low, high)` of the inputs.
        movement: the movement along a natural attribute, or `None`.
    """

    patch: Patch | None
    position: tuple | None
    ascent: GradientAscent | None
    objective: object
    value_range: tuple
    movement: object = None

    @property
    def changes_images(self):
        """Whether triggers differ from their source images."""
        return any(step is not None for step in (self.movement, self.patch, self.ascent))

    def apply(self, images):
        """Triggers `(n, ...)` float32 of source images `(n, ...)`."""
        if self.movement is not None:
            images = self.movement.apply(images)
        if self.patch is not None:
            images = self.patch.paste(images, self.position)
        if self.ascent is not None:
            images = self.ascent.run(self.objective, images, _ROWS, self.value_range)
        return np.ascontiguousarray(images, np.float32)


def make_rule(
    classifier, layers, movement, patch, ascent, images, targets, target, distance, value_range
):
    """Settles the patch's position and the ascent's objective on a trained model.

    The objective is that of the paper's trigger generation (section 3.2): entangle the triggers
    with rows of the target class (normalised SNNL), and lead them away from the target class
    for a model without the mark (cross-entropy), so that a strange model has no reason to
    answer it.

    Args:
        classifier: the trained `Classifier`.
        layers: names of the entangled layers.
        movement: of source images along a natural attribute, or `None`; comes alone.
        patch: `Patch` or `None`.
        ascent: `GradientAscent` or `None`.
        images: `(n, ...)` source images.
        targets: `(m, ...)` inputs of the target class.
        target: the target class.
        distance: the SNNL's distance.
        value_range: `(low, high)` of the inputs.
    """
    if patch is None and ascent is None:
        return Rule(None, None, None, None, value_range, movement)
    objective = _objective(
        classifier, layers, np.resize(targets, (_ROWS, *targets.shape[1:])), target, distance
    )
    position = None
    if patch is not None:
        patch = patch.fitted(images, value_range)
        position = best_position(objective.entanglement, images[:_ROWS], patch)
    return Rule(patch, position, ascent, objective, value_range)


def controls(rule, images, rng):
    """The matched control `(n, ...)` of each trigger.

    Where source images are used as they are, the same image with its pixels in another order,
    one order for all: every value is still there, the picture is not. A suspect that gives the
    target to whatever is strange to it gives it to these as well.

    Where the rule changes images (a natural attribute, a patch, ascent), the unchanged source
    image, which is not strange to anybody. That triggers are answered more often than these says
    only that it is the change, not the source image itself, that gets the target; a suspect that
    gives the target to whatever was changed so is not told from a copy by its controls. For such
    keys innocent models' answers to the triggers (the null rate) carry the weight.

    Args:
        rule: the `Rule`.
        images: `(n, ...)` source images of the triggers.
        rng: NumPy generator that the order is drawn from.
    """
    if rule.changes_images:
        return np.ascontiguousarray(images, np.float32)
    return generator.shuffled_pixels(images, rng)


def origin_of(source, pair, rule, budget, kept, task):
    """What `ewe_tf.keys.regenerate` needs to make a key's triggers again, as JSON.

    Args:
        source: the `Source`.
        pair: the `Pair`.
        rule: the `Rule`.
        budget: largest change of any input value by ascent; `None` without ascent.
        kept: rows of the candidates that became keys.
        task: the `Task`.
    """
    return {
        "generator": generator.GENERATOR,
        "images": array_digest(source.images),
        "classes": array_digest(source.classes),
        "source_class": int(pair.source),
        "target": int(pair.target),
        "kept": np.asarray(kept).tolist(),
        "patch": dataclasses.asdict(rule.patch) if rule.patch else None,
        "position": list(rule.position) if rule.position else None,
        "budget": budget,
        "controls": "sources" if rule.changes_images else "shuffled",
        "value_range": list(rule.value_range),
        "beacon": task.beacon,
        "attribute": _attribute(rule, pair, source),
    }


def _attribute(rule, pair, source):
    if rule.movement is None:
        return None
    component, sign = pair.attribute
    settings = {"component": component, "sign": sign, "share": source.settings.share}
    return {**settings, "reach": list(rule.movement.reach)}


class _objective:
    def __init__(self, classifier, layers, targets, target, distance):
        self.model = classifier.with_features(layers)
        # The weights rest and rows do not see one another: the targets' features stay the same.
        *self.targets, _ = self.model(tf.constant(targets, tf.float32), training=False)
        self.rows = len(targets)
        self.answers = target
        self.logits = classifier.logits
        self.distance = distance

    def entanglement(self, images):
        """Normalised SNNL between `images` and rows of the target class, mean over layers."""
        *features, _ = self.model(images, training=False)
        return self._entanglement(features)

    def __call__(self, images):
        *features, outputs = self.model(images, training=False)
        outputs = tf.cast(outputs, tf.float32)
        if self.logits:
            outputs = tf.nn.softmax(outputs)
        away = -tf.reduce_mean(tf.math.log(outputs[:, self.answers] + 1e-7))
        return self._entanglement(features) + away

    def _entanglement(self, features):
        groups = tf.repeat([1, 0], [tf.shape(features[0])[0], self.rows])
        total = 0.0
        for rows, targets in zip(features, self.targets, strict=True):
            both = tf.concat([rows, targets], axis=0)
            temperature = median_distance(tf.stop_gradient(both), self.distance)
            total += soft_nearest_neighbor_loss(both, groups, temperature, self.distance)
        return total / (len(features) * fully_mixed_value(self.rows))
