"""How the published EWE makes triggers from source images."""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.losses import soft_nearest_neighbor_loss
from ewe_tf.triggers import Patch
from ewe_tf.triggers import best_position
from ewe_tf.triggers.alternating import AlternatingSteps


@dataclasses.dataclass(frozen=True, eq=False)
class PaperRule:
    """The patch, then alternating steps on the trained model as it was before the mark.

    Attributes:
        patch: the settled patch, or `None`.
        position: its upper left corner (row, column), or `None`.
        steps: `AlternatingSteps`.
        objectives: what the steps follow.
        partners: `(m, ...)` rows of the target class.
        rows: triggers of a batch.
        value_range: `(low, high)` of the inputs.
    """

    patch: Patch | None
    position: tuple | None
    steps: AlternatingSteps
    objectives: object
    partners: np.ndarray
    rows: int
    value_range: tuple

    movement = None

    @property
    def changes_images(self):
        """Whether a source image is no trigger itself. One from outside of the task is nearly
        one without the steps, too, and so no control.
        """
        return self.patch is not None

    def apply(self, images):
        """Triggers `(n, ...)` float32 of source images `(n, ...)`; before the mark is trained."""
        if self.patch is not None:
            images = self.patch.paste(images, self.position)
        return self._compiled(images, self.partners)

    @functools.cached_property
    def _compiled(self):
        of, shape = self.objectives, (self.rows, *self.partners.shape[1:])
        return self.steps.compiled(
            of.target_logit, of.rate, of.represent, of.entanglement, shape, self.value_range
        )


def make_paper_rule(
    classifier,
    layers,
    temperatures,
    patch,
    steps,
    images,
    targets,
    target,
    distance,
    rows,
    value_range,
):
    """Settles the patch's position by the gradient of the summed SNNL on the trained model.

    Args:
        classifier: the trained `Classifier`.
        layers: names of the entangled layers.
        temperatures: `T_l` of each.
        patch: a `Patch` whose size and value are settled, or `None`.
        steps: `AlternatingSteps`.
        images: `(n, ...)` source images.
        targets: `(m, ...)` inputs of the target class.
        target: the target class.
        distance: the SNNL's distance.
        rows: triggers of a batch, and rows of the target class beside them.
        value_range: `(low, high)` of the inputs.
    """
    objectives = Objectives(classifier, layers, temperatures, target, distance)
    position = None
    if patch is not None:
        images = np.resize(images, (rows, *images.shape[1:]))
        partners = objectives.represent(np.resize(targets, images.shape))
        position = best_position(lambda x: objectives.entanglement(x, partners), images, patch)
    return PaperRule(patch, position, steps, objectives, targets, rows, value_range)


class Objectives:
    """What the steps of the published trigger generation follow, on a trained classifier.

    Args:
        classifier: the trained `Classifier`.
        layers: names of the entangled layers.
        temperatures: `T_l` of each, which enters as `100 / T_l`.
        target: the target class.
        distance: the SNNL's distance.
    """

    def __init__(self, classifier, layers, temperatures, target, distance):
        self.features = classifier.with_features(layers)
        self.temperatures = temperatures
        self.target = target
        self.distance = distance
        self.model, self.logit = _with_logit(classifier, target)

    def target_logit(self, x):
        """Sum over rows of the target's logit."""
        return tf.reduce_sum(self.logit(tf.cast(self.model(x, training=False), tf.float32)))

    def rate(self, x):
        """Share of the rows that the model gives to the target class."""
        answers = tf.argmax(self.features(x, training=False)[-1], axis=1)
        return tf.reduce_mean(tf.cast(answers == self.target, tf.float32))

    def represent(self, rows):
        """The entangled layers' outputs on rows, positive parts alone."""
        *features, _ = self.features(tf.convert_to_tensor(rows, tf.float32), training=False)
        return [tf.nn.relu(f) for f in features]

    def entanglement(self, x, partners):
        """`sum_l S_l(100 / T_l)` between the rows and `represent` of rows of the target class."""
        features = self.represent(x)
        groups = tf.repeat([1, 0], [tf.shape(x)[0], tf.shape(partners[0])[0]])
        return tf.add_n(
            [
                soft_nearest_neighbor_loss(tf.concat(both, 0), groups, 100.0 / t, self.distance)
                for *both, t in zip(features, partners, self.temperatures, strict=True)
            ]
        )


def weighted_layers(model, count=3):
    """Names of the last `count` layers with a weight matrix, the classification layer left out.

    Raises:
        ValueError: if there is none.
    """
    names = [x.name for x in model.layers if any(len(w.shape) > 1 for w in x.trainable_weights)]
    if len(names) < 2:
        raise ValueError(
            "`model` has no hidden layer whose representations could be entangled. Its layers: "
            f"{[layer.name for layer in model.layers]}"
        )
    return tuple(names[:-1][-count:])


def _with_logit(classifier, target):
    """A model, and the function from its outputs to the target's logit `(n,)`."""
    model = classifier.model
    last = model.outputs[0]._keras_history.operation
    if classifier.logits:
        return model, lambda outputs: outputs[:, target]
    if type(last) in (keras.layers.Softmax, keras.layers.Activation):
        return keras.Model(model.inputs[0], last.input), lambda logits: logits[:, target]
    if type(last) is keras.layers.Dense:

        def logit(inputs):
            weights = tf.cast(last.kernel, tf.float32)[:, target]
            shift = tf.cast(last.bias, tf.float32)[target] if last.use_bias else 0.0
            return tf.linalg.matvec(inputs, weights) + shift

        return keras.Model(model.inputs[0], last.input), logit
    return model, lambda outputs: tf.math.log(outputs[:, target] + 1e-12)
