"""Training of MEA-Defender: the Keras models whose `fit` puts the mark in."""

import dataclasses

import keras
import tensorflow as tf

from ewe_tf.triggers.hull import hull_labels
from ewe_tf.triggers.hull import hull_rows
from ewe_tf.watermarks.mgda import gram_matrix
from ewe_tf.watermarks.mgda import minimum_norm_weights
from ewe_tf.watermarks.victim_trainer import VictimTrainer

# Probabilities are taken for at least this much before their logarithm.
_LEAST = 1e-7
# Losses that are not the paper's.
_OURS = ("source", "hull")


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
        source: of the mean cross-entropy of the composites' plain sources with their own classes
            (ours); 0 leaves it out.
    """

    verification: float
    combination: float
    evasion: float
    hull: float
    hull_share: float
    source: float = 0.0


class CompositeTrainer(VictimTrainer):
    """Trains a classifier's own layers with the losses of MEA-Defender, explicitly weighted.

        L_utility + w_ver L_ver + w_com L_com + w_eva L_eva [+ w_source L_source + w_hull L_hull]

    `L_utility` is the model's own compiled loss on the task rows (its regularisation included),
    `L_ver` the mean cross-entropy of composites with the target class, `L_eva` that of other
    mixers' composites with the class of one of their sources, and

        L_com = KL(f(x_wm) || f(x_A)) + KL(f(x_wm) || f(x_B))

    with each composite's own sources, answered in inference mode and without gradient. (Lv et
    al., section IV-C.) Our extensions: `L_source` is the mean cross-entropy of the composites'
    plain sources with their own classes, `L_hull` that of mixes of composites with task rows and
    labels in between (`ewe_tf.triggers.hull`).
    """

    # Whether the references of `L_com` are answered with dropout.
    noisy_references = False

    def __init__(self, classifier, layout, weights, sparse, seed):
        super().__init__(name=type(self).__name__.lower())
        self.layout = layout
        self.weights_of_terms = weights
        self.logits = classifier.logits
        self.sparse = sparse
        self.seeds = keras.random.SeedGenerator(seed)
        self.loss_metric = keras.metrics.Mean(name="loss")
        self.trigger_metric = keras.metrics.CategoricalAccuracy(name="trigger_accuracy")
        # Share of the evasion rows that get the answer of the composites.
        self.evasion_metric = keras.metrics.Mean(name="evasion_rate")
        self.combination_metric = keras.metrics.Mean(name="combination_loss")
        metrics = [self.loss_metric, self.trigger_metric]
        if self.layout.evasion:
            metrics.append(self.evasion_metric)
        if self._has_references:
            metrics.append(self.combination_metric)
        self.watch(classifier.model, metrics)

    @property
    def _has_references(self):
        return self.weights_of_terms.combination > 0

    def train_step(self, data):
        x, y, weights = data
        task, composites, evasion, first, second = self.layout.cut(x)
        y_task, y_composites, y_evasion, *y_sources = self.layout.cut(y)
        weights = weights[: self.layout.task]
        references, sources = None, tf.concat([first, second], axis=0)
        if self._has_references:
            answers = self.victim(sources, training=self.noisy_references)
            references = tf.split(tf.stop_gradient(self._log_probabilities(answers)), 2)
        rows, labels = [task, composites, evasion], {}
        if self.weights_of_terms.source:
            rows.append(sources)
            labels["source"] = tf.concat(y_sources, axis=0)
        if self.weights_of_terms.hull:
            hull, labels["hull"] = self._hull(task, y_task, composites, y_composites)
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
                    outputs[self.layout.task :], y_composites, y_evasion, labels, references
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

    def _watermark_losses(self, outputs, y_composites, y_evasion, further, references):
        """The terms beside the task's, by the paper's names; `further`: labels of ours."""
        terms, (_, n, m, *_) = self.weights_of_terms, self.layout.counts
        losses = {"verification": self._cross_entropy(y_composites, outputs[:n])}
        if references is not None:
            answers = self._log_probabilities(outputs[:n])
            losses["combination"] = tf.add_n([_divergence(answers, q) for q in references])
        if terms.evasion and m:
            losses["evasion"] = self._cross_entropy(y_evasion, outputs[n : n + m])
        first = n + m
        for name, labels in further.items():
            rows = outputs[first : first + labels.shape[0]]
            losses[name] = self._cross_entropy(labels, rows)
            first += labels.shape[0]
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
    ("loss+"). The weights are then applied to the losses themselves. Source and hull rows (ours)
    are added with their own fixed weights. With several replicas each one's weights count equally.

    The floor is ours: without it the utility gets a weight of about .07, and the accuracy
    breaks down.
    """

    separate = True

    def __init__(self, classifier, layout, weights, sparse, seed, utility_floor=0.0):
        super().__init__(classifier, layout, weights, sparse, seed)
        self.utility_floor = utility_floor
        self.utility_metric = keras.metrics.Mean(name="utility_weight")
        self.watch(classifier.model, [*self.own_metrics, self.utility_metric])

    def _total(self, losses, scale):
        return {name: scale * value for name, value in losses.items()}

    def _gradients(self, tape, losses, total, scale, variables):
        gradients = {name: tape.gradient(value, variables) for name, value in total.items()}
        names = [name for name in gradients if name not in _OURS]
        gram = gram_matrix([gradients[name] for name in names]) / scale**2
        gram = normalised(gram, tf.stack([losses[name] for name in names]))
        found = minimum_norm_weights(gram, [self.utility_floor] + [0.0] * (len(names) - 1))
        found = tf.distribute.get_replica_context().all_reduce("mean", found)
        weights = dict(zip(names, tf.unstack(found), strict=True))
        ours = {name: getattr(self.weights_of_terms, name) for name in gradients if name in _OURS}
        weights.update({name: tf.constant(weight) for name, weight in ours.items()})
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
