"""The student: the thief's own classifier, checked, trained and handed back compiled."""

import functools

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.extraction.tempered import TemperedKLDivergence
from ewe_tf.extraction.tempered import logits_behind
from ewe_tf.oracle.output_activation import output_activation

PREDICTION_ROWS = 512


class Student:
    """A Keras classifier that an attack trains in place.

    Args:
        model: a classifier, compiled or not, with softmax outputs or logits. It is built on
            `example` if it was never built.
        example: `(1, ...)`, one of the queries.
        training: the attack, read for `epochs`, `batch_size` and the other fields of `Attack`.

    Attributes:
        model: the model.
        num_classes: number of its outputs.
        logits: whether its outputs are logits, else probabilities.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: if it does not take the queries or is no classifier, or the augmentation
            changes the shape of a batch.
    """

    def __init__(self, model, example, training):
        if not isinstance(model, keras.Model):
            raise TypeError(f"`student` must be a keras.Model. Received: {type(model).__name__}")
        try:
            outputs = model(tf.convert_to_tensor(example), training=False)
        except Exception as error:  # Layers raise many types.
            raise ValueError(
                f"`student` must take the queries, rows of shape {example.shape[1:]}. {error}"
            ) from error
        shape = getattr(outputs, "shape", ())
        if len(shape) != 2 or shape[1] < 2:
            raise ValueError(
                "`student` must be a classifier with one output row (classes,) for each input "
                f"and at least two classes. Received: output shape {tuple(shape)}"
            )
        _check_augmentation(training.augmentation, example)
        self.model = model
        self.num_classes = int(shape[1])
        self.logits = _gives_logits(model, np.asarray(outputs, np.float32))
        self._training = training
        self._initial = model.get_weights()
        self._fresh_optimizer = None

    def fit(self, x, targets, temperature=1.0, epochs=None):
        """Trains the model, from the weights that it came with.

        Args:
            x: `(rows, ...)`.
            targets: `(rows, classes)` float32 probabilities, softened at `temperature`.
            temperature: temperature of the loss.
            epochs: epochs, or None for the attack's.
        """
        training = self._training
        epochs = training.epochs if epochs is None else epochs
        self.restart(temperature)
        order = np.random.default_rng(training.seed).permutation(len(x))
        held_back = int(training.validation_split * len(x))
        kept, checked = order[held_back:], order[:held_back]
        callbacks = []
        if training.late_rate != 1.0:
            callbacks.append(_late_rate(epochs, training.late_rate))
        validation = None
        if held_back:
            validation = (x[checked], targets[checked])
            callbacks.append(
                keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True)
            )
        self.model.fit(
            _batches(x[kept], targets[kept], epochs, training),
            epochs=epochs,
            steps_per_epoch=-(-len(kept) // training.batch_size),
            validation_data=validation,
            validation_batch_size=training.batch_size,
            callbacks=callbacks,
            shuffle=False,
            verbose=training.verbose,
        )

    def restart(self, temperature=1.0):
        """Puts back the weights that the model came with, ready for training.

        Rounds share one compiled training step: the optimizer's state is put back as well.
        """
        self.model.set_weights(self._initial)
        if self._fresh_optimizer is None or self.model.loss.temperature != temperature:
            self.model.compile(
                optimizer=self._training.make_optimizer(),
                loss=TemperedKLDivergence(temperature, self.logits),
                metrics=["accuracy"],
            )
            self.model.optimizer.build(self.model.trainable_variables)
            self._fresh_optimizer = [v.numpy() for v in self.model.optimizer.variables]
        for variable, value in zip(
            self.model.optimizer.variables, self._fresh_optimizer, strict=True
        ):
            variable.assign(value)

    def step(self, x, targets):
        """One training step on a batch, after `restart`. Returns the loss before it."""
        self.model.reset_metrics()
        return float(self.model.train_on_batch(x, targets, return_dict=True)["loss"])

    def probabilities(self, x):
        """Probabilities `(rows, classes)` float32 that the student gives now."""
        parts = [np.exp(self._forward(part)) for part in self._parts(x)]
        return np.concatenate(parts) if parts else np.zeros((0, self.num_classes), np.float32)

    def input_gradient(self, x, weights):
        """Gradient of the weighted log-probabilities at each input.

        Args:
            x: `(rows, ...)` float32.
            weights: `(rows, classes)` float32.

        Returns:
            `(rows, ...)` float32: the gradient of sum_c weights[c] log p_c(x).
        """
        pairs = zip(self._parts(x), self._parts(weights), strict=True)
        return np.concatenate([self._gradient(*pair).numpy() for pair in pairs])

    def _parts(self, x):
        for start in range(0, len(x), PREDICTION_ROWS):
            yield tf.convert_to_tensor(x[start : start + PREDICTION_ROWS])

    def _logits_of(self, x):
        outputs = self.model(x, training=False)
        return tf.cast(outputs if self.logits else logits_behind(outputs), tf.float32)

    @functools.cached_property
    def _forward(self):
        def log_probabilities(x):
            return tf.nn.log_softmax(self._logits_of(x))

        return tf.function(log_probabilities, reduce_retracing=True, autograph=False)

    @functools.cached_property
    def _gradient(self):
        # The gradient of log p_c is sum_k p_k (grad z_c - grad z_k). Left to the tape, its
        # factor 1 - p_c would cancel to nonsense where the student is sure.
        others = 1 - tf.eye(self.num_classes)

        def gradient(x, weights):
            with tf.GradientTape() as tape:
                tape.watch(x)
                logits = self._logits_of(x)
            p = tf.nn.softmax(logits)
            factors = weights * tf.matmul(p, others) - p * tf.matmul(weights, others)
            return tape.gradient(logits, x, output_gradients=factors)

        return tf.function(gradient, reduce_retracing=True, autograph=False)

    def finish(self):
        """The model, compiled for integer labels; its optimizer is kept."""
        self.model.compile(
            optimizer=self.model.optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=self.logits),
            metrics=["accuracy"],
        )
        return self.model


