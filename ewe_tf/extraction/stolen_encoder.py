"""StolenEncoder: a copy of an encoder from the features that its service gives."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from ewe_tf import fields


@dataclasses.dataclass(frozen=True, kw_only=True)
class StolenEncoder:
    """Trains a student on the features of a target encoder.

        mean d(f_t(x), f_s(x)) + w mean d(f_t(x), f_s(augmented x)),    d the Euclidean distance

    Every image is asked about once; the second term holds the student to the same features for
    augmented images without further queries.

    Args:
        epochs: epochs of training of the student.
        batch_size: rows of a step.
        learning_rate: of Adam.
        augmented_weight: w; the original's is 20.
        augmentation: function `(batch, seed (2,)) -> batch` of TensorFlow's, such as
            `SimCLR().views`; `None` leaves the second term out.
        seed: integer >= 0, of the order and the augmentation.

    Raises:
        ValueError: for values outside the ranges above.

    Reference:
        [Liu et al., 2022](https://arxiv.org/abs/2201.05889), section 4.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    augmented_weight: float = 20.0
    augmentation: object = None
    seed: int = 0

    def __post_init__(self):
        fields.integer(self, "epochs", "batch_size")
        fields.integer(self, "seed", least=0)
        fields.number(self, "learning_rate", above=0)
        fields.number(self, "augmented_weight", least=0)
        if self.augmentation is not None and not callable(self.augmentation):
            raise ValueError(
                f"`augmentation` must be a callable or None. Received: {self.augmentation!r}"
            )

    def queries_needed(self, rows):
        """Number of rows that `run` asks about for `rows` queries, exactly."""
        return rows

    def run(self, target, student, queries):
        """Steals an encoder.

        Args:
            target: function from inputs `(n, ...)` to features `(n, d)`: what the service gives.
            student: Keras model with the same number of features. Trained in place.
            queries: `(rows, ...)` inputs that the thief owns.

        Returns:
            `student`.

        Raises:
            ValueError: if the numbers of features differ.
        """
        queries = np.asarray(queries, np.float32)
        features = np.asarray(target(queries), np.float32)
        if features.shape != (len(queries), *student.output_shape[1:]):
            raise ValueError(
                f"`student` must give features of the target's shape {features.shape[1:]}. "
                f"Received: {student.output_shape[1:]}"
            )
        variables = student.trainable_variables
        optimizer = keras.optimizers.Adam(self.learning_rate)
        optimizer.build(variables)

        @tf.function(reduce_retracing=True)
        def step(x, wanted, number):
            with tf.GradientTape() as tape:
                loss = euclidean(student(x, training=True), wanted)
                if self.augmentation is not None:
                    changed = self.augmentation(x, tf.stack([self.seed, number]))
                    further = euclidean(student(changed, training=True), wanted)
                    loss += self.augmented_weight * further
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        rng, number = np.random.default_rng(self.seed), 0
        for _ in range(self.epochs):
            order = rng.permutation(len(queries))
            for start in range(0, len(queries), self.batch_size):
                rows = order[start : start + self.batch_size]
                step(tf.constant(queries[rows]), tf.constant(features[rows]), tf.constant(number))
                number += 1
        return student


def euclidean(features, wanted):
    """Mean over rows of the Euclidean distance between features `(n, d)`."""
    squares = tf.reduce_sum(tf.square(features - wanted), axis=1)
    # The root has no slope at 0.
    return tf.reduce_mean(tf.sqrt(squares + 1e-12))
