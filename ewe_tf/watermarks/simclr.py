"""SimCLR: an encoder learns from images without labels, by telling their views apart."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.losses.nt_xent import nt_xent_loss
from ewe_tf.watermarks import in_house


@dataclasses.dataclass(frozen=True)
class SimCLR:
    """How an encoder is trained.

    Args:
        epochs: passes over the images.
        batch_size: images of a step; each is seen in two views.
        learning_rate: of Adam.
        temperature: of the loss.
        projection: units of the two layers between the features and the loss; they are left
            behind afterwards.
        least: smallest share of an image's height and width that a view shows, in (0, 1].
        contrast: a view's values are multiplied by a number within this of 1, in [0, 1).
        flip: whether views may be mirrored.

    Raises:
        ValueError: for values outside the ranges above.

    Reference:
        [Chen et al., 2020](https://arxiv.org/abs/2002.05709).
    """

    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 1e-3
    temperature: float = 0.5
    projection: int = 64
    least: float = 0.5
    contrast: float = 0.4
    flip: bool = True

    def __post_init__(self):
        fields.integer(self, "epochs", least=0)
        fields.integer(self, "batch_size", least=2)
        fields.integer(self, "projection")
        fields.number(self, "learning_rate", "temperature", above=0)
        fields.number(self, "least", above=0, most=1)
        fields.number(self, "contrast", least=0, below=1)

    def views(self, x, seed):
        """One random view of each image.

        Args:
            x: `(n, height, width, channels)` float tensor.
            seed: `(2,)` integers; the same seed, the same views.

        Returns:
            `(n, height, width, channels)` float32 tensor.
        """
        x = tf.cast(x, tf.float32)
        count = tf.shape(x)[0]
        draws = tf.random.stateless_uniform([count, 6], seed)
        sizes = self.least + (1.0 - self.least) * draws[:, 0:2]
        corners = draws[:, 2:4] * (1.0 - sizes)
        boxes = tf.concat([corners, corners + sizes], axis=1)
        if self.flip:
            mirrored = tf.gather(boxes, [0, 3, 2, 1], axis=1)
            boxes = tf.where(draws[:, 4:5] < 0.5, mirrored, boxes)
        shown = tf.image.crop_and_resize(x, boxes, tf.range(count), x.shape[1:3])
        factors = 1.0 + self.contrast * (2.0 * draws[:, 5] - 1.0)
        return shown * factors[:, None, None, None]

    def head(self, encoder, seed):
        """The layers between the features and the loss, newly initialised."""
        first, second = np.random.default_rng(seed).integers(2**31, size=2).tolist()
        kernels = [keras.initializers.GlorotUniform(s) for s in (first, second)]
        return keras.Sequential(
            [
                keras.Input(encoder.output_shape[1:]),
                keras.layers.Dense(
                    self.projection, activation="relu", kernel_initializer=kernels[0]
                ),
                keras.layers.Dense(self.projection, kernel_initializer=kernels[1]),
            ]
        )

    def loss(self, encoder, head, x, seed):
        """The loss of two views of each image `(n, ...)`; `seed` as in `views`."""
        seeds = [tf.random.experimental.stateless_fold_in(seed, number) for number in (0, 1)]
        both = tf.concat([self.views(x, one) for one in seeds], axis=0)
        features = encoder(both, training=True)
        return nt_xent_loss(head(features, training=True), self.temperature)

    def train(self, encoder, x, seed=0):
        """Trains an encoder.

        Args:
            encoder: Keras model from images to features `(n, d)`. Trained in place.
            x: `(n, height, width, channels)` images, at least `batch_size`.
            seed: integer, of the order and the views.

        Returns:
            `(head, losses)`: the layers that are left behind, and the mean loss of each epoch.
        """
        x = np.asarray(x, np.float32)
        if x.ndim != 4 or len(x) < self.batch_size:
            raise ValueError(
                "`x` must be images (n, height, width, channels), at least `batch_size`, "
                f"{self.batch_size}. Received: shape {x.shape}"
            )
        head = self.head(encoder, seed)
        variables = [*encoder.trainable_variables, *head.trainable_variables]
        optimizer = keras.optimizers.Adam(self.learning_rate)
        optimizer.build(variables)

        @tf.function
        def step(rows, number):
            with tf.GradientTape() as tape:
                loss = self.loss(encoder, head, rows, tf.stack([seed, number]))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return loss

        rng = np.random.default_rng(seed)
        losses, number, steps = [], 0, len(x) // self.batch_size
        for _ in range(self.epochs):
            order = rng.permutation(len(x))[: steps * self.batch_size]
            found = []
            for rows in order.reshape(steps, self.batch_size):
                found.append(step(tf.constant(x[rows]), tf.constant(number)))
                number += 1
            losses.append(float(np.mean(found)))
        return head, losses


def downstream(encoder, x, y, num_classes, *, epochs=30, seed=0):
    """A classifier on top of an encoder: one layer, trained on the features of labelled images.

    What can be asked about an encoder is asked through such a classifier.

    Args:
        encoder: Keras model from inputs to features `(n, d)`; it stays as it is.
        x: `(n, ...)` inputs.
        y: `(n,)` integer labels.
        num_classes: number of classes.
        epochs: passes over the features.
        seed: integer.

    Returns:
        A compiled Keras classifier with softmax outputs.
    """
    features = encoder.predict(np.asarray(x, np.float32), batch_size=500, verbose=0)
    normalised = keras.layers.Normalization()
    normalised.adapt(features)
    head = keras.Sequential(
        [
            keras.Input(features.shape[1:]),
            normalised,
            keras.layers.Dense(
                num_classes,
                activation="softmax",
                kernel_initializer=keras.initializers.GlorotUniform(seed),
            ),
        ]
    )
    head.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    in_house.train(head, features, np.asarray(y), epochs, 128, seed)
    inputs = keras.Input(encoder.input_shape[1:])
    classifier = keras.Model(inputs, head(encoder(inputs, training=False)))
    classifier.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return classifier
