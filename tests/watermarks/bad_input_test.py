"""What is refused, with a message that names the argument, before anything is trained."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import ewe_tf
from ewe_tf import EWE

L = keras.layers


def with_nan(x):
    x = x.copy()
    x[7, 0, 0] = np.nan
    return x


def datasets(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y))


OTHER = np.random.default_rng(9).random((60, 8, 8, 1)).astype(np.float32)


def scheme(**changes):
    settings = dict(source=OTHER, target=3, innocents=0, rehearsal=False)
    return EWE(**{**settings, **changes})


def dense(shape):
    return keras.Sequential([keras.Input(shape), L.Flatten(), L.Dense(10)])


class Forbidden(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise AssertionError("training began")


CASES = {
    # The task's data.
    "label too large": (lambda x, y: dict(y=y + 1), r"`y` must lie in \[0, 10\).* from 1 to 10"),
    "label negative": (lambda x, y: dict(y=y - 1), r"`y` must lie in \[0, 10\)"),
    "label not whole": (lambda x, y: dict(y=y + 0.5), "`y` must hold integer classes"),
    "labels too few": (lambda x, y: dict(y=y[:-1]), "`y` must hold one class or one row"),
    "no labels": (lambda x, y: dict(y=None), "`y` must be given"),
    "one-hot of other width": (lambda x, y: dict(y=np.eye(11)[y]), "`y` must hold one class"),
    "one-hot, sparse loss": (lambda x, y: dict(y=np.eye(10)[y]), "`y` does not suit the model's"),
    "rows that do not sum to 1": (lambda x, y: dict(y=np.eye(10)[y] * 2), "`y` must hold rows of"),
    "NaN": (lambda x, y: dict(x=with_nan(x)), "`x` must be finite. Received: 1 rows"),
    "infinity": (lambda x, y: dict(x=1 / x.clip(0)), "`x` must be finite"),
    "other shape": (lambda x, y: dict(x=x[:, :7]), r"`x` must have the model's input shape"),
    "no rows": (lambda x, y: dict(x=x[:0], y=y[:0]), "`x` must have shape"),
    "text": (lambda x, y: dict(x=["a"] * len(y)), "`x` must be an array of numbers"),
    # Training.
    "batch too large": (lambda x, y: dict(batch_size=5000), "`batch_size` must not exceed"),
    "batch too small": (lambda x, y: dict(batch_size=8), "`batch_size` must give .* at least 16"),
    "batch of no size": (lambda x, y: dict(batch_size="auto"), "`batch_size` must be an integer"),
    "no epochs": (lambda x, y: dict(epochs=None), "`epochs` must be given for a model that was"),
    "half an epoch": (lambda x, y: dict(epochs=0.5), "`epochs` must be an integer >= 0"),
    "seed": (lambda x, y: dict(seed=-1), "`seed` must be an integer >= 0"),
    "steps": (lambda x, y: dict(steps_per_epoch=3), "`steps_per_epoch` must be None where `x` is"),
    "untrained": (lambda x, y: dict(epochs=0), "`model` is right on .* train it first"),
    "sample weights": (lambda x, y: dict(sample_weight=y[1:]), "`sample_weight` must be one"),
    "NaN weight": (lambda x, y: dict(sample_weight=y / np.nan), "`sample_weight` must be one fin"),
    "all weights 0": (lambda x, y: dict(sample_weight=0 * y), r"`batch_size` .*rows of `x` \(0"),
    "class weights": (lambda x, y: dict(class_weight={10: 1.0}), "`class_weight` must map classes"),
    "no scheme": (lambda x, y: dict(watermark="ewe"), "`watermark` must be a scheme"),
    # Datasets.
    "dataset with y": (lambda x, y: dict(x=datasets(x, y).batch(64)), "`y` must be None where"),
    "dataset with weights": (
        lambda x, y: dict(x=datasets(x, y).batch(64), y=None, sample_weight=y),
        "`sample_weight` must be None where `x` is a dataset",
    ),
    "dataset with class weights": (
        lambda x, y: dict(x=datasets(x, y).batch(64), y=None, class_weight={1: 2.0}),
        "`class_weight` must be None where `x` is a dataset",
    ),
    "dataset, not batched": (lambda x, y: dict(x=datasets(x, y), y=None), "must be batched"),
    "dataset without labels": (
        lambda x, y: dict(x=tf.data.Dataset.from_tensor_slices(x).batch(9), y=None),
        r"`x`, a dataset, must give \(x, y\)",
    ),
    "dataset without end": (
        lambda x, y: dict(x=datasets(x, y).batch(64).repeat(), y=None),
        "`steps_per_epoch` must be given for a dataset that repeats",
    ),
    "empty dataset": (
        lambda x, y: dict(x=datasets(x, y).batch(64).take(0), y=None),
        "`x`, a dataset, is empty",
    ),
    "dataset with NaN": (
        lambda x, y: dict(x=datasets(with_nan(x), y).batch(64), y=None),
        "`x` must be finite",
    ),
    # The scheme.
    "the task's own images": (
        lambda x, y: dict(watermark=scheme(source=x[:100])),
        "`source` must come from outside",
    ),
    "absent source class": (
        lambda x, y: dict(x=x[y != 4], y=y[y != 4], watermark=scheme(source=4)),
        "`source` must be a class of the data, whose classes are",
    ),
    "absent target class": (
        lambda x, y: dict(x=x[y != 3], y=y[y != 3]),
        "`target` must be a class of the data",
    ),
    "target out of range": (lambda x, y: dict(watermark=scheme(target=-1)), "`target` must be a"),
    "source of other shape": (
        lambda x, y: dict(watermark=scheme(source=OTHER[:, :5])),
        "`source` inputs must have",
    ),
    "source with NaN": (
        lambda x, y: dict(watermark=scheme(source=with_nan(OTHER))),
        "`source` inputs must be fin",
    ),
    "no such layer": (
        lambda x, y: dict(watermark=scheme(layers=("conv9",))),
        "`layers` names 'conv9', which is not a layer of the model. Its layers: .*'hidden'",
    ),
    "nobody to choose": (
        lambda x, y: dict(watermark=scheme(target="auto")),
        "`innocents` must be positive",
    ),
    "no models to choose": (
        lambda x, y: dict(watermark=scheme(target="auto", innocents=[])),
        "`innocents` must be pos",
    ),
    "innocent of another task": (
        lambda x, y: dict(watermark=scheme(innocents=[dense((4,))])),
        "`innocents` must be Keras models with .* at position 0",
    ),
    "innocent with inputs of another shape": (
        lambda x, y: dict(watermark=scheme(innocents=[(dense(x.shape[1:]), x[:, :2])])),
        "`innocents` must come with inputs of the model's shape .* at position 0: ",
    ),
    "patch too large": (
        lambda x, y: dict(watermark=scheme(patch=ewe_tf.triggers.Patch(9))),
        "`size` 9 is larger",
    ),
}


@pytest.fixture(scope="module")
def model(make_model):
    return make_model()


@pytest.mark.parametrize("case", CASES)
def test_refused_before_training(digits, model, case):
    changes, message = CASES[case]
    x, y = digits
    before = [v.numpy() for v in model.variables + model.optimizer.variables]
    with np.errstate(all="ignore"):
        arguments = dict(
            x=x,
            y=y,
            watermark=scheme(),
            epochs=1,
            batch_size=64,
            verbose=0,
            seed=0,
            callbacks=[Forbidden()],
        )
        arguments.update(changes(x, y))
    with pytest.raises((ValueError, TypeError), match=message):
        ewe_tf.fit(model, **arguments)
    after = [v.numpy() for v in model.variables + model.optimizer.variables]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_patch_on_vectors(digits):
    x, y = digits[0].reshape(-1, 64), digits[1]
    model = keras.Sequential(
        [keras.Input((64,)), L.Dense(16, activation="relu"), L.Dense(10, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    marked = scheme(source=4, patch=ewe_tf.triggers.Patch())
    with pytest.raises(ValueError, match="A patch needs inputs with a height and a width"):
        ewe_tf.fit(model, x, y, watermark=marked, epochs=1, callbacks=[Forbidden()])


@pytest.mark.parametrize(
    "arguments",
    [
        {"trigger_weight": -0.1},
        {"hull_weight": np.nan},
        {"snnl_weight": "0.1"},
        {"snnl_weight": np.inf},
        {"hull_share": 0.0},
        {"hull_share": 1.5},
        {"epochs": 0},
        {"epochs": "5"},
        {"epochs": None},
        {"rows": 1},
        {"keys": 2.5},
        {"in_house_epochs": 0},
        {"learning_rate": 0.0},
        {"distance": "euclidean"},
        {"layers": "hidden"},
        {"layers": ()},
        {"target": "seven"},
        {"patch": 3},
        {"ascent": True},
        {"rehearsal": 4},
        {"innocents": -1},
        {"innocents": "models"},
        {"other_architecture": "mlp"},
    ],
)
def test_settings_out_of_range(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: "):
        EWE(**arguments)


def test_target_equal_to_source():
    with pytest.raises(ValueError, match="`target` must differ from `source`. Received: 4"):
        EWE(source=np.int64(4), target=4)


@pytest.mark.parametrize("arguments", [{"epochs": 0}, {"learning_rate": -1.0}])
def test_control_settings_out_of_range(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        ewe_tf.Control(**arguments)
