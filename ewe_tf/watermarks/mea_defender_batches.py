"""Batches of MEA-Defender: task rows, composites, evasion rows, and the composites' sources."""

import dataclasses

import numpy as np
import tensorflow as tf

from ewe_tf.watermarks.batches import interleave
from ewe_tf.watermarks.chance import Chance


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which rows of a replica's batch are what.

    `[task | composites | evasion | first sources | second sources]`

    Attributes:
        task: number of task rows.
        composites: number of composites of the secret mixer, and of each of their sources.
        evasion: number of composites of the other mixers.
    """

    task: int
    composites: int
    evasion: int

    @property
    def counts(self):
        """Rows of the five parts."""
        return self.task, self.composites, self.evasion, self.composites, self.composites

    def cut(self, rows):
        """The five parts of a tensor with `sum(counts)` rows."""
        return tf.split(rows, self.counts)


@dataclasses.dataclass(frozen=True, eq=False)
class Secret:
    """What composites are made of, and what they are to be answered with.

    Attributes:
        images: the two pools `((n, ...), (m, ...))` of source images, float32.
        classes: the two source classes.
        target: the target class.
        mixer: the secret `Mixer`.
        evasion: the other mixers, whose composites keep the label of a source class.
        single: whether evasion rows are also made by the secret mixer of two inputs of one
            source class, which they keep.
    """

    images: tuple
    classes: tuple
    target: int
    mixer: object
    evasion: tuple
    single: bool


def composite_batches(data, secret, layout, replicas, seed):
    """Endless batches for the trainers of MEA-Defender; composites are drawn afresh for each.

    Args:
        data: `TaskData`; its `batch_size` is `layout.task * replicas`.
        secret: `Secret`.
        layout: `Layout` of one replica's part.
        replicas: number of replicas.
        seed: seed of all that is drawn.

    Returns:
        A dataset of `(x, y, weights)`: `y` one-hot float32. One pass over the task data is
        `data.batches` batches. The label of an evasion row is that of one of its two source
        classes, drawn.
    """
    pools = [tf.constant(np.ascontiguousarray(pool, np.float32)) for pool in secret.images]
    # Every batch has a number of its own, also after Keras starts the dataset anew.
    numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    counts = tuple(replicas * count for count in layout.counts)

    def assemble(task, number):
        x, y, weights = task
        if data.sparse:
            y = tf.one_hot(tf.cast(tf.reshape(y, [-1]), tf.int64), data.num_classes)
        chance = Chance(tf.stack([number, seed]))
        first, second = (chance.rows(pool, layout.composites * replicas) for pool in pools)
        composites = secret.mixer.mix(first, second, chance.uniform(len(first), secret.mixer.draws))
        evasion, of_classes = _evasion(secret, pools, chance, counts[2])
        rows = [x, composites, evasion, first, second]
        answers = (secret.target, of_classes, *secret.classes)
        labels = [tf.cast(y, tf.float32)]
        for answer, count in zip(answers, counts[1:], strict=True):
            labels.append(tf.one_hot(tf.broadcast_to(answer, [count]), data.num_classes))
        ones = [weights, *[tf.ones([count]) for count in counts[1:]]]
        columns = (interleave(column, replicas) for column in (rows, labels, ones))
        return tuple(tf.ensure_shape(c, [sum(counts), *c.shape[1:]]) for c in columns)

    batches = tf.data.Dataset.zip(data.stream(), numbers)
    return batches.map(assemble, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)


def _evasion(secret, pools, chance, count):
    """`count` composites, each of a kind that is drawn, and the class that each is to keep."""
    pairs = [chance.rows(pool, count) for pool in pools]
    side = chance.integers(2, count)
    kept = tf.gather(tf.constant(secret.classes), side)
    made = [m.mix(*pairs, chance.uniform(count, m.draws)) for m in secret.evasion]
    if secret.single:
        others = [chance.rows(pool, count) for pool in pools]
        first, second = (
            tf.gather(tf.stack(rows, axis=1), side, axis=1, batch_dims=1)
            for rows in (pairs, others)
        )
        made.append(secret.mixer.mix(first, second, chance.uniform(count, secret.mixer.draws)))
    if not count or not made:
        return pairs[0][:count], kept
    which = chance.integers(len(made), count)
    return tf.gather(tf.stack(made, axis=1), which, axis=1, batch_dims=1), kept
