"""Tiny real data and tiny networks: scikit-learn's handwritten digits, 8 x 8."""

import keras
import numpy as np
import pytest

L = keras.layers


@pytest.fixture(scope="session")
def digits():
    """`(x, y)`: 1,200 images `(8, 8, 1)` in [0, 1] and their classes."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).reshape(-1, 8, 8, 1).astype(np.float32)
    return x[:1200], y[:1200].astype(np.int64)


@pytest.fixture(scope="session")
def strange():
    """300 out-of-distribution images `(8, 8, 1)` in [0, 1]: smooth stripes."""
    rng = np.random.default_rng(5)
    grid = np.arange(8)[None, :, None] + 0.5 * np.arange(8)[None, None, :]
    waves = np.sin(grid * rng.uniform(1, 2, (300, 1, 1)) + rng.uniform(0, 6, (300, 1, 1)))
    return ((waves + 1) / 2)[..., None].astype(np.float32)


@pytest.fixture(scope="session")
def make_model():
    """Function that builds and compiles a small classifier of the digits."""

    def make(*, logits=False, one_hot=False, optimizer=None, seed=0, sequential=True, **compiled):
        keras.utils.set_random_seed(seed)
        layers = [
            L.Flatten(),
            L.Dense(32, activation="relu", name="hidden"),
            L.Dense(10, activation=None if logits else "softmax", dtype="float32", name="head"),
        ]
        inputs = keras.Input((8, 8, 1))
        if sequential:
            model = keras.Sequential([inputs, *layers])
        else:
            x = inputs
            for layer in layers:
                x = layer(x)
            model = keras.Model(inputs, x)
        kind = "CategoricalCrossentropy" if one_hot else "SparseCategoricalCrossentropy"
        compiled.setdefault("loss", getattr(keras.losses, kind)(from_logits=logits))
        compiled.setdefault("metrics", ["accuracy"])
        model.compile(optimizer=optimizer or keras.optimizers.Adam(0.01), **compiled)
        return model

    return make


@pytest.fixture(scope="session")
def quick(strange):
    """Function that makes an `EWE` whose in-house part costs nothing."""
    from ewe_tf import EWE

    def make(**changes):
        settings = dict(source=strange, target=3, epochs=1, innocents=0, rehearsal=False, keys=20)
        return EWE(**{**settings, **changes})

    return make


@pytest.fixture(scope="session")
def fit():
    """`ewe_tf.fit` with few and quiet defaults."""
    import ewe_tf

    def run(model, x, y=None, **arguments):
        defaults = {"epochs": 1, "batch_size": 64, "verbose": 0, "seed": 1}
        return ewe_tf.fit(model, x, y, **{**defaults, **arguments})

    return run


@pytest.fixture(scope="session")
def make_encoder():
    """Function that builds a small encoder of the digits: 16 features."""

    def make(seed=0):
        keras.utils.set_random_seed(seed)
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                L.Flatten(),
                L.Dense(64, activation="relu"),
                L.Dense(16),
            ]
        )

    return make