def _gives_logits(model, outputs):
    activation = output_activation(model)
    if activation == "softmax":
        return False
    if activation in ("linear", "log_softmax"):
        return True
    told = getattr(model.loss, "from_logits", None) if model.compiled else None
    if told is not None:
        return bool(told)
    if activation is None:  # A subclassed model does not tell.
        return not (np.all(outputs >= 0) and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))
    raise ValueError(
        f"`student` must end in a softmax or give logits. Received: activation {activation!r}"
    )


def _late_rate(epochs, factor):
    """Multiplies the learning rate by `factor` for the last quarter of the epochs."""
    drop = epochs - epochs // 4

    def schedule(epoch, rate):
        return rate * factor if epoch == drop else rate

    return keras.callbacks.LearningRateScheduler(schedule)


def _batches(x, targets, epochs, training):
    """Batches of all epochs; every epoch is one pass in an order that `seed` decides."""
    rows, columns = tf.constant(x), tf.constant(targets)
    seed = int(np.random.SeedSequence(training.seed).generate_state(1)[0] >> 1)

    def one_pass(epoch):
        draw = tf.random.stateless_uniform([len(x)], [seed, epoch])
        return tf.data.Dataset.from_tensor_slices(tf.argsort(draw)).batch(training.batch_size)

    def gather(order):
        return tf.gather(rows, order), tf.gather(columns, order)

    batches = tf.data.Dataset.range(epochs).flat_map(one_pass).map(gather)
    if training.augmentation is not None:
        batches = batches.map(lambda x, y: (augment(training.augmentation, x), y))
    return batches.prefetch(2)


def augment(augmentation, x):
    """Applies a callable to a batch; a Keras layer or model is called in training mode."""
    if isinstance(augmentation, keras.Layer):
        return augmentation(x, training=True)
    return augmentation(x)


def _check_augmentation(augmentation, example):
    """Tries the augmentation, before queries are spent on rows that it cannot augment."""
    if augmentation is None:
        return
    shape = tuple(augment(augmentation, tf.convert_to_tensor(example)).shape)
    if shape != example.shape:
        raise ValueError(
            "`augmentation` must keep the shape of a batch. "
            f"Received: shape {shape} from {example.shape}"
        )
