import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.losses import SoftNearestNeighborLoss
from ewe_tf.losses import fully_mixed_value
from ewe_tf.losses import median_distance
from ewe_tf.losses import soft_nearest_neighbor_loss


def slow_snnl(x, groups, temperature, distance):
    """The definition, one pair at a time, in float64."""
    x = np.asarray(x, np.float64).reshape(len(x), -1)
    values = []
    for i in range(len(x)):
        same = everyone = 0.0
        for k in range(len(x)):
            if k == i:
                continue
            if distance == "cosine":
                d = 1 - x[i] @ x[k] / (np.linalg.norm(x[i]) * np.linalg.norm(x[k]))
            else:
                d = np.sum((x[i] - x[k]) ** 2)
            everyone += math.exp(-d / temperature)
            same += math.exp(-d / temperature) * (groups[i] == groups[k])
        if any(groups[k] == groups[i] for k in range(len(x)) if k != i):
            values.append(-math.log(same / everyone))
    return np.mean(values) if values else 0.0


@pytest.mark.parametrize("distance", ["cosine", "sqeuclidean"])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 20.0])
@pytest.mark.parametrize("shape", [(12, 5), (10, 4, 3, 2)])
def test_equals_the_definition(distance, temperature, shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32)
    groups = rng.integers(0, 3, shape[0])
    value = soft_nearest_neighbor_loss(x, groups, temperature, distance)
    assert float(value) == pytest.approx(
        slow_snnl(x, groups, temperature, distance), rel=2e-5, abs=1e-6
    )


@pytest.mark.parametrize("distance", ["cosine", "sqeuclidean"])
def test_separated_groups_give_zero(distance):
    x = np.repeat(np.eye(2, dtype=np.float32) * 10, 6, axis=0)
    assert float(soft_nearest_neighbor_loss(x, [0] * 6 + [1] * 6, 0.01, distance)) == 0.0


@pytest.mark.parametrize("n", [2, 3, 16, 64])
def test_mixed_groups_give_the_known_value(n):
    x = np.ones((2 * n, 7), np.float32)
    value = float(soft_nearest_neighbor_loss(x, [0] * n + [1] * n, 1.0))
    assert value == pytest.approx(math.log((2 * n - 1) / (n - 1)), rel=1e-6)
    assert fully_mixed_value(n) == pytest.approx(value, rel=1e-6)


def test_rows_without_a_partner_are_left_out():
    x = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    groups = [0, 0, 1, 1, 2]
    assert float(soft_nearest_neighbor_loss(x, groups, 1.0, "sqeuclidean")) == pytest.approx(
        slow_snnl(x, groups, 1.0, "sqeuclidean"), rel=1e-5
    )


@pytest.mark.parametrize("groups", [[3, 3, 3, 3], [0, 1, 2, 3]])
def test_one_group_or_only_loners_give_zero_with_zero_gradients(groups):
    x = tf.Variable(np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        value = soft_nearest_neighbor_loss(x, groups, 0.5)
    assert float(value) == 0.0
    np.testing.assert_array_equal(tape.gradient(value, x), np.zeros((4, 3)))


def test_a_single_row_gives_zero():
    assert float(soft_nearest_neighbor_loss(np.ones((1, 4)), [0], 1.0)) == 0.0


@pytest.mark.parametrize("distance", ["cosine", "sqeuclidean"])
def test_gradient_against_finite_differences(distance):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(8, 4)).astype(np.float32)
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    log_t = tf.Variable(-0.3)
    features = tf.Variable(x)
    with tf.GradientTape() as tape:
        value = soft_nearest_neighbor_loss(features, groups, tf.exp(log_t), distance)
    gradient, gradient_t = tape.gradient(value, [features, log_t])
    h = 1e-5
    for i, j in [(0, 0), (3, 2), (7, 3)]:
        up, down = x.astype(np.float64), x.astype(np.float64)
        up[i, j] += h
        down[i, j] -= h
        slope = slow_snnl(up, groups, math.exp(-0.3), distance)
        slope = (slope - slow_snnl(down, groups, math.exp(-0.3), distance)) / (2 * h)
        assert float(gradient[i, j]) == pytest.approx(slope, rel=1e-3, abs=1e-5)
    slope_t = slow_snnl(x, groups, math.exp(-0.3 + h), distance)
    slope_t = (slope_t - slow_snnl(x, groups, math.exp(-0.3 - h), distance)) / (2 * h)
    assert float(gradient_t) == pytest.approx(slope_t, rel=1e-3)


