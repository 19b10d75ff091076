"""A small victim on real data, and students to steal it with."""

import keras
import numpy as np
import pytest
import sklearn.datasets
import sklearn.linear_model


@pytest.fixture(scope="session")
def digits():
    """Scikit-learn's handwritten digits in [0, 1], shuffled: `(x, y)`, 1797 rows of 64."""
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).astype(np.float32), y[order]


class Teacher:
    """A linear teacher as a callable that counts what it is asked.

    Attributes:
        rows: rows received.
        asked: the batches received.
    """

    def __init__(self, x, y):
        regression = sklearn.linear_model.LogisticRegression(C=1.0).fit(x, y)
        self.weights = regression.coef_.T.astype(np.float64)
        self.bias = regression.intercept_.astype(np.float64)
        self.asked = []

    @property
    def rows(self):
        return sum(len(x) for x in self.asked)

    def __call__(self, x):
        self.asked.append(np.array(x))
        return self.probabilities(x)

    def probabilities(self, x):
        scores = np.exp(np.asarray(x, np.float64) @ self.weights + self.bias)
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def teacher(digits):
    x, y = digits
    return Teacher(x[:600], y[:600])


@pytest.fixture
def queries(digits):
    """600 rows that the teacher was not trained on."""
    return digits[0][600:1200]


@pytest.fixture
def fresh(digits):
    """597 rows that nobody has seen."""
    return digits[0][1200:]


@pytest.fixture
def make_student():
    def make(logits=False, hidden=32, seed=0, classes=10):
        keras.utils.set_random_seed(seed)
        layers = [keras.layers.Dense(hidden, "relu")] if hidden else []
        head = keras.layers.Dense(classes, None if logits else "softmax")
        return keras.Sequential([keras.Input((64,)), *layers, head])

    return make
