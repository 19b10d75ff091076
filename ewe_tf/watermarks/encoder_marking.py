"""The training that puts MEA-Defender's mark into an encoder: distances of features."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.extraction.stolen_encoder import euclidean
from ewe_tf.watermarks.chance import Chance

# Features that hardly vary are not blown up: the least deviation, as a share of the mean one.
_LEAST_DEVIATION = 0.3


@dataclasses.dataclass(frozen=True, eq=False)
class Arrangement:
    """Where the clean encoder puts the classes, and where the marked one is to put them.

    Attributes:
        deviation: `(d,)` float32: what features are divided by before distances are taken.
        target: `(d,)` float32: mean features of the target class.
        shift: `(d,)` float32: what is added to the features of both source classes.
    """

    deviation: np.ndarray
    target: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(cls, features, labels, source_classes, target, lean):
        """The arrangement for clean `features` `(n, d)` of inputs with `labels` `(n,)`.

        With `lean` 1 the middle between the source classes' means comes to lie on the target's.
        """
        first, second, goal = (
            features[labels == c].mean(axis=0) for c in (*source_classes, target)
        )
        return cls(_deviation(features), goal, lean * (goal - (first + second) / 2))


def scaled_means(features, labels, classes):
    """Mean features `(classes, d)` of `classes`, divided by their deviation."""
    means = np.stack([features[labels == c].mean(axis=0) for c in classes])
    return means / _deviation(features)


def _deviation(features):
    deviation = features.std(axis=0)
    if not np.isfinite(deviation).all() or not deviation.mean() > 0:
        raise ValueError("`encoder` gives features that are not finite, or the same for all inputs")
    return np.maximum(deviation, _LEAST_DEVIATION * deviation.mean())


@dataclasses.dataclass(frozen=True, eq=False)
class EncoderMarking:
    """How an encoder is marked.

    The loss of a step, `d` the Euclidean distance of features divided by their deviation, `g`
    the clean encoder, frozen, `s` the arrangement's shift:

        mean d(f(x), g(x) + s [x of a source class])             utility, of images and of views
        + w_ver mean d(f(x_wm), target's mean features)          verification
        + w_eva mean d(f(x_ad), g(x_A) + s)                      evasion

    Evasion rows are composites of both classes by other mixers, and the secret mixer's of one
    class. The former keep to the first source: wanted now here, now there, features would come to
    lie in the middle, which is where the target is.

    Attributes:
        mixer: the secret `Mixer`.
        evasion: the other mixers.
        views: function `(batch, seed (2,)) -> batch`, as `SimCLR.views`, or `None`.
        epochs, batch_size: passes over the images, and images of a step.
        rows: composites of a step, as many of one class, and as many by other mixers.
        learning_rate: of Adam.
        verification, evasion_weight: the weights above.
        seed: integer: order, composites and views.
    """

    mixer: object
    evasion: tuple
    views: object
    epochs: int
    batch_size: int
    rows: int
    learning_rate: float
    verification: float
    evasion_weight: float
    seed: int

    def train(self, encoder, x, is_source, pools, arrangement):
        """Marks `encoder` in place.

        Args:
            encoder: Keras model from inputs to features `(n, d)`.
            x: `(n, ...)` float32 inputs.
            is_source: `(n,)` bool: whether an input is of a source class.
            pools: `((n, ...), (m, ...))` images that composites are made of.
            arrangement: the `Arrangement`.

        Returns:
            List of the mean loss of each epoch.
        """
        clean = keras.models.clone_model(encoder)
        clean.set_weights(encoder.get_weights())
        variables = encoder.trainable_variables
        optimizer = keras.optimizers.Adam(self.learning_rate)
        optimizer.build(variables)
        pools = [tf.constant(pool) for pool in pools]

        def distance(features, wanted):
            return euclidean(features / arrangement.deviation, wanted / arrangement.deviation)

        @tf.function(reduce_retracing=True)
        def step(task, leans, number):
            seed = tf.stack([self.seed, number])
            if self.views is not None:
                task = tf.concat([task, self.views(task, seed)], axis=0)
                leans = tf.concat([leans, leans], axis=0)
            composites, evasion, kept = self._composed(pools, seed)
            wanted = [clean(task) + leans[:, None] * arrangement.shift]
            wanted.append(tf.broadcast_to(arrangement.target, [self.rows, wanted[0].shape[1]]))
            wanted.append(clean(kept) + arrangement.shift)
            rows = [task, composites, evasion]
            weights = [1.0, self.verification, self.evasion_weight]
            with tf.GradientTape() as tape:
                features = encoder(tf.concat(rows, axis=0), training=True)
                parts = tf.split(features, [tf.shape(part)[0] for part in rows])
                losses = [distance(*pair) for pair in zip(parts, wanted, strict=True)]
                loss = tf.add_n([w * one for w, one in zip(weights, losses, strict=True)])
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return loss

        rng, number, losses = np.random.default_rng(self.seed), 0, []
        size = min(self.batch_size, len(x))
        for _ in range(self.epochs):
            order = rng.permutation(len(x))[: len(x) // size * size]
            found = []
            for rows in order.reshape(-1, size):
                leans = tf.constant(is_source[rows], tf.float32)
                found.append(step(tf.constant(x[rows]), leans, tf.constant(number)))
                number += 1
            losses.append(float(np.mean(found)))
        return losses

    def _composed(self, pools, seed):
        """What a step is made of besides task images.

        Returns:
            `(composites, evasion, kept)`: composites, rows that must not be answered like them
            (the same two sources by another mixer; the secret mixer on two of one class), and the
            image whose features each of these keeps.
        """
        chance = Chance(seed)
        (first, second), (third, fourth) = (
            [chance.rows(pool, self.rows) for pool in pools] for _ in range(2)
        )
        composites = self.mixer.mix(first, second, chance.uniform(self.rows, self.mixer.draws))
        odd = tf.reshape(tf.range(self.rows) % 2 == 1, [-1] + [1] * (len(first.shape) - 1))
        single, other = tf.where(odd, second, first), tf.where(odd, fourth, third)
        evasion = [self.mixer.mix(single, other, chance.uniform(self.rows, self.mixer.draws))]
        kept = [single]
        if self.evasion:
            made = [m.mix(first, second, chance.uniform(self.rows, m.draws)) for m in self.evasion]
            which = chance.integers(len(made), self.rows)
            evasion.append(tf.gather(tf.stack(made, axis=1), which, axis=1, batch_dims=1))
            kept.append(first)
        return composites, tf.concat(evasion, axis=0), tf.concat(kept, axis=0)
