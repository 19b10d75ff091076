import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from ewe_tf.watermarks.mgda import gram_matrix
from ewe_tf.watermarks.mgda import minimum_norm_weights

RNG = np.random.default_rng(0)


def weights_of(vectors, floors=None):
    vectors = np.asarray(vectors, np.float64)
    return minimum_norm_weights(vectors @ vectors.T, floors).numpy()


@pytest.mark.parametrize("_", range(10))
def test_two_vectors_equal_the_closed_form(_):
    a, b = RNG.normal(size=(2, 5)) + RNG.normal(size=5)
    expected = np.clip((b - a) @ b / np.sum((a - b) ** 2), 0, 1)
    np.testing.assert_allclose(weights_of([a, b]), [expected, 1 - expected], atol=1e-6)


def test_orthogonal_vectors_weigh_one_over_their_squares():
    lengths = np.array([1.0, 2.0, 3.0, 5.0])
    expected = lengths**-2.0 / np.sum(lengths**-2.0)
    np.testing.assert_allclose(weights_of(np.diag(lengths)), expected, rtol=1e-6)


def test_a_vector_that_is_shortest_and_in_all_others_directions_stands_alone():
    np.testing.assert_allclose(weights_of([[3, 1], [1, 0], [5, -2]]), [0, 1, 0], atol=1e-7)


def test_vectors_around_the_origin_cancel():
    vectors = np.array([[1, 0], [-1, 1], [-1, -1]], float)
    np.testing.assert_allclose(weights_of(vectors), [0.5, 0.25, 0.25], atol=1e-6)


@pytest.mark.parametrize("vectors", [np.ones((3, 4)), np.zeros((3, 4)), [[1, 1], [1, 1], [9, 9]]])
def test_dependent_vectors_still_give_a_shortest_combination(vectors):
    w = weights_of(vectors)
    assert w.min() >= 0 and w.sum() == pytest.approx(1, abs=1e-6)
    shortest = min(np.linalg.norm(v) for v in np.asarray(vectors, float))
    assert np.linalg.norm(w @ np.asarray(vectors, float)) == pytest.approx(shortest, abs=1e-4)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("floors", [None, [0.3, 0, 0, 0], [0.1, 0.2, 0.0, 0.3]])
def test_four_vectors_equal_a_general_solver(seed, floors):
    rng = np.random.default_rng(seed)
    # Lengths apart by a thousand, as those of losses are.
    vectors = rng.normal(size=(4, 6)) * 10 ** rng.uniform(-1.5, 1.5, (4, 1))
    gram = vectors @ vectors.T
    low = np.zeros(4) if floors is None else np.array(floors)
    found = scipy.optimize.minimize(
        lambda w: w @ gram @ w / np.trace(gram),
        np.full(4, 0.25),
        jac=lambda w: 2 * gram @ w / np.trace(gram),
        bounds=[(f, 1) for f in low],
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(4)},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    w = weights_of(vectors, floors).astype(np.float64)
    assert np.all(w >= low - 1e-6) and w.sum() == pytest.approx(1, abs=1e-6)
    assert w @ gram @ w <= found.x @ gram @ found.x * (1 + 1e-4) + 1e-9 * np.trace(gram)


@pytest.mark.parametrize("jit", [False, True])
def test_works_inside_compiled_graphs(jit):
    compiled = tf.function(minimum_norm_weights, jit_compile=jit)
    gram = tf.constant(np.diag([1.0, 4.0]), tf.float32)
    np.testing.assert_allclose(compiled(gram), [0.8, 0.2], rtol=1e-6)


def test_gram_matrix_skips_what_a_loss_does_not_reach():
    first = [tf.constant([[1.0, 2.0]]), tf.constant([3.0])]
    second = [tf.constant([[5.0, 7.0]]), None]
    np.testing.assert_allclose(gram_matrix([first, second]), [[14, 19], [19, 74]])


@pytest.mark.parametrize("floors", [[0.5, 0.5], [-0.1, 0], [0.1]])
def test_floors_out_of_range_are_refused(floors):
    with pytest.raises(ValueError, match="`floors` must be 2 numbers"):
        minimum_norm_weights(np.eye(2), floors)
