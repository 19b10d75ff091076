import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from ewe_tf.models import build
from ewe_tf.models import names
from ewe_tf.models.augmented import augmented
from ewe_tf.removal.bridge import UnsupportedLayerError
from ewe_tf.removal.bridge import bring_weights_back
from ewe_tf.removal.bridge import to_tf_keras
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.toolkit import import_toolkit

L = keras.layers


def sequential():
    return keras.Sequential(
        [
            L.Input((8, 8, 1)),
            L.Rescaling(2.0, -1.0),
            L.Conv2D(4, 3, activation="gelu"),
            L.SeparableConv2D(6, 3),
            L.DepthwiseConv2D(2),
            L.LeakyReLU(negative_slope=0.05),
            L.GlobalAveragePooling2D(),
            L.LayerNormalization(),
            L.Dense(5),
        ]
    )


def recurrent():
    return keras.Sequential(
        [
            L.Input((7, 5)),
            L.Bidirectional(L.LSTM(6, return_sequences=True)),
            L.GRU(4),
            L.Dense(3, activation="softmax"),
        ]
    )


def attention():
    tokens = L.Input((9,), dtype="int32")
    h = L.Embedding(5, 8)(tokens)
    h = L.MultiHeadAttention(2, 4)(h, h)
    h = L.TimeDistributed(L.Dense(4))(h)
    return keras.Model(tokens, L.Dense(3)(L.Flatten()(h)))


def nested():
    inner = keras.Sequential(
        [L.Input((8,)), L.Dense(6, "relu", name="one"), L.Dense(8, name="two")], name="block"
    )
    inputs = L.Input((8,))
    h = L.Dense(8, name="one")(inputs)
    h = L.Add()([inner(h), h])
    return keras.Model(inputs, L.Dense(3, "softmax")(inner(h)))


def answers(model, seed=5):
    rng = np.random.default_rng(seed)
    shape = (16, *model.input_shape[1:])
    x = rng.integers(0, 5, shape) if model.input_dtype == "int32" else rng.uniform(0, 1, shape)
    return x.astype(model.input_dtype), np.asarray(model(x.astype(model.input_dtype)))


@pytest.mark.parametrize("build", [sequential, recurrent, attention, nested])
def test_twin_gives_the_same_answers(build):
    model = build()
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.uniform(0.0, 0.2, weight.shape))
    x, expected = answers(model)
    twin = to_tf_keras(model)
    np.testing.assert_allclose(np.asarray(twin.model(x)), expected, atol=1e-5)


def test_twin_of_residual_net_with_batch_norm(cnn, digits):
    x = digits[0][:32]
    twin = to_tf_keras(cnn)
    expected = np.asarray(cnn(x, training=False))
    np.testing.assert_allclose(np.asarray(twin.model(x, training=False)), expected, atol=1e-5)


def test_augmentation_within_a_model_is_kept_and_rests_in_prediction():
    layers = [L.RandomTranslation(0.2, 0.2, seed=1), L.RandomFlip("horizontal", seed=2)]
    model = augmented(build("small_cnn", (16, 16, 3), 4, seed=1), layers)
    x = np.random.default_rng(3).uniform(0, 1, (6, 16, 16, 3)).astype("float32")
    twin = to_tf_keras(model).model
    expected = np.asarray(model(x, training=False))
    np.testing.assert_allclose(np.asarray(twin(x, training=False)), expected, atol=1e-5)
    assert np.abs(np.asarray(twin(x, training=True)) - expected).max() > 1e-3


@pytest.mark.parametrize("name", [name for name in names() if name != "resnet18"])
def test_every_architecture_has_a_twin(name):
    shape = (8, 6, 1) if name == "lstm" else (16, 16, 3)
    model = build(name, shape, 4, seed=1)
    rng = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(weight + rng.uniform(0.0, 0.1, weight.shape))
    x = rng.uniform(0, 1, (6, *shape)).astype("float32")
    twin = to_tf_keras(model)
    np.testing.assert_allclose(
        np.asarray(twin.model(x, training=False)),
        np.asarray(model(x, training=False)),
        atol=1e-5,
    )


def test_weights_come_back_where_they_belong():
    model = nested()
    twin = to_tf_keras(model)
    rng = np.random.default_rng(1)
    twin.model.set_weights([rng.normal(size=w.shape) for w in twin.model.get_weights()])
    back = bring_weights_back(twin, twin.model, copy_classifier(model))
    x, changed = answers(back)
    np.testing.assert_allclose(changed, np.asarray(twin.model(x)), atol=1e-5)
    assert np.abs(changed - answers(model)[1]).max() > 1e-3


@keras.saving.register_keras_serializable("bridge_test")
class Swirl(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2.0


def test_layer_without_twin_is_named():
    model = keras.Sequential([L.Input((4,)), Swirl(name="my_swirl"), L.Dense(2)])
    with pytest.raises(UnsupportedLayerError, match=r"'my_swirl'.*Swirl"):
        to_tf_keras(model)


def test_operation_without_twin_is_named():
    inputs = L.Input((4,))
    model = keras.Model(inputs, L.Dense(2)(keras.ops.roll(inputs, 1)))
    with pytest.raises(UnsupportedLayerError, match=r"'roll.*Roll"):
        to_tf_keras(model)


def test_different_answers_are_an_error():
    model = keras.Sequential([L.Input((4,)), L.Dense(2)])
    model.set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    with pytest.raises(ValueError, match="answers differently"):
        to_tf_keras(model)


def test_subclassed_and_foreign_models_are_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(TypeError, match="subclassed"):
        to_tf_keras(Own())
    with pytest.raises(TypeError, match="Keras 3 model"):
        to_tf_keras("model.keras")


def test_toolkit_does_not_change_the_environment():
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    import_toolkit()
    assert os.environ.get("TF_USE_LEGACY_KERAS") == before


def test_side_effects_in_a_fresh_process():
    code = (
        "import os, sys, ewe_tf.removal\n"
        "heavy = {'tensorflow_model_optimization', 'tf_keras'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from ewe_tf.removal.toolkit import import_toolkit\n"
        "import_toolkit()\n"
        "assert 'TF_USE_LEGACY_KERAS' not in os.environ\n"
        "import tensorflow as tf\n"
        "assert tf.keras.__version__.startswith('3.'), tf.keras.__version__\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
