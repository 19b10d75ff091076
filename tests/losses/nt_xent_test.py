import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.losses import nt_xent_loss

RNG = np.random.default_rng(0)


def slow(features, temperature):
    """Row by row, as in the paper's equation (1)."""
    count = len(features)
    unit = [row / np.linalg.norm(row) for row in features]
    total = 0.0
    for i in range(count):
        j = (i + count // 2) % count
        others = sum(np.exp(unit[i] @ unit[k] / temperature) for k in range(count) if k != i)
        total -= np.log(np.exp(unit[i] @ unit[j] / temperature) / others)
    return total / count


@pytest.mark.parametrize("pairs", [1, 2, 7])
@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_it_equals_the_slow_reference(pairs, temperature):
    features = RNG.normal(size=(2 * pairs, 5))
    found = nt_xent_loss(features, temperature)
    np.testing.assert_allclose(found, slow(features, temperature), rtol=1e-4, atol=1e-6)


def test_by_hand():
    # Two inputs, views equal, inputs orthogonal: -log(e^2 / (e^2 + 2)) at temperature 1/2.
    features = [[3.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 2.0]]
    assert float(nt_xent_loss(features)) == pytest.approx(np.log1p(2 * np.exp(-2)), rel=1e-5)
    # A single input has nothing to be told from.
    assert float(nt_xent_loss([[1.0, 2.0], [-1.0, 0.5]])) == pytest.approx(0, abs=1e-6)


def test_lengths_do_not_count_and_slopes_are_finite():
    features = tf.Variable(RNG.normal(size=(8, 4)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = nt_xent_loss(features)
    scaled = nt_xent_loss(features * RNG.uniform(1, 9, (8, 1)).astype(np.float32))
    np.testing.assert_allclose(loss, scaled, rtol=1e-5)
    assert np.all(np.isfinite(tape.gradient(loss, features)))
