"""Mixed batches: task rows, watermark rows and target rows of one training step."""

import dataclasses

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which rows of a replica's batch are what: `[task | triggers | targets | controls]`.

    Attributes:
        task: number of task rows.
        triggers: number of trigger rows.
        targets: number of rows of the target class that the SNNL compares the triggers with.
        controls: number of control rows, which are to be answered as before.
    """

    task: int
    triggers: int
    targets: int
    controls: int = 0

    @property
    def rows(self):
        return self.task + self.triggers + self.targets + self.controls


@dataclasses.dataclass(frozen=True, eq=False)
class Marked:
    """What batches hold of one class pair.

    Attributes:
        triggers: `(n, ...)` float32 training triggers.
        target: the target class.
        controls: `(inputs, answers)`: control inputs `(n, ...)` and the probabilities
            `(n, classes)` that they are to be answered with; `None` for a layout without any.
        relabel: function `(x, y, weights) -> (y, weights)` of a batch of task rows with one-hot
            labels, or `None`.
    """

    triggers: np.ndarray
    target: int
    controls: tuple | None = None
    relabel: object = None


def mixed_batches(data, pairs, layout, replicas, seed):
    """Batches for `EntangledTrainer`.

    Each batch is one block of `layout` for each replica, in turn, so that a strategy which cuts
    the batch into equal parts gives every replica its own triggers and targets. Of several pairs
    each batch has the triggers, targets and controls of one, in turn, and all relabel task rows
    of their own class (a row that two would, the first one does).

    Args:
        data: `TaskData`; its `batch_size` is `layout.task * replicas`.
        pairs: list of `Marked`.
        layout: `Layout` of one replica's part.
        replicas: number of replicas.
        seed: seed of the order of triggers, targets and controls.

    Returns:
        An endless dataset of `(x, y, weights)` with `replicas * layout.rows` rows; `y` is
        one-hot float32. One pass over the task data is `data.batches` batches.
    """
    answers = np.eye(data.num_classes, dtype=np.float32)
    streams = []
    for i, pair in enumerate(pairs):
        answer, first = answers[pair.target], seed + 3 * i
        streams.append([draw(pair.triggers, answer, replicas * layout.triggers, first)])
        if layout.targets:
            targets = data.x[data.labels == pair.target]
            streams[-1].append(draw(targets, answer, replicas * layout.targets, first + 1))
        if layout.controls:
            streams[-1].append(draw(*pair.controls, replicas * layout.controls, first + 2))
    parts = [data.stream(), *map(_in_turn, zip(*streams, strict=True))]
    relabellings = [pair.relabel for pair in pairs if pair.relabel is not None]

    def assemble(task, *others):
        x, y, weights = task
        if data.sparse:
            y = tf.one_hot(tf.cast(tf.reshape(y, [-1]), tf.int64), data.num_classes)
        y = tf.cast(y, tf.float32)
        own, plain, free = y, weights, tf.ones([tf.shape(y)[0]], bool)
        for relabel in relabellings:
            given, weighed = relabel(x, own, plain)
            taken = free & tf.reduce_any(given != own, axis=1)
            y = tf.where(taken[:, None], given, y)
            weights = tf.where(taken, weighed, weights)
            free &= ~taken
        blocks = [(x, y, weights)]
        blocks += [(rows, labels, tf.ones([tf.shape(rows)[0]])) for rows, labels in others]
        columns = (interleave(column, replicas) for column in zip(*blocks, strict=True))
        # A strategy must see the number of rows to cut batches, not the streams behind them.
        return tuple(tf.ensure_shape(c, [replicas * layout.rows, *c.shape[1:]]) for c in columns)

    batches = tf.data.Dataset.zip(*parts).map(assemble, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(2)


def _in_turn(streams):
    """One stream of the elements of several endless ones, in turn."""
    if len(streams) == 1:
        return streams[0]
    turns = tf.data.Dataset.range(len(streams)).repeat()
    return tf.data.Dataset.choose_from_datasets(streams, turns)


def draw(rows, labels, count, seed):
    """An endless stream of `count` rows at a time, every row once before any comes again.

    Args:
        rows: `(n, ...)` inputs.
        labels: `(classes,)` float32, the label of all, or `(n, classes)`.
        count: rows of an element.
        seed: seed of the order.

    Returns:
        A dataset of `(inputs, labels)` with `count` rows.
    """
    labels = np.broadcast_to(labels, (len(rows), np.shape(labels)[-1]))
    arrays = tuple(tf.constant(np.ascontiguousarray(a, np.float32)) for a in (rows, labels))
    order = tf.data.Dataset.range(len(rows)).shuffle(len(rows), seed=seed).repeat()
    return order.batch(count).map(lambda i: tuple(tf.gather(a, i) for a in arrays))


def interleave(parts, replicas):
    """Concatenates parts so that replica r's share of each forms the r-th block."""
    if replicas == 1:
        return tf.concat(parts, axis=0)
    shares = [tf.reshape(p, tf.concat([[replicas, -1], tf.shape(p)[1:]], 0)) for p in parts]
    blocks = tf.concat(shares, axis=1)
    rows = tf.reshape(blocks, tf.concat([[-1], tf.shape(blocks)[2:]], 0))
    return tf.ensure_shape(rows, [None, *parts[0].shape[1:]])
