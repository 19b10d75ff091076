"""Mixed batches: task rows, watermark rows and target rows of one training step."""

import dataclasses

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which rows of a replica's batch are what: `[task | triggers | targets]`.

    Attributes:
        task: number of task rows.
        triggers: number of trigger rows.
        targets: number of rows of the target class that the SNNL compares the triggers with.
    """

    task: int
    triggers: int
    targets: int

    @property
    def rows(self):
        return self.task + self.triggers + self.targets


def mixed_batches(data, triggers, target, layout, replicas, seed):
    """Batches for `EntangledTrainer`.

    Each batch is one block of `layout` for each replica, in turn, so that a strategy which cuts
    the batch into equal parts gives every replica its own triggers and targets.

    Args:
        data: `TaskData`; its `batch_size` is `layout.task * replicas`.
        triggers: `(n, ...)` float32 training triggers.
        target: the target class.
        layout: `Layout` of one replica's part.
        replicas: number of replicas.
        seed: seed of the order of triggers and targets.

    Returns:
        An endless dataset of `(x, y, weights)` with `replicas * layout.rows` rows; `y` is
        one-hot float32. One pass over the task data is `data.batches` batches.
    """
    targets = data.x[data.labels == target]
    targets = targets if layout.targets else targets[:1]
    parts = (
        data.stream(),
        _draw(triggers, replicas * layout.triggers, seed),
        _draw(targets, max(1, replicas * layout.targets), seed + 1),
    )
    answer = tf.one_hot(target, data.num_classes)

    def assemble(task, triggers, targets):
        x, y, weights = task
        if data.sparse:
            y = tf.one_hot(tf.cast(tf.reshape(y, [-1]), tf.int64), data.num_classes)
        blocks = [(x, tf.cast(y, tf.float32), weights)]
        for rows in (triggers, targets)[: 1 + bool(layout.targets)]:
            count = tf.shape(rows)[0]
            labels = tf.tile(answer[None], [count, 1])
            blocks.append((rows, labels, tf.ones([count])))
        columns = (_interleave(column, replicas) for column in zip(*blocks, strict=True))
        # A strategy must see the number of rows to cut batches, not the streams behind them.
        return tuple(tf.ensure_shape(c, [replicas * layout.rows, *c.shape[1:]]) for c in columns)

    batches = tf.data.Dataset.zip(*parts).map(assemble, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(2)


def _draw(rows, count, seed):
    """An endless stream of `count` rows at a time, every row once before any comes again."""
    rows = tf.constant(np.ascontiguousarray(rows))
    order = tf.data.Dataset.range(len(rows)).shuffle(len(rows), seed=seed).repeat()
    return order.batch(count).map(lambda i: tf.gather(rows, i))


def _interleave(parts, replicas):
    """Concatenates parts so that replica r's share of each forms the r-th block."""
    if replicas == 1:
        return tf.concat(parts, axis=0)
    shares = [tf.reshape(p, tf.concat([[replicas, -1], tf.shape(p)[1:]], 0)) for p in parts]
    blocks = tf.concat(shares, axis=1)
    rows = tf.reshape(blocks, tf.concat([[-1], tf.shape(blocks)[2:]], 0))
    return tf.ensure_shape(rows, [None, *parts[0].shape[1:]])
