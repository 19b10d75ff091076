"""Neural Cleanse: find the trigger of a backdoor, flag its class, unlearn it."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.classifier import num_classes_of
from ewe_tf.removal.classifier import require_float_rows
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.training import train

_CONSISTENT = 1.4826  # makes the median absolute deviation estimate a normal's std
_PATIENCE = 10
_FIRST_COST = 1e-3


@dataclasses.dataclass(frozen=True)
class Findings:
    """What Neural Cleanse saw in a model.

    Attributes:
        masks: Float32 (classes, ...), for each class how much of each input position the
            reversed trigger covers, in [0, 1].
        patterns: Float32 (classes, ...), what it covers it with.
        norms: Float (classes,), L1 norm of each mask.
        success: Float (classes,), share of the rows that the trigger sends to the class.
        anomaly: Float (classes,), distance of each norm from the median in (scaled) median
            absolute deviations.
        flagged: Tuple of classes with a norm below the median and an anomaly above the
            threshold, most suspicious first.
    """

    masks: np.ndarray
    patterns: np.ndarray
    norms: np.ndarray
    success: np.ndarray
    anomaly: np.ndarray
    flagged: tuple

    def stamp(self, x, target):
        """Returns rows `x` with the reversed trigger of class `target` on them."""
        mask, pattern = self.masks[target], self.patterns[target]
        return ((1.0 - mask) * x + mask * pattern).astype("float32")


@dataclasses.dataclass(frozen=True)
class NeuralCleanse(Retraining):
    """Reverse-engineers a trigger for every class and unlearns those that are too small.

    For each class a mask and a pattern are optimised (Adam) to send all rows to that class,
    with the mask's L1 norm as the price; the price is raised while the trigger works and
    lowered while it does not. A class that takes a far smaller mask than the others is
    flagged; its trigger, stamped on part of the thief's rows under their true labels, is then
    fine-tuned away. With nothing flagged the model comes back as it was.

    Attributes:
        steps: Positive integer, optimisation steps for each class.
        step_size: Positive float, learning rate of that optimisation.
        success: Float in (0, 1), share of rows that a trigger must send to its class.
        threshold: Non-negative float, anomaly above which a small mask is flagged. The paper
            has 2, which with ten classes misses some true triggers; a thief to whom a false
            alarm costs little takes less. With 0 every class below the median is unlearned.
        stamped: Float in (0, 1], share of the rows that get the trigger in unlearning.
        epochs, learning_rate, batch_size, seed, verbose: See `Retraining`.

    Reference:
        Wang et al., Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural
        Networks, 2019: detection, and mitigation by unlearning.
    """

    steps: int = 300
    step_size: float = 0.1
    success: float = 0.99
    threshold: float = 2.0
    stamped: float = 0.2
    _: dataclasses.KW_ONLY
    epochs: int = 1

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "steps")
        fields.number(self, "step_size", above=0)
        fields.number(self, "success", above=0, below=1)
        fields.number(self, "threshold", least=0)
        fields.number(self, "stamped", above=0, most=1)

    def run(self, model, data):
        """Returns a copy of `model` that has unlearned the flagged triggers.

        Args:
            model: Built Functional or Sequential Keras 3 classifier with float inputs; left
                unchanged.
            data: Pair (x, y), the thief's clean inputs (n, ...) and labels (n,) or
                (n, classes).

        Returns:
            A compiled Keras 3 model of the same topology.
        """
        x, y = check_data(model, data)
        findings = self.inspect(model, data)
        cleansed = copy_classifier(model, self.seed)
        rng = np.random.default_rng(self.seed)
        rows = x.copy()
        for target in findings.flagged:
            chosen = rng.permutation(len(x))[: max(1, int(self.stamped * len(x)))]
            rows[chosen] = findings.stamp(x[chosen], target)
        return train(cleansed, rows, y, self, epochs=self.epochs if findings.flagged else 0)

    def inspect(self, model, data):
        """Reverse-engineers a trigger for every class of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier with float inputs.
            data: Pair (x, y), clean inputs (n, ...) and labels.

        Returns:
            `Findings`.
        """
        x, _ = check_data(model, data)
        require_float_rows(x)
        search = self._search(copy_classifier(model), x)
        found = [search(target) for target in range(num_classes_of(model))]
        masks, patterns, success = (np.stack(part) for part in zip(*found, strict=True))
        norms = np.abs(masks).reshape(len(masks), -1).sum(axis=1)
        median = np.median(norms)
        deviation = _CONSISTENT * np.median(np.abs(norms - median))
        anomaly = np.abs(norms - median) / max(deviation, 1e-12)
        suspicious = np.flatnonzero((norms < median) & (anomaly > self.threshold))
        flagged = tuple(int(c) for c in suspicious[np.argsort(norms[suspicious])])
        return Findings(masks, patterns, norms, success, anomaly, flagged)

    def _search(self, model, x):
        """Returns a function from a class to the mask, pattern and success of its trigger."""
        import tensorflow as tf

        row_shape = x.shape[1:]
        mask_shape = (*row_shape[:-1], 1) if len(row_shape) > 1 else row_shape
        low, high = float(x.min()), float(x.max())
        compile_classifier(model, [0], "sgd")
        mask_logit = tf.Variable(tf.zeros(mask_shape))
        pattern_logit = tf.Variable(tf.zeros(row_shape))
        variables = [mask_logit, pattern_logit]
        moments = [[tf.Variable(tf.zeros_like(v)) for _ in range(2)] for v in variables]

        def trigger():
            return tf.sigmoid(mask_logit), low + (high - low) * tf.sigmoid(pattern_logit)

        @tf.function(reduce_retracing=True)
        def step(rows, target, cost, number):
            with tf.GradientTape() as tape:
                mask, pattern = trigger()
                answers = model((1.0 - mask) * rows + mask * pattern, training=False)
                targets = tf.fill([tf.shape(rows)[0]], target)
                loss = model.loss(targets, answers) + cost * tf.reduce_sum(mask)
            gradients = tape.gradient(loss, variables)
            for variable, gradient, state in zip(variables, gradients, moments, strict=True):
                _adam(variable, gradient, state, number, self.step_size)
            hits = tf.argmax(answers, axis=-1, output_type=tf.int32) == target
            return tf.reduce_mean(tf.cast(hits, tf.float32))

        def search(target):
            rng = np.random.default_rng([self.seed, target])
            mask_logit.assign(rng.normal(0.0, 0.5, mask_shape) - 1.0)
            pattern_logit.assign(rng.normal(0.0, 1.0, row_shape))
            for moment in moments[0] + moments[1]:
                moment.assign(tf.zeros_like(moment))
            cost, recent = _FIRST_COST, []
            best, best_norm = None, np.inf
            size = min(self.batch_size, len(x))
            for number in range(1, self.steps + 1):
                rows = x[rng.integers(len(x), size=size)]
                hits = step(
                    tf.constant(rows),
                    tf.constant(target),
                    tf.constant(cost, "float32"),
                    tf.constant(number, "float32"),
                )
                recent.append(float(hits))
                if len(recent) < _PATIENCE:
                    continue
                works = np.mean(recent) >= self.success
                cost = cost * 2.0 if works else cost / 2.0**1.5
                recent = []
                mask, pattern = (part.numpy() for part in trigger())
                if works and mask.sum() < best_norm:
                    best, best_norm = (mask, pattern), mask.sum()
            mask, pattern = best or tuple(part.numpy() for part in trigger())
            stamped = ((1.0 - mask) * x + mask * pattern).astype("float32")
            answers = model.predict(stamped, batch_size=256, verbose=0)
            return mask, pattern, float(np.mean(np.argmax(answers, axis=-1) == target))

        return search


def _adam(variable, gradient, moments, number, step_size):
    """One step of Adam: the state is plain, so that the next class can start it anew."""
    first, second = moments
    first.assign(0.5 * first + 0.5 * gradient)
    second.assign(0.9 * second + 0.1 * gradient**2)
    direction = first / (1.0 - 0.5**number)
    scale = (second / (1.0 - 0.9**number)) ** 0.5
    variable.assign_sub(step_size * direction / (scale + 1e-7))
