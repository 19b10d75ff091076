"""Soft nearest neighbour loss (SNNL): how separated groups of representations are.

For rows `i = 1..B` with representations `x_i`, group labels `g_i` and temperature `T`

    S(T) = -(1/B) sum_i log( sum_{j != i, g_j = g_i} exp(-d_ij / T)
                             / sum_{k != i} exp(-d_ik / T) )

(Frosst, Papernot and Hinton, ICML 2019, eq. 1; Jia et al., USENIX Security 2021, eq. 1). It is 0
where each row's neighbours are all of its own group, and `log((2n - 1) / (n - 1))` where two
groups of `n` rows are indistinguishable. EWE *maximises* it between watermark and task rows.
"""

import math

import keras
import numpy as np
import tensorflow as tf

DISTANCES = ("cosine", "sqeuclidean")

# Temperatures are clamped to this range, in which d/T and its gradients fit into a float32.
_MIN_TEMPERATURE, _MAX_TEMPERATURE = 1e-12, 1e12


def soft_nearest_neighbor_loss(features, groups, temperature, distance="cosine"):
    """Mean soft nearest neighbour loss of a batch.

    Rows without another row of their group are left out of the mean; a batch in which no row
    has one, or that holds a single group, gives 0. Computed in float32 (log-sum-exp with the
    diagonal masked) whatever the dtype of `features`.

    Args:
        features: `(batch, ...)` floating tensor; each row is flattened.
        groups: `(batch,)` integer tensor: the group of each row.
        temperature: positive scalar, in units of the distance; clamped to [1e-12, 1e12].
        distance: `"cosine"` (1 - cosine similarity, in [0, 2]) or `"sqeuclidean"`.

    Returns:
        Scalar float32 tensor, at least 0. Larger values: more entangled groups.

    Raises:
        ValueError: for an unknown distance, a temperature that is not positive, or shapes that
            do not fit.

    Example:

    >>> x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> float(soft_nearest_neighbor_loss(x, [0, 0, 1, 1], temperature=0.01))
    0.0

    Reference:
        [Frosst et al., 2019](https://arxiv.org/abs/1902.01889), eq. 1.
    """
    losses, counted = _row_losses(features, groups, temperature, distance)
    return tf.math.divide_no_nan(tf.reduce_sum(losses), tf.reduce_sum(counted))


def fully_mixed_value(n):
    """SNNL of two indistinguishable groups of `n` rows each: `log((2n - 1) / (n - 1))`.

    The value by which EWE's loss is normalised, so that one weight means the same at every
    batch size.

    Raises:
        ValueError: unless `n` is an integer of at least 2.
    """
    if int(n) != n or n < 2:
        raise ValueError(f"`n` must be an integer of at least 2. Received: n={n!r}")
    return math.log((2 * n - 1) / (n - 1))


def median_distance(features, distance="cosine"):
    """Median distance between different rows: the temperature's natural scale.

    Args:
        features: `(batch, ...)` floating tensor with at least two rows.
        distance: as in `soft_nearest_neighbor_loss`.

    Returns:
        Scalar float32 tensor, at least 1e-6.
    """
    distances = _pairwise_distances(_flat(features), distance)
    rows = tf.shape(distances)[0]
    # The `rows` zeros of the diagonal are sorted first and skipped.
    ordered = tf.sort(tf.reshape(tf.linalg.set_diag(distances, tf.fill([rows], -1.0)), [-1]))
    pairs = ordered[rows:]
    return tf.maximum(pairs[tf.shape(pairs)[0] // 2], 1e-6)


@keras.saving.register_keras_serializable(package="ewe_tf")
class SoftNearestNeighborLoss(keras.losses.Loss):
    """`soft_nearest_neighbor_loss` as a Keras loss: `y_true` are groups, `y_pred` features.

    Minimising it separates the groups; give it a negative weight to entangle them.

    Args:
        temperature: positive float, in units of the distance.
        distance: `"cosine"` or `"sqeuclidean"`.
        reduction: as in every Keras loss. With the default the unweighted value equals the
            function's: rows without a partner count neither above nor below the fraction bar.
        name: name of the loss.
    """

    def __init__(
        self,
        temperature=1.0,
        distance="cosine",
        reduction="sum_over_batch_size",
        name="soft_nearest_neighbor_loss",
    ):
        super().__init__(name=name, reduction=reduction)
        _check(temperature, distance)
        self.temperature = float(temperature)
        self.distance = distance

    def call(self, y_true, y_pred):
        losses, counted = _row_losses(y_pred, y_true, self.temperature, self.distance)
        rows = tf.cast(tf.shape(losses)[0], tf.float32)
        return losses * tf.math.divide_no_nan(rows, tf.reduce_sum(counted))

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "distance": self.distance,
        }


def _row_losses(features, groups, temperature, distance):
    """Per-row losses (0 for rows without a partner) and the 0/1 mask of the rows that count."""
    _check(temperature, distance)
    x = _flat(features)
    groups = tf.reshape(tf.convert_to_tensor(groups), [-1])
    if None not in (x.shape[0], groups.shape[0]) and x.shape[0] != groups.shape[0]:
        raise ValueError(
            "`groups` must hold one label for each row of `features`. "
            f"Received: {groups.shape[0]} groups for {x.shape[0]} rows"
        )
    temperature = tf.clip_by_value(
        tf.cast(temperature, tf.float32), _MIN_TEMPERATURE, _MAX_TEMPERATURE
    )
    logits = -_pairwise_distances(x, distance) / temperature
    others = ~tf.eye(tf.shape(x)[0], dtype=tf.bool)
    partners = others & (groups[:, None] == groups[None, :])
    counted = tf.reduce_any(partners, axis=1)
    # A row without partners gets all columns, so that its (discarded) value and gradient exist.
    partners |= ~counted[:, None]
    others |= ~counted[:, None]
    losses = _masked_logsumexp(logits, others) - _masked_logsumexp(logits, partners)
    counted = tf.cast(counted, tf.float32)
    return tf.nn.relu(losses) * counted, counted


def _masked_logsumexp(logits, mask):
    return tf.reduce_logsumexp(tf.where(mask, logits, -np.inf), axis=1)


def _flat(features):
    x = tf.cast(tf.convert_to_tensor(features), tf.float32)
    if x.shape.rank is not None and x.shape.rank < 1:
        raise ValueError("`features` must have a batch axis. Received: a scalar")
    return tf.reshape(x, [tf.shape(x)[0], -1])


def _pairwise_distances(x, distance):
    if distance == "cosine":
        x = x * tf.math.rsqrt(tf.maximum(tf.reduce_sum(x * x, axis=1, keepdims=True), 1e-12))
        return 1.0 - _products(x)
    # Distances do not change with the origin; around the mean they lose fewer digits.
    x = x - tf.stop_gradient(tf.reduce_mean(x, axis=0, keepdims=True))
    squares = tf.reduce_sum(x * x, axis=1)
    return tf.nn.relu(squares[:, None] + squares[None, :] - 2.0 * _products(x))


@tf.custom_gradient
def _products(x):
    """`x x^T`, whose gradient takes one matrix product where the general rule takes two."""

    def gradient(upstream):
        return tf.matmul(upstream + tf.transpose(upstream), x)

    return tf.matmul(x, x, transpose_b=True), gradient


def _check(temperature, distance):
    if distance not in DISTANCES:
        raise ValueError(f"`distance` must be one of {DISTANCES}. Received: {distance!r}")
    if isinstance(temperature, int | float | np.number) and not temperature > 0:
        raise ValueError(f"`temperature` must be positive. Received: {temperature!r}")
