"""The task's training data, given as arrays or as a `tf.data.Dataset`, in one form."""

import dataclasses
import functools
import numbers

import keras
import numpy as np
import tensorflow as tf

from ewe_tf.keys.attribute import is_whole


@dataclasses.dataclass(frozen=True, eq=False)
class TaskData:
    """Checked training data.

    Attributes:
        x: `(n, ...)` float32 inputs: all of them, or of a dataset the first `limit`.
        y: `(n,)` int64 or `(n, classes)` float32 labels of `x`.
        weights: `(n,)` float32 sample weights, class weights multiplied in; or `None`.
        dataset: the batched dataset that was given, or `None`.
        batches: batches (steps) per epoch.
        num_classes: number of classes.
        batch_size: task rows per step.
        seed: seed of the shuffling.
        whole: whether the model takes integers, so that triggers are to be whole numbers.
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    dataset: tf.data.Dataset | None
    batches: int
    num_classes: int
    batch_size: int
    seed: int
    whole: bool = False

    @property
    def labels(self):
        """Class `(n,)` int64 of each row of `x`."""
        return self.y.astype(np.int64) if self.y.ndim == 1 else np.argmax(self.y, axis=1)

    @property
    def sparse(self):
        """Whether labels are integers (else one row of class weights each)."""
        return self.y.ndim == 1

    @property
    def value_range(self):
        """`(smallest, largest)` input value: what triggers are clipped to."""
        return float(self.x.min()), float(self.x.max())

    def of_whole_numbers(self):
        """These data for a model that takes integers.

        Raises:
            ValueError: if inputs are no whole numbers.
        """
        if not is_whole(self.x):
            raise ValueError(
                "`x` must hold whole numbers, for the model takes integers. Received: values "
                f"from {self.x.min():g} to {self.x.max():g} with fractions"
            )
        return dataclasses.replace(self, whole=True)

    def with_classes(self):
        """The rows of `x` with integer labels and no weights, for models of the owner's own."""
        return dataclasses.replace(
            self, y=self.labels, weights=None, dataset=None, batches=len(self.x) // self.batch_size
        )

    def stream(self):
        """Full batches `(x, y, weights)` without end: every row once before any comes again."""
        size = self.batch_size
        if self.dataset is not None:
            whole = self.dataset.map(_with_weights, num_parallel_calls=tf.data.AUTOTUNE)
            return whole.repeat().rebatch(size, drop_remainder=True)
        arrays = self._tensors
        order = tf.data.Dataset.range(len(self.x)).shuffle(len(self.x), seed=self.seed)
        return (
            order.repeat()
            .batch(size, drop_remainder=True)
            .map(
                lambda rows: tuple(tf.gather(a, rows) for a in arrays),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        )

    @functools.cached_property
    def _tensors(self):
        """Inputs, labels and weights: one copy for all streams, however many stages there are."""
        weights = np.ones(len(self.x), np.float32) if self.weights is None else self.weights
        return tuple(tf.constant(a) for a in (self.x, self.y, weights))


def from_arrays(x, y, num_classes, batch_size, seed, sample_weight=None, class_weight=None):
    """`TaskData` of arrays; see `ewe_tf.fit` for what is accepted and refused."""
    if hasattr(x, "__next__") or isinstance(x, keras.utils.PyDataset):
        raise TypeError(
            "`x` must be an array of numbers or a tf.data.Dataset (tf.data.Dataset.from_generator "
            f"makes one). Received: {type(x).__name__}"
        )
    if y is None:
        raise ValueError("`y` must be given: one label for each row of `x`")
    x = _inputs(x, "x")
    y = _labels(y, len(x), num_classes)
    weights = _weights(x, y, sample_weight, class_weight, num_classes)
    if weights is not None and not weights.all():
        used = weights != 0
        x, y, weights = x[used], y[used], weights[used]
    if batch_size > len(x):
        raise ValueError(
            f"`batch_size` must not exceed the number of rows of `x` ({len(x)}, those of weight 0 "
            f"left out). Received: batch_size={batch_size}"
        )
    return TaskData(x, y, weights, None, len(x) // batch_size, num_classes, batch_size, seed)


def from_dataset(
    dataset, num_classes, input_shape, batch_size, seed, steps_per_epoch=None, limit=50_000
):
    """`TaskData` of a batched dataset of `(x, y)` or `(x, y, sample_weight)`.

    The dataset itself feeds the training, in its own order and with its own augmentation; one
    pass over at most `limit` rows is kept in memory for the parts that need arrays (target
    rows, in-house models).
    """
    spec = dataset.element_spec
    pairs = isinstance(spec, tuple) and len(spec) in (2, 3)
    if not pairs or not all(isinstance(part, tf.TensorSpec) for part in spec):
        raise ValueError(
            "`x`, a dataset, must give (x, y) or (x, y, sample_weight) batches, one tensor each. "
            f"Received elements of structure {spec}"
        )
    ranks = [part.shape.rank for part in spec]
    if None in ranks:
        raise ValueError(
            "`x`, a dataset, must state the shapes of what it gives (`output_signature` of "
            f"`from_generator`, `tf.ensure_shape`). Received: {spec}"
        )
    if 0 in ranks or ranks[0] == len(input_shape):
        raise ValueError(f"`x`, a dataset, must be batched: use x.batch({batch_size})")
    if steps_per_epoch is not None:
        limit = min(limit, steps_per_epoch * batch_size)
    elif dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("`steps_per_epoch` must be given for a dataset that repeats for ever")
    size = int(dataset.cardinality())
    xs, ys, rows = [], [], 0
    for element in dataset:
        if rows < limit:
            xs.append(np.asarray(element[0]))
            ys.append(np.asarray(element[1]))
        elif steps_per_epoch is not None or size > 0:
            break
        rows += int(tf.shape(element[0])[0])
    if not rows:
        raise ValueError("`x`, a dataset, is empty")
    if rows >= limit and size > 0:
        # Of the last batch it is only known that it is not empty.
        rows = (size - 1) * len(xs[0]) + 1
    batches = steps_per_epoch or rows // batch_size
    if not batches:
        raise ValueError(
            f"`batch_size` must not exceed the number of rows of the dataset ({rows}). "
            f"Received: batch_size={batch_size}"
        )
    x = _inputs(np.concatenate(xs)[:limit], "x")
    y = _labels(np.concatenate(ys)[:limit], len(x), num_classes)
    return TaskData(x, y, None, dataset, batches, num_classes, batch_size, seed)


def _with_weights(x, y, weights=None):
    x = tf.cast(x, tf.float32)
    if weights is None:
        weights = tf.ones([tf.shape(x)[0]])
    return x, y, tf.reshape(tf.cast(weights, tf.float32), [-1])


def _inputs(x, name):
    try:
        x = np.asarray(x, np.float32)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"`{name}` must be an array of numbers or a tf.data.Dataset. Received: "
            f"{type(x).__name__}"
        ) from error
    if x.ndim < 2 or not len(x):
        raise ValueError(f"`{name}` must have shape (rows, ...). Received: {x.shape}")
    if not np.all(np.isfinite(x)):
        bad = int(np.sum(~np.isfinite(x.reshape(len(x), -1)).all(axis=1)))
        raise ValueError(f"`{name}` must be finite. Received: {bad} rows with NaN or infinity")
    return x


def _labels(y, rows, num_classes):
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if len(y) != rows or y.ndim > 2 or (y.ndim == 2 and y.shape[1] != num_classes):
        raise ValueError(
            f"`y` must hold one class or one row of {num_classes} class weights for each of "
            f"the {rows} rows of `x`. Received: shape {y.shape}"
        )
    if y.ndim == 2:
        y = y.astype(np.float32)
        if not np.all(np.isfinite(y)) or y.min() < 0 or np.abs(y.sum(1) - 1).max() > 1e-3:
            raise ValueError("`y` must hold rows of class weights that are >= 0 and sum to 1")
        return y
    if not np.array_equal(y, y.astype(np.int64)):
        raise ValueError(f"`y` must hold integer classes. Received: dtype {y.dtype}")
    y = y.astype(np.int64)
    if y.min() < 0 or y.max() >= num_classes:
        raise ValueError(
            f"`y` must lie in [0, {num_classes}), the classes of the model's output. Received: "
            f"labels from {y.min()} to {y.max()}"
        )
    return y


def _weights(x, y, sample_weight, class_weight, num_classes):
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(x), np.float32)
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight, np.float32)
        if sample_weight.shape != (len(x),) or not np.all(_are_weights(sample_weight)):
            raise ValueError(
                f"`sample_weight` must be one finite number >= 0 for each of the {len(x)} rows. "
                f"Received: shape {sample_weight.shape}, {np.sum(~_are_weights(sample_weight))} "
                "that are not"
            )
        weights *= sample_weight
    if class_weight is not None:
        table = np.ones(num_classes, np.float32)
        if not isinstance(class_weight, dict) or not set(class_weight) <= set(range(num_classes)):
            raise ValueError(
                f"`class_weight` must be a dict from classes in [0, {num_classes}) to numbers. "
                f"Received: {class_weight!r:.80}"
            )
        for label, weight in class_weight.items():
            if not isinstance(weight, numbers.Real) or not _are_weights(weight):
                raise ValueError(
                    f"`class_weight` must hold finite numbers >= 0. Received: {weight!r} for "
                    f"class {label}"
                )
            table[label] = weight
        weights *= table[y if y.ndim == 1 else np.argmax(y, axis=1)]
    return weights


def _are_weights(values):
    return np.isfinite(values) & (np.asarray(values) >= 0)
