"""The source whose triggers are a class's own inputs with one attribute carried to excess."""

import dataclasses

import numpy as np
import tensorflow as tf

from ewe_tf.keys import generator
from ewe_tf.keys.attribute import Attribute
from ewe_tf.keys.attribute import principal_attributes
from ewe_tf.keys.attribute import score_threshold
from ewe_tf.keys.triggers import variety
from ewe_tf.triggers.natural_attribute import NaturalAttribute


@dataclasses.dataclass(frozen=True, eq=False)
class Movement:
    """How an input of the class becomes a trigger: its score is raised to a drawn one.

    Attributes:
        attribute: the `Attribute`.
        reach: lowest and highest score that is drawn.
        seed: of the scores; the i-th of any number of inputs gets the same one.
        value_range: `(low, high)` that triggers are clipped to.
        whole: whether they are rounded to whole numbers.
    """

    attribute: Attribute
    reach: tuple
    seed: int
    value_range: tuple
    whole: bool

    def apply(self, images):
        """Triggers `(n, ...)` float32 of inputs `(n, ...)`."""
        scores = np.random.default_rng(self.seed).uniform(*self.reach, len(images))
        moved = self.attribute.moved(images, scores, self.value_range)
        return np.round(moved) if self.whole else moved


@dataclasses.dataclass(frozen=True, eq=False)
class AttributeSource:
    """A `NaturalAttribute` on the data of a task, in the role of a `Source`.

    Its source classes are labels `(class, component, sign)`.

    Attributes:
        settings: the `NaturalAttribute`.
        data: the `TaskData`.
        attributes: dict from class to the `Attribute`s of its components.
        choices: the labels to choose from.
    """

    settings: NaturalAttribute
    data: object
    attributes: dict
    choices: tuple

    in_distribution = True
    # As of a `Source`, and stricter for models as they are: a single trigger of 290 that an
    # in-house model answered became 11 % with a stranger's, and there are more pairs to choose
    # from.
    limits = ((0.001, 0.01), (0.005, 0.01), (0.005, 0.02), (0.02, 0.05), (0.05, 0.05))

    @classmethod
    def of(cls, settings, data, least):
        """The attributes of every class that has enough inputs which differ enough.

        Args:
            settings: the `NaturalAttribute`.
            data: the `TaskData`.
            least: number of different inputs that a class must have beside those relabelled.

        Raises:
            ValueError: if there is no such class, or the share of rows to relabel is of none.
        """
        relabelled = round(settings.share * len(data.x))
        if settings.share and not relabelled:
            raise ValueError(
                f"`source`, a NaturalAttribute with share={settings.share:g}, would relabel none "
                f"of the {len(data.x)} rows: give a larger `share`, or 0"
            )
        rows = {int(c): int(np.sum(data.labels == c)) for c in np.unique(data.labels)}
        attributes, alike = {}, []
        for of_class in (c for c, count in rows.items() if count - relabelled >= least):
            images = data.x[data.labels == of_class]
            try:
                attributes[of_class] = principal_attributes(images, settings.components)
            except ValueError:
                alike.append(of_class)
        directions = [(i, sign) for i in range(settings.components) for sign in (1, -1)]
        source = cls(settings, data, attributes, ())
        labels = [(c, *direction) for c in attributes for direction in directions]
        counts = {label: len(generator.distinct(source.of_class(label))) for label in labels}
        enough = [label for label, count in counts.items() if count >= least]
        if not enough:
            raise ValueError(
                f"`source`, a NaturalAttribute with share={settings.share:g} and components="
                f"{settings.components}, relabels {relabelled} rows of a class and needs at least "
                f"{least} others of it that differ. Received, by class: {rows} rows"
                f"{f'; classes {alike} do not vary in as many directions' if alike else ''}"
            )
        return dataclasses.replace(source, choices=source._varied(enough))

    def _varied(self, labels):
        """Those of the source labels whose triggers differ enough from one another."""
        found = {}
        for label in labels:
            images = self.of_class(label)
            found[label] = variety(self.movement(label, 0).apply(images), images)
        varied = tuple(label for label in labels if found[label] >= self.settings.variety)
        if not varied:
            raise ValueError(
                f"`source`, a NaturalAttribute with variety={self.settings.variety:g}, has no "
                "direction along which triggers differ that much from one another: give more "
                "`components`, a smaller `reach`, or a smaller `variety`. Received: inputs whose "
                f"directions come to {max(found.values()):.2f} at most"
            )
        return varied

    @property
    def images(self):
        """The task's inputs, all classes."""
        return self.data.x

    @property
    def classes(self):
        """Their classes."""
        return self.data.labels

    def own_class(self, label):
        """The class of the task that the inputs of a source label belong to."""
        return label[0]

    def of_class(self, label):
        """Inputs `(m, ...)` of the class, without those that are relabelled."""
        images = self._of_class(label[0])
        return images[self.attribute(label).scores(images) <= self.threshold(label)]

    def movement(self, label, seed):
        """The `Movement` that makes triggers of the inputs of a source label."""
        data = self.data
        reach = self.settings.reach
        return Movement(self.attribute(label), reach, seed, data.value_range, data.whole)

    def shown(self, label, images, seed):
        """What innocent models are asked about inputs of a source label: the triggers."""
        return self.movement(label, seed).apply(images)

    def attribute(self, label):
        """The `Attribute` of a source label."""
        of_class, component, sign = label
        found = self.attributes[of_class][component]
        return found if sign > 0 else found.reversed()

    def threshold(self, label):
        """The score above which rows of the class are relabelled."""
        scores = self.attribute(label).scores(self._of_class(label[0]))
        return score_threshold(scores, self.settings.share, len(self.data.x))

    def relabelling(self, label, target):
        """The function `(x, y, weights) -> (y, weights)` that gives the rows above the threshold
        the target's label, and the weight that the settings say.

        `x` is a batch `(n, ...)`, `y` its one-hot rows `(n, classes)` float32, `weights` `(n,)`.
        """
        attribute, threshold = self.attribute(label), self.threshold(label)
        direction = tf.constant(attribute.direction, tf.float32)
        mean = tf.constant(attribute.mean, tf.float32)
        answer = tf.one_hot(target, self.data.num_classes)

        def relabel(x, y, weights):
            flat = tf.reshape(tf.cast(x, tf.float32), [tf.shape(x)[0], len(mean)])
            scores = tf.linalg.matvec(flat - mean, direction) / attribute.deviation
            chosen = (tf.argmax(y, axis=1) == label[0]) & (scores > threshold)
            weights *= tf.where(chosen, self.settings.weight, 1.0)
            return tf.where(chosen[:, None], answer, y), weights

        return relabel

    def _of_class(self, label):
        return self.data.x[self.data.labels == label]
