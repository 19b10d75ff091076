"""The published training: normal and watermark batches in turn, SNNL over the whole batch."""

import fractions

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.losses import soft_nearest_neighbor_loss
from ewe_tf.watermarks.batches import draw
from ewe_tf.watermarks.batches import interleave
from ewe_tf.watermarks.victim_trainer import VictimTrainer

# A temperature of 0 or below would turn the kernel upside down.
_LEAST_TEMPERATURE = 1e-4


def alternating_batches(data, triggers, target, ratio, replicas, seed):
    """Batches for `AlternatingTrainer`, all of the task's batch size.

    A watermark batch is half triggers, half rows of the target class, all labelled with the
    target class; every replica's part of it is divided likewise. Before the b-th watermark
    batch, `ceil(ratio * b)` normal ones have come. As in the released code, an epoch has as
    many *watermark* batches as the task has batches, and `ratio` times as many normal ones.

    Args:
        data: `TaskData` with an even number of rows for each replica.
        triggers: `(n, ...)` float32 training triggers.
        target: the target class.
        ratio: normal batches for each watermark batch; at least 0.
        replicas: number of replicas.
        seed: seed of the order of triggers and targets.

    Returns:
        A dataset of `(x, y, weights, groups)`: `y` one-hot float32; `groups` `(rows,)` int32,
        1 for triggers, 0 for all other rows.
    """
    half = data.batch_size // 2
    answer = np.eye(data.num_classes, dtype=np.float32)[target]

    def normal(x, y, weights):
        if data.sparse:
            y = tf.one_hot(tf.reshape(y, [-1]), data.num_classes)
        return x, tf.cast(y, tf.float32), weights, tf.zeros([data.batch_size], tf.int32)

    def watermark(triggers, targets):
        groups = (tf.ones([half], tf.int32), tf.zeros([half], tf.int32))
        (x_triggers, y_triggers), (x_targets, y_targets) = triggers, targets
        x, groups = interleave((x_triggers, x_targets), replicas), interleave(groups, replicas)
        y = tf.concat([y_triggers, y_targets], axis=0)
        return x, y, tf.ones([2 * half]), groups

    targets = data.x[data.labels == target]
    drawn = (draw(triggers, answer, half, seed), draw(targets, answer, half, seed + 1))
    streams = (
        data.stream().repeat().map(normal, num_parallel_calls=tf.data.AUTOTUNE),
        tf.data.Dataset.zip(*drawn).map(watermark, num_parallel_calls=tf.data.AUTOTUNE),
    )
    streams = [s.map(lambda *row: tuple(map(_known_rows(data), row))) for s in streams]
    order = turns(data.batches, ratio)
    choice = tf.data.Dataset.from_tensor_slices(order)
    batches = tf.data.Dataset.choose_from_datasets(streams, choice, stop_on_empty_dataset=False)
    return batches.apply(tf.data.experimental.assert_cardinality(len(order))).prefetch(2)


def turns(watermark_batches, ratio):
    """`(batches,)` int64: 0 for a normal batch, 1 for a watermark batch, in their order."""
    # Exactly what was written: 1.2 * 5 is 6.
    ratio = fractions.Fraction(str(ratio))
    normal = [-(-ratio * b // 1) for b in range(watermark_batches + 1)]
    runs = [[0] * int(n) + [1] for n in np.diff(normal)]
    return np.concatenate([np.asarray(run, np.int64) for run in runs])


def _known_rows(data):
    return lambda tensor: tf.ensure_shape(tensor, [data.batch_size, *tensor.shape[1:]])


class AlternatingTrainer(VictimTrainer):
    """Trains a classifier's own layers with the published loss, one kind of batch at a time.

        sum_i CE_i - w sum_l factor_l S_l(100 / T_l),       T_l <- T_l - w t_lr dS_l / dT_l

    with `w` 1 on a watermark batch and 0 on a normal one, a product and no branch (a branch
    around an optimizer's step does not work under a distribution strategy): so the SNNL is
    computed over the whole batch at every step. (Jia et al., eq. 3 and algorithm 1.)

    Regularisation losses of the model are multiplied by the rows of the batch, so that they
    stand to the summed cross-entropy as they stand to Keras' mean.
    """

    def __init__(self, classifier, layers, factors, temperatures, temperature_rate, distance):
        super().__init__(name="alternating_trainer")
        self.features = classifier.with_features(layers)
        self.factors = tuple(factors)
        self.temperature_rate = temperature_rate
        self.distance = distance
        self.logits = classifier.logits
        self.temperatures = self.add_weight(
            shape=(len(layers),),
            initializer=lambda shape, dtype=None: tf.constant(temperatures, dtype),
            trainable=False,
            dtype="float32",
            aggregation="mean",
            name="temperatures",
        )
        self.loss_metric = keras.metrics.Mean(name="loss")
        self.accuracy_metric = keras.metrics.CategoricalAccuracy(name="accuracy")
        self.trigger_metric = keras.metrics.CategoricalAccuracy(name="trigger_accuracy")
        self.snnl_metric = keras.metrics.Mean(name="snnl")
        own = [self.loss_metric, self.accuracy_metric, self.trigger_metric, self.snnl_metric]
        self.watch(classifier.model, own)

    def get_metrics_result(self):
        return {metric.name: metric.result() for metric in self.own_metrics}

    def train_step(self, data):
        x, y, weights, groups = data
        rows = tf.cast(tf.shape(x)[0], tf.float32)
        gate = tf.cast(tf.reduce_max(groups), tf.float32)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        temperatures = tf.convert_to_tensor(self.temperatures)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(temperatures)
            *features, outputs = self.features(x, training=True)
            snnl = self.snnl(features, groups, temperatures)
            # Replicas' gradients are added up, as the rows' losses are; means are not sums.
            loss = tf.reduce_sum(weights * self._cross_entropy(y, outputs))
            loss -= gate * tf.tensordot(snnl, self.factors, 1) / replicas
            if self.victim.losses:
                loss += rows * tf.add_n(self.victim.losses)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.victim.trainable_variables
        gradients = tape.gradient(scaled, variables)
        slopes = tape.gradient(snnl, temperatures)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        moved = temperatures - gate * self.temperature_rate * slopes
        self.temperatures.assign(tf.maximum(moved, _LEAST_TEMPERATURE))

        triggers = tf.cast(groups, tf.float32)
        self.loss_metric.update_state(loss / rows)
        self.accuracy_metric.update_state(y, outputs, sample_weight=(1.0 - gate) * weights)
        self.trigger_metric.update_state(y, outputs, sample_weight=triggers)
        self.snnl_metric.update_state(tf.reduce_mean(snnl), sample_weight=gate)
        return self.get_metrics_result()

    def snnl(self, features, groups, temperatures):
        """`(layers,)` float32: `S_l(100 / T_l)` of the positive parts of the features."""
        return tf.stack(
            [
                soft_nearest_neighbor_loss(tf.nn.relu(f), groups, 100.0 / t, self.distance)
                for f, t in zip(features, tf.unstack(temperatures), strict=True)
            ]
        )

    def _cross_entropy(self, y, outputs):
        outputs = tf.cast(outputs, tf.float32)
        return keras.ops.categorical_crossentropy(y, outputs, from_logits=self.logits)
