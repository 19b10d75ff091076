"""Tests of softened targets and of the distillation loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.extraction.tempered import TemperedKLDivergence
from ewe_tf.extraction.tempered import soften


def test_soften_equals_softmax_of_the_scaled_logits():
    logits = np.random.default_rng(0).normal(size=(20, 5)) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = np.exp(logits / 7) / np.exp(logits / 7).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(soften(probabilities, 7), wanted, rtol=1e-5)
    np.testing.assert_allclose(soften(probabilities), probabilities, rtol=1e-5)


def test_soften_by_hand():
    """sqrt(0.64), sqrt(0.36) are in the ratio 8 : 6; a missing class has sqrt(0.01) of floor."""
    np.testing.assert_allclose(soften([[0.64, 0.36]], 2), [[8 / 14, 6 / 14]], rtol=1e-6)
    np.testing.assert_allclose(soften([[1.0, 0.0]], 2, floor=0.01), [[10 / 11, 1 / 11]], rtol=1e-6)
    np.testing.assert_allclose(soften([[0.0, 0.0]], 3), [[0.5, 0.5]], rtol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("from_logits", [False, True])
def test_loss_against_a_slow_sum(temperature, from_logits):
    random = np.random.default_rng(1)
    logits, teacher = random.normal(size=(2, 6, 3)) * 2
    target = np.exp(teacher / temperature)
    target /= target.sum(axis=1, keepdims=True)
    student = np.exp(logits / temperature)
    student /= student.sum(axis=1, keepdims=True)
    wanted = temperature**2 * np.mean(np.sum(target * np.log(target / student), axis=1))
    outputs = logits if from_logits else np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    loss = TemperedKLDivergence(temperature, from_logits)(target, outputs)
    assert float(loss) == pytest.approx(wanted, rel=1e-4)


def test_loss_is_zero_at_the_target_and_finite_at_one_hot():
    target = np.array([[0.2, 0.3, 0.5]], np.float32)
    assert float(TemperedKLDivergence()(target, target)) == pytest.approx(0, abs=1e-6)
    hard = np.array([[1.0, 0.0]], np.float32)
    assert float(TemperedKLDivergence()(hard, 1 - hard)) == pytest.approx(-np.log(1e-7), rel=1e-3)


def test_saturated_softmax_still_learns():
    """A softmax output that underflows to 0 gives the same gradient as its logits."""
    logits = tf.Variable([[0.0, 200.0]])
    with tf.GradientTape() as tape:
        loss = TemperedKLDivergence()([[1.0, 0.0]], keras.activations.softmax(logits))
    np.testing.assert_allclose(tape.gradient(loss, logits), [[-1.0, 1.0]], atol=1e-6)


def test_loss_survives_its_configuration():
    loss = TemperedKLDivergence(3.0, from_logits=True)
    copy = TemperedKLDivergence.from_config(loss.get_config())
    assert (copy.temperature, copy.from_logits) == (3.0, True)
