"""Entangled training: the Keras model whose `fit` puts the watermark in."""

import dataclasses

import keras
import tensorflow as tf

from ewe_tf.losses import fully_mixed_value
from ewe_tf.losses import median_distance
from ewe_tf.losses import soft_nearest_neighbor_loss
from ewe_tf.triggers.hull import hull_labels
from ewe_tf.triggers.hull import hull_rows
from ewe_tf.watermarks.victim_trainer import VictimTrainer


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights of the terms that entangled training adds to the task's loss.

    Attributes:
        trigger: of the mean cross-entropy of the trigger rows.
        hull: of the mean cross-entropy of the hull rows; 0 leaves them out.
        snnl: of the normalised SNNL, which is subtracted; 0 leaves it out.
        hull_share: the largest share of the trigger in a hull row.
        control: of the mean cross-entropy of the control rows; 0 leaves them out.
    """

    trigger: float
    hull: float
    snnl: float
    hull_share: float
    control: float = 0.0


class EntangledTrainer(VictimTrainer):
    """Trains a classifier's own layers on mixed batches (`ewe_tf.watermarks.batches`).

    The loss of a step is

        task + w_t CE(triggers, target) + w_h CE(hull rows, hull labels)
             + w_c CE(controls, answers before) - w_s mean_l S_l(T_l) / log((2n - 1) / (n - 1))

    where `task` is the model's own compiled loss on the task rows (its regularisation
    included), `S_l` the SNNL between the triggers and as many rows of the target class at layer
    `l`, and `T_l` the median distance of these rows at this step. (Jia et al., eq. 3, with the
    sum over layers and both terms normalised; hull rows are our extension.)
    """

    def __init__(self, classifier, layers, layout, weights, distance, sparse, seed):
        super().__init__(name="entangled_trainer")
        self.features = classifier.with_features(layers)
        self.layout = layout
        self.weights_of_terms = weights
        self.distance = distance
        self.logits = classifier.logits
        self.sparse = sparse
        self.seeds = keras.random.SeedGenerator(seed)
        self.loss_metric = keras.metrics.Mean(name="loss")
        self.trigger_metric = keras.metrics.CategoricalAccuracy(name="trigger_accuracy")
        self.snnl_metric = keras.metrics.Mean(name="snnl") if weights.snnl else None
        own = (self.loss_metric, self.trigger_metric, self.snnl_metric)
        self.watch(classifier.model, [metric for metric in own if metric is not None])

    def train_step(self, data):
        x, y, weights = data
        task, triggers, _, _ = _cut(x, self.layout)
        y_task, y_triggers, _, y_controls = _cut(y, self.layout)
        weights = weights[: self.layout.task]
        hull_y = None
        if self.weights_of_terms.hull:
            hull_x, hull_y = self._hull(task, y_task, triggers, y_triggers)
            x = tf.concat([x, hull_x], axis=0)
        # What the task's loss was compiled for: classes, or one-hot rows.
        y_loss = tf.argmax(y_task, axis=1) if self.sparse else y_task
        with tf.GradientTape() as tape:
            # Flattened: of no layers Keras gives the output alone.
            *features, outputs = keras.tree.flatten(self.features(x, training=True))
            outputs, y_pred = outputs[self.layout.task :], outputs[: self.layout.task]
            loss = self.victim.compute_loss(task, y_loss, y_pred, weights, training=True)
            added, snnl = self._watermark_loss(features, outputs, y_triggers, y_controls, hull_y)
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            loss += added / replicas
            scaled = self.optimizer.scale_loss(loss)
        variables = self.victim.trainable_variables
        gradients = tape.gradient(scaled, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))

        self.loss_metric.update_state(loss * replicas)
        self.trigger_metric.update_state(y_triggers, outputs[: self.layout.triggers])
        if self.snnl_metric is not None:
            self.snnl_metric.update_state(snnl)
        self.victim.compute_metrics(task, y_loss, y_pred, weights)
        return self.get_metrics_result()

    def _hull(self, task, y_task, triggers, y_triggers):
        amounts = keras.random.uniform(
            [self.layout.triggers], 0.0, self.weights_of_terms.hull_share, seed=self.seeds
        )
        count = self.layout.triggers
        mixed = hull_rows(task[:count], triggers, amounts)
        return mixed, hull_labels(y_task[:count], y_triggers, amounts)

    def _watermark_loss(self, features, outputs, y_triggers, y_controls, hull_y):
        """Terms of the loss beside the task's, and the normalised SNNL (0 if switched off)."""
        terms, n = self.weights_of_terms, self.layout.triggers
        loss = terms.trigger * self._cross_entropy(y_triggers, outputs[:n])
        if terms.hull:
            loss += terms.hull * self._cross_entropy(hull_y, outputs[-n:])
        if terms.control:
            last = self.layout.rows - self.layout.task
            controls = outputs[last - self.layout.controls : last]
            loss += terms.control * self._cross_entropy(y_controls, controls)
        snnl = tf.constant(0.0)
        if terms.snnl:
            first, last = self.layout.task, self.layout.rows - self.layout.controls
            groups = tf.repeat([1, 0], [n, self.layout.targets])
            values = [self._snnl(f[first:last], groups) for f in features]
            snnl = tf.add_n(values) / (len(values) * fully_mixed_value(n))
            loss -= terms.snnl * snnl
        return loss, snnl

    def _cross_entropy(self, y, outputs):
        outputs = tf.cast(outputs, tf.float32)
        losses = keras.ops.categorical_crossentropy(y, outputs, from_logits=self.logits)
        return tf.reduce_mean(losses)

    def _snnl(self, features, groups):
        temperature = median_distance(tf.stop_gradient(features), self.distance)
        return soft_nearest_neighbor_loss(features, groups, temperature, self.distance)


def _cut(rows, layout):
    """Task, trigger, target and control rows of a replica's batch."""
    ends = [layout.task, layout.triggers, layout.targets, layout.controls]
    return tf.split(rows, ends)