@pytest.mark.parametrize("distance", ["cosine", "sqeuclidean"])
@pytest.mark.parametrize("temperature", [1e-30, 1e-6, 1e6, 1e30])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
def test_values_and_gradients_are_finite_at_the_extremes(distance, temperature, scale):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(8, 4)).astype(np.float32) * scale
    x[1] = x[0]  # coincident rows, and for scale 0 all rows are the zero vector
    features, t = tf.Variable(x), tf.Variable(temperature)
    with tf.GradientTape() as tape:
        value = soft_nearest_neighbor_loss(features, [0, 0, 1, 0, 1, 1, 1, 0], t, distance)
    assert np.isfinite(value)
    for gradient in tape.gradient(value, [features, t]):
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_features_are_computed_in_float32(dtype):
    x = tf.cast(np.random.default_rng(5).normal(size=(16, 300)) * 3, dtype)
    groups = np.arange(16) % 2
    value = soft_nearest_neighbor_loss(x, groups, 500.0, "sqeuclidean")
    assert value.dtype == tf.float32
    expected = slow_snnl(tf.cast(x, tf.float32).numpy(), groups, 500.0, "sqeuclidean")
    assert float(value) == pytest.approx(expected, rel=1e-4)


def test_median_distance_is_the_median_over_pairs():
    x = np.random.default_rng(6).normal(size=(9, 3)).astype(np.float32)
    pairs = [np.sum((x[i] - x[j]) ** 2) for i in range(9) for j in range(9) if i != j]
    expected = np.sort(pairs)[len(pairs) // 2]
    assert float(median_distance(x, "sqeuclidean")) == pytest.approx(expected, rel=1e-4)


def test_loss_class_equals_the_function_and_serialises():
    x = np.random.default_rng(7).normal(size=(6, 3)).astype(np.float32)
    groups = [0, 0, 1, 1, 1, 2]
    loss = SoftNearestNeighborLoss(temperature=0.7, distance="sqeuclidean")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    expected = float(soft_nearest_neighbor_loss(x, groups, 0.7, "sqeuclidean"))
    assert float(loss(np.array(groups), x)) == pytest.approx(expected, rel=1e-6)
    assert float(again(np.array(groups), x)) == pytest.approx(expected, rel=1e-6)


def test_works_inside_a_graph_with_unknown_batch_size():
    @tf.function(input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([None], tf.int32)])
    def compiled(x, groups):
        return soft_nearest_neighbor_loss(x, groups, 1.0)

    x = np.random.default_rng(8).normal(size=(6, 3)).astype(np.float32)
    groups = np.array([0, 1, 0, 1, 0, 1], np.int32)
    assert float(compiled(x, groups)) == pytest.approx(
        slow_snnl(x, groups, 1.0, "cosine"), rel=1e-5
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"temperature": 0.0}, "`temperature` must be positive"),
        ({"temperature": 1.0, "distance": "l1"}, "`distance` must be one of"),
        ({"temperature": 1.0, "groups": [0, 1]}, "one label for each row"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    arguments = {"groups": [0, 1, 0], **arguments}
    with pytest.raises(ValueError, match=message):
        soft_nearest_neighbor_loss(np.ones((3, 2)), **arguments)


@pytest.mark.parametrize("distance", ["cosine", "sqeuclidean"])
def test_value_and_gradient_take_one_matrix_product_each(distance):
    @tf.function(input_signature=[tf.TensorSpec([8, 5])])
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = soft_nearest_neighbor_loss(x, [0, 1] * 4, 1.0, distance)
        return value, tape.gradient(value, x)

    kinds = [operation.type for operation in both.get_concrete_function().graph.get_operations()]
    assert kinds.count("MatMul") == 2
