"""Training of MEA-Defender: the Keras models whose `fit` puts the mark in."""

import dataclasses

import keras
import tensorflow as tf

from ewe_tf.triggers.hull import hull_labels
from ewe_tf.triggers.hull import hull_rows
from ewe_tf.watermarks.mgda import gram_matrix
from ewe_tf.watermarks.mgda import minimum_norm_weights

# Probabilities are taken for at least this much before their logarithm.
_LEAST = 1e-7


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights of the terms that MEA-Defender adds to the task's loss.

    Attributes:
        verification: of the mean cross-entropy of the composites.
        combination: of the mean divergence of the composites' answers from those of their
            sources; 0 leaves it out.
        evasion: of the mean cross-entropy of the evasion rows; 0 leaves it out.
        hull: of the mean cross-entropy of the hull rows (ours); 0 leaves them out.
        hull_share: the largest share of the composite in a hull row.
    """

    verification: float
    combination: float
    evasion: float
    hull: float
    hull_share: float


class CompositeTrainer(keras.Model):
    """Trains a classifier's own layers with the losses of MEA-Defender, explicitly weighted.

        L_utility + w_ver L_ver + w_com L_com + w_eva L_eva [+ w_hull L_hull]

    `L_utility` is the model's own compiled loss on the task rows (its regularisation included),
    `L_ver` the mean cross-entropy of composites with the target class, `L_eva` that of other
    mixers' composites with the class of one of their sources, and

        L_com = KL(f(x_wm) || f(x_A)) + KL(f(x_wm) || f(x_B))

    with each composite's own sources, answered in inference mode and without gradient. (Lv et
    al., section IV-C.) `L_hull` is the mean cross-entropy of mixes of composites with task rows
    and labels in between (`ewe_tf.triggers.hull`), our extension.

    Callbacks, evaluation, metrics and `stop_training` are those of the classifier itself.
    """

    # Whether the references of `L_com` are answered with dropout.
    noisy_references = False

    def __init__(self, classifier, layout, weights, sparse, seed):
        super().__init__(name=type(self).__name__.lower())
        self.victim = classifier.model
        self.layout = layout
        self.weights_of_terms = weights
        self.logits = classifier.logits
        self.sparse = sparse
        self.seeds = keras.random.SeedGenerator(seed)
        self.loss_metric = keras.metrics.Mean(name="loss")
        self.trigger_metric = keras.metrics.CategoricalAccuracy(name="trigger_accuracy")
        self.evasion_metric = keras.metrics.Mean(name="evasion_rate")
        self.combination_metric = keras.metrics.Mean(name="combination_loss")
        self.built = True

    def call(self, x, training=None):
        return self.victim(x, training=training)

    @property
    def own_metrics(self):
        """Metrics of the mark beside those of the classifier.

        `evasion_rate` is the share of evasion rows that get the composites' answer.
        """
        metrics = [self.loss_metric, self.trigger_metric]
        if self.layout.evasion:
            metrics.append(self.evasion_metric)
        if self._has_references:
            metrics.append(self.combination_metric)
        return metrics

    @property
    def metrics(self):
        return self.own_metrics + self.victim.metrics

    def get_metrics_result(self):
        return {
            **self.victim.get_metrics_result(),
            **{m.name: m.result() for m in self.own_metrics},
        }

    # Callbacks hold the victim, and so that is where they look for these.
    @property
    def stop_training(self):
        victim = getattr(self, "victim", None)
        return victim is not None and victim.stop_training

    @stop_training.setter
    def stop_training(self, value):
        if getattr(self, "victim", None) is not None:
            self.victim.stop_training = value

    @property
    def history(self):
        return self.victim.history

    def test_step(self, data):
        return self.victim.test_step(data)

    @property
    def _has_references(self):
        return self.weights_of_terms.combination > 0

    def train_step(self, data):
        x, y, weights = data
        task, composites, evasion, first, second = self.layout.cut(x)
        y_task, y_composites, y_evasion, *_ = self.layout.cut(y)
        weights = weights[: self.layout.task]
        references = None
        if self._has_references:
            sources = tf.concat([first, second], axis=0)
            answers = self.victim(sources, training=self.noisy_references)
            references = tf.split(tf.stop_gradient(self._log_probabilities(answers)), 2)
        rows, y_hull = [task, composites, evasion], None
        if self.weights_of_terms.hull:
            hull, y_hull = self._hull(task, y_task, composites, y_composites)
            rows.append(hull)
        y_loss = tf.argmax(y_task, axis=1) if self.sparse else y_task
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        scale = self.optimizer.scale_loss(tf.constant(1.0)) / replicas
        variables = self.victim.trainable_variables
        with tf.GradientTape(persistent=self.separate) as tape:
            outputs = self.victim(tf.concat(rows, axis=0), training=True)
            y_pred = outputs[: self.layout.task]
            utility = self.victim.compute_loss(task, y_loss, y_pred, weights, training=True)
            losses = {"utility": utility * replicas}
            losses.update(
                self._watermark_losses(
                    outputs[self.layout.task :], y_composites, y_evasion, y_hull, references
                )
            )
            total = self._total(losses, scale)
        gradients, shown = self._gradients(tape, losses, total, scale, variables)
        del tape
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))

        _, n, m, *_ = self.layout.counts
        marked = outputs[self.layout.task :]
        self.loss_metric.update_state(shown)
        self.trigger_metric.update_state(y_composites, marked[:n])
        if m:
            answered = tf.argmax(marked[n : n + m], axis=1)
            self.evasion_metric.update_state(answered == tf.argmax(y_composites[0]))
        if self._has_references:
            self.combination_metric.update_state(losses["combination"])
        self.victim.compute_metrics(task, y_loss, y_pred, weights)
        return self.get_metrics_result()

    # How the losses are weighed: what other trainers change.

    separate = False

    def _total(self, losses, scale):
        """The loss to differentiate, scaled."""
        terms = self.weights_of_terms
        return scale * tf.add_n(
            [value * getattr(terms, name, 1.0) for name, value in losses.items()]
        )

    def _gradients(self, tape, losses, total, scale, variables):
        """Gradients of the step, scaled, and the loss to show."""
        return tape.gradient(total, variables), total / scale

    def _hull(self, task, y_task, composites, y_composites):
        count = self.layout.composites
        amounts = keras.random.uniform(
            [count], 0.0, self.weights_of_terms.hull_share, seed=self.seeds
        )
        mixed = hull_rows(task[:count], composites, amounts)
        return mixed, hull_labels(y_task[:count], y_composites[0], amounts)

    def _watermark_losses(self, outputs, y_composites, y_evasion, y_hull, references):
        """The terms beside the task's, by the paper's names."""
        terms, (_, n, m, *_) = self.weights_of_terms, self.layout.counts
        losses = {"verification": self._cross_entropy(y_composites, outputs[:n])}
        if references is not None:
            answers = self._log_probabilities(outputs[:n])
            losses["combination"] = tf.add_n([_divergence(answers, q) for q in references])
        if terms.evasion and m:
            losses["evasion"] = self._cross_entropy(y_evasion, outputs[n : n + m])
        if terms.hull:
            losses["hull"] = self._cross_entropy(y_hull, outputs[n + m :])
        return losses

    def _cross_entropy(self, y, outputs):
        outputs = tf.cast(outputs, tf.float32)
        losses = keras.ops.categorical_crossentropy(y, outputs, from_logits=self.logits)
        return tf.reduce_mean(losses)

    def _log_probabilities(self, outputs):
        outputs = tf.cast(outputs, tf.float32)
        if self.logits:
            outputs = tf.nn.softmax(outputs)
        return tf.math.log(tf.maximum(outputs, _LEAST))


class MultipleGradientTrainer(CompositeTrainer):
    """The same losses, weighed at every step by the shortest combination of their gradients.

        min_w || sum_i w_i grad L_i / n_i ||    with   sum_i w_i = 1,  w_utility >= floor

    over the paper's four losses, `n_i = min(L_i ||grad L_i||, 10)` as in the released code
    ("loss+"). The weights are then applied to the losses themselves. Hull rows (ours) are added
    with their own fixed weight. With several replicas each one's weights count equally.

    The floor is ours: without it the utility gets a weight of about .07, and the accuracy
    breaks down.
    """

    separate = True

    def __init__(self, classifier, layout, weights, sparse, seed, utility_floor=0.0):
        super().__init__(classifier, layout, weights, sparse, seed)
        self.utility_floor = utility_floor
        self.utility_metric = keras.metrics.Mean(name="utility_weight")

    @property
    def own_metrics(self):
        return [*super().own_metrics, self.utility_metric]

    def _total(self, losses, scale):
        return {name: scale * value for name, value in losses.items()}

    def _gradients(self, tape, losses, total, scale, variables):
        gradients = {name: tape.gradient(value, variables) for name, value in total.items()}
        names = [name for name in gradients if name != "hull"]
        gram = gram_matrix([gradients[name] for name in names]) / scale**2
        gram = normalised(gram, tf.stack([losses[name] for name in names]))
        found = minimum_norm_weights(gram, [self.utility_floor] + [0.0] * (len(names) - 1))
        found = tf.distribute.get_replica_context().all_reduce("mean", found)
        weights = dict(zip(names, tf.unstack(found), strict=True))
        if "hull" in gradients:
            weights["hull"] = tf.constant(self.weights_of_terms.hull)
        self.utility_metric.update_state(weights["utility"])
        shown = tf.add_n([weights[name] * losses[name] for name in weights])
        return combined(gradients, weights), shown


class ReleasedTrainer(CompositeTrainer):
    """The losses as the released code weighs them; a reproduction, not a recommendation.

        L_ce + (s + w) L_com,    w = 2, and 12 in every tenth epoch

    `L_ce` is one mean cross-entropy over task rows, composites and evasion rows together; `s` is
    the weight of `L_com` in the shortest combination of two gradients, normalised as in
    `MultipleGradientTrainer` and held in [0.001, 0.999]. The references are answered with
    dropout. Left out: the contrastive term, which the code divides by the number of its pairs
    twice, so that it hardly acts.
    """

    separate = True
    noisy_references = True

    def __init__(self, classifier, layout, weights, sparse, seed, steps_per_epoch):
        super().__init__(classifier, layout, weights, sparse, seed)
        self.steps_per_epoch = steps_per_epoch
        self.step = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name="step",
            aggregation="only_first_replica",
        )  # fmt: skip

    def _total(self, losses, scale):
        counts = dict(
            zip(("utility", "verification", "evasion"), self.layout.counts[:3], strict=True)
        )
        whole = float(sum(counts[name] for name in counts if name in losses))
        shares = {name: counts[name] / whole for name in counts if name in losses}
        cross = tf.add_n([share * losses[name] for name, share in shares.items()])
        return {"cross_entropy": scale * cross, "combination": scale * losses["combination"]}

    def _gradients(self, tape, losses, total, scale, variables):
        gradients = {name: tape.gradient(value, variables) for name, value in total.items()}
        values = {name: value / scale for name, value in total.items()}
        gram = gram_matrix(list(gradients.values())) / scale**2
        found = minimum_norm_weights(normalised(gram, tf.stack(list(values.values()))))
        epoch = self.step // self.steps_per_epoch
        extra = tf.where(epoch % 10 == 9, 12.0, 2.0)
        self.step.assign_add(1)
        share = tf.clip_by_value(found[1], 0.001, 0.999)
        share = tf.distribute.get_replica_context().all_reduce("mean", share)
        weights = {"cross_entropy": tf.constant(1.0), "combination": share + extra}
        shown = tf.add_n([weights[name] * values[name] for name in weights])
        return combined(gradients, weights), shown


def normalised(gram, losses):
    """The Gram matrix of gradients divided by `min(L_i ||grad L_i||, 10)`, as released."""
    lengths = tf.sqrt(tf.maximum(tf.linalg.diag_part(gram), 0.0))
    scales = tf.minimum(losses * lengths, 10.0) + 1e-5
    return gram / (scales[:, None] * scales[None, :])


def combined(gradients, weights):
    """The weighted sum of gradients, each a list of tensors or `None`s."""
    sums = []
    for parts in zip(*(gradients[name] for name in weights), strict=True):
        terms = [
            tf.cast(w, g.dtype) * g
            for w, g in zip(weights.values(), parts, strict=True)
            if g is not None
        ]
        sums.append(tf.add_n(terms) if terms else None)
    return sums


def _divergence(log_p, log_q):
    """Mean of KL(p || q) over rows."""
    return tf.reduce_mean(tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), axis=1))
