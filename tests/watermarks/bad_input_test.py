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
    "negative weight": (lambda x, y: dict(sample_weight=-y), "`sample_weight` must be .* >= 0"),
    "class weights": (lambda x, y: dict(class_weight={10: 1.0}), "`class_weight` must be a dict"),
    "weights by name": (lambda x, y: dict(class_weight="balanced"), "`class_weight` must be a d"),
    "class weight negative": (
        lambda x, y: dict(class_weight={4: -1.0}),
        "`class_weight` must hold finite numbers >= 0. Received: -1.0 for class 4",
    ),
    "NaN class weight": (lambda x, y: dict(class_weight={4: np.nan}), "`class_weight` must hold"),
    "NaN epochs": (lambda x, y: dict(epochs=np.nan), "`epochs` must be an integer"),
    "endless seed": (lambda x, y: dict(seed=np.inf), "`seed` must be an integer"),
    "a scheme's class": (lambda x, y: dict(watermark=EWE), "`watermark` must be a scheme"),
    "a model as scheme": (lambda x, y: dict(watermark=dense((4,))), "Received: 'Sequential'"),
    "a callback's name": (lambda x, y: dict(callbacks=["early"]), "`callbacks` must be Keras"),
    "a callback's class": (lambda x, y: dict(callbacks=[Forbidden]), "`callbacks` must be Keras"),
    "validation inputs": (
        lambda x, y: dict(validation_data=(x[:, :4], y)),
        r"`validation_data` must have .* \(8, 8, 1\). Received: rows of shape \(4, 8, 1\)",
    ),
    "validation labels too large": (
        lambda x, y: dict(validation_data=(x, y + 20)),
        "`validation_data` does not suit the model",
    ),
    "validation labels": (
        lambda x, y: dict(validation_data=datasets(x, np.eye(10)[y]).batch(64)),
        "`validation_data` does not suit the model",
    ),
    "validation share": (lambda x, y: dict(validation_data=0.2), "`validation_data` must be"),
    "validation without labels": (lambda x, y: dict(validation_data=x), "`validation_data` must"),
    "generator": (lambda x, y: dict(x=iter([x])), "`x` must be an array of numbers or a tf.data"),
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
    "dataset of one-hot labels, not batched": (
        lambda x, y: dict(x=datasets(x, np.eye(10)[y]), y=None),
        "must be batched",
    ),
    "dataset of dicts": (
        lambda x, y: dict(x=datasets({"image": x}, y).batch(64), y=None),
        "`x`, a dataset, must give .* one tensor each",
    ),
    "dataset of unknown shapes": (
        lambda x, y: dict(
            x=tf.data.Dataset.from_generator(lambda: [(x, y)], output_types=("float32", "int64")),
            y=None,
        ),
        "`x`, a dataset, must state the shapes",
    ),
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
    "source on another scale": (
        lambda x, y: dict(watermark=scheme(source=255 * OTHER)),
        "`source` inputs must be scaled as `x` is, whose values are from 0 to 1. Received: from",
    ),
    "source labels of halves": (
        lambda x, y: dict(watermark=scheme(source=(OTHER, np.full(60, 0.5)))),
        "`source` labels must be integers",
    ),
    "source labels of text": (
        lambda x, y: dict(watermark=scheme(source=(OTHER, ["a"] * 60))),
        "`source` labels must be integers",
    ),
    "other architecture of another task": (
        lambda x, y: dict(watermark=scheme(other_architecture=lambda shape, n: dense((4,)))),
        "`other_architecture` must make Keras models with the inputs and classes of the model",
    ),
    "other architecture of nothing": (
        lambda x, y: dict(watermark=scheme(other_architecture=lambda shape, n: None)),
        "`other_architecture` must make .* Received: NoneType",
    ),
    "innocent alone in a tuple": (
        lambda x, y: dict(watermark=scheme(innocents=[(dense(x.shape[1:]),)])),
        "`innocents` must be models, or pairs",
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


def compiled(layers, loss="sparse_categorical_crossentropy"):
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


def whole_numbers():
    """A classifier of unscaled digits, of bytes."""
    scaled = [L.Rescaling(1 / 255), L.Flatten(), L.Dense(32, "relu"), L.Dense(10, "softmax")]
    return compiled([keras.Input((8, 8, 1), dtype="uint8"), *scaled])


def tokens():
    return compiled([keras.Input((8,)), L.Embedding(50, 8), L.Flatten(), L.Dense(10, "softmax")])


@pytest.mark.parametrize("watermark", [EWE(source=4), EWE.paper(source=4, target=1)])
@pytest.mark.parametrize("make", [whole_numbers, tokens])
def test_a_patch_where_no_gradient_reaches_the_inputs(digits, make, watermark):
    x, y = (255 * digits[0]).astype(np.uint8), digits[1]
    x = x if make is whole_numbers else x[:, :, 4, 0] // 6
    with pytest.raises(ValueError, match="gives no gradient with respect to its inputs"):
        ewe_tf.fit(make(), x, y, watermark=watermark, epochs=1, callbacks=[Forbidden()])


@pytest.mark.parametrize("x, source, message", [
    (1.0, 255 * OTHER, "`x` must hold whole numbers, for the model takes integers"),
    (255, 255 * OTHER, "`source` inputs must be whole numbers, for the model takes integers"),
])  # fmt: skip
def test_fractions_where_a_model_takes_integers(digits, x, source, message):
    x = x * digits[0] if x == 1 else (x * digits[0]).astype(np.uint8)
    marked = scheme(source=source)
    with pytest.raises(ValueError, match=message):
        ewe_tf.fit(
            whole_numbers(), x, digits[1], watermark=marked, epochs=1, callbacks=[Forbidden()]
        )


def test_mixers_whose_composites_are_no_whole_numbers(digits):
    x, y = (255 * digits[0]).astype(np.uint8), digits[1]
    marked = ewe_tf.MEADefender(combine="autoencoder")
    with pytest.raises(ValueError, match="`combine` and `evasion` must be mixers that put parts"):
        ewe_tf.fit(whole_numbers(), x, y, watermark=marked, epochs=1, callbacks=[Forbidden()])


def test_a_softmax_whose_loss_is_told_that_it_is_none(digits):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = compiled([keras.Input((8, 8, 1)), L.Flatten(), L.Dense(10, "softmax")], loss)
    with pytest.raises(ValueError, match="ends in a softmax, and its loss .* from_logits=True"):
        ewe_tf.fit(model, *digits, watermark=scheme(), epochs=1)


def test_an_output_in_a_dict(digits):
    inputs = keras.Input((8, 8, 1))
    head = L.Dense(10, activation="softmax")(L.Dense(8)(L.Flatten()(inputs)))
    model = keras.Model(inputs, {"digit": head})
    model.compile("adam", {"digit": "sparse_categorical_crossentropy"})
    with pytest.raises(ValueError, match="`model` must have a tensor as its output"):
        ewe_tf.fit(model, *digits, watermark=scheme(), epochs=1)
    with pytest.raises(ValueError, match="must answer with a tensor. Received: a dict with"):
        ewe_tf.Oracle(model)


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
        {"target": True},
        {"source": True},
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
