"""Tests of what attacks read off a student."""

import keras
import numpy as np
import pytest

from ewe_tf.extraction import LabelOnly
from ewe_tf.extraction.student import Student


@pytest.mark.parametrize("logits", [False, True])
def test_input_gradient_of_a_linear_student(logits):
    """d/dx log p_c = W_c - sum_k p_k W_k, also where the softmax has underflowed."""
    head = keras.layers.Dense(3, None if logits else "softmax")
    model = keras.Sequential([keras.Input((4,)), head])
    weights = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    model.set_weights([weights, np.array([0, 0, -300], np.float32)])
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    student = Student(model, x[:1], LabelOnly())
    scores = np.exp(x @ weights + [0, 0, -300])
    p = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(student.probabilities(x), p, atol=1e-6)
    for label in (0, 2):
        chosen = np.eye(3, dtype=np.float32)[np.full(5, label)]
        wanted = weights[:, label] - p @ weights.T
        np.testing.assert_allclose(student.input_gradient(x, chosen), wanted, atol=1e-5)


def test_each_fit_starts_from_the_weights_that_came():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    x = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[np.arange(50) % 3]
    student = Student(model, x[:1], LabelOnly(epochs=2))
    student.fit(x, targets)
    once = model.get_weights()[0]
    student.fit(x, targets)
    np.testing.assert_array_equal(model.get_weights()[0], once)
    assert student.step(x, targets) > 0
    assert np.abs(model.get_weights()[0] - once).max() > 0


def test_input_gradient_of_a_sure_student():
    """At p_c = 1 - 1e-9 the float32 difference 1 - p_c is nothing but rounding."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    weights = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    model.set_weights([weights, np.array([20, 0], np.float32)])
    x = np.zeros((1, 4), np.float32)
    gradient = Student(model, x, LabelOnly()).input_gradient(x, np.float32([[1, 0]]))
    wanted = (weights[:, 0] - weights[:, 1]) / (1 + np.exp(20))
    np.testing.assert_allclose(gradient[0], wanted, rtol=1e-4)
