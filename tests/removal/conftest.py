"""A trained classifier of 8x8 digits, small enough to attack in a second."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits():
    """The rows that the thief has: float32 (1000, 8, 8, 1) in [0, 1] and labels (1000,)."""
    data = load_digits()
    x = (data.images / 16.0).astype("float32")[..., None]
    return x[:1000], data.target[:1000].astype("int64")


@pytest.fixture(scope="session")
def held_out():
    data = load_digits()
    x = (data.images / 16.0).astype("float32")[..., None]
    return x[1000:], data.target[1000:].astype("int64")


@pytest.fixture(scope="session")
def trained_cnn(digits):
    """A residual conv net with BatchNorm and dropout, trained to about 95 %."""
    keras.utils.set_random_seed(7)
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    h = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv1")(inputs)
    h = layers.BatchNormalization(momentum=0.8, name="norm1")(h)
    skip = h = layers.ReLU()(h)
    h = layers.Conv2D(8, 3, padding="same", name="conv2")(h)
    h = layers.BatchNormalization(momentum=0.8, name="norm2")(h)
    h = layers.ReLU(name="relu2")(h)
    h = layers.Add()([h, skip])
    h = layers.MaxPooling2D()(h)
    h = layers.Flatten()(h)
    h = layers.Dropout(0.1)(h)
    outputs = layers.Dense(10, activation="softmax", name="scores")(h)
    model = keras.Model(inputs, outputs, name="digits_cnn")
    x, y = digits
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=12, batch_size=64, verbose=0)
    return model


@pytest.fixture
def cnn(trained_cnn):
    """The trained model; fails the test if it came out changed."""
    before = [w.copy() for w in trained_cnn.get_weights()]
    trainable = [layer.trainable for layer in trained_cnn.layers]
    yield trained_cnn
    for old, new in zip(before, trained_cnn.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert trainable == [layer.trainable for layer in trained_cnn.layers]


@pytest.fixture
def accuracy(held_out):
    """A function from anything that answers rows to its accuracy on unseen digits."""
    x, y = held_out

    def of(suspect):
        answers = suspect.predict(x, verbose=0) if hasattr(suspect, "predict") else suspect(x)
        return float(np.mean(np.argmax(np.asarray(answers), axis=-1) == y))

    return of


@pytest.fixture
def same_weights():
    def same(first, second):
        return all(
            np.array_equal(a, b)
            for a, b in zip(first.get_weights(), second.get_weights(), strict=True)
        )

    return same
