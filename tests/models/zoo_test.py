import keras
import numpy as np
import pytest

from ewe_tf import models

SHAPES = {"lstm": (12, 8, 1), "speech_cnn": (16, 8, 1)}
SMALL = [name for name in models.names() if name != "resnet18"]


def shape_of(name):
    return SHAPES.get(name, (8, 8, 3))


@pytest.mark.parametrize("name", models.names())
def test_probabilities_and_named_features(name):
    model = models.build(name, shape_of(name), 5, seed=1)
    rows = np.random.default_rng(0).random((3, *shape_of(name)), dtype="float32")
    answers = np.asarray(model(rows, training=False))
    assert answers.shape == (3, 5)
    np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-5)
    assert [node.name for node in model.layers][-2:] == ["features", "probabilities"]
    for layer in models.entangled_layers(name):
        model.get_layer(layer)


@pytest.mark.parametrize("name", SMALL)
def test_seed_decides_the_weights_and_nothing_else_does(name):
    first = models.build(name, shape_of(name), 4, seed=7).get_weights()
    keras.utils.set_random_seed(123)
    models.build("mlp", (3,), 2)
    again = models.build(name, shape_of(name), 4, seed=7).get_weights()
    other = models.build(name, shape_of(name), 4, seed=8).get_weights()
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(np.any(one != two) for one, two in zip(first, other, strict=True))


def test_layers_of_one_model_do_not_share_a_seed():
    model = models.build("vgg", (8, 8, 16), 4, seed=0)
    first = model.get_layer("block1_1_conv").get_weights()[0]
    second = model.get_layer("block1_2_conv").get_weights()[0]
    assert first.shape == second.shape
    assert not np.allclose(first, second)


def test_building_leaves_the_global_random_state_alone():
    keras.utils.set_random_seed(5)
    expected = np.asarray(keras.random.uniform((4,)))
    keras.utils.set_random_seed(5)
    models.build("small_cnn", (8, 8, 1), 3, seed=2)
    np.testing.assert_array_equal(np.asarray(keras.random.uniform((4,))), expected)


def test_published_sizes():
    # Convs 432 + 4608 + (4608+9216+512) + (18432+36864+2048), BatchNorm 4*336, head 650.
    assert models.build("resnet8", (32, 32, 3), 10).count_params() == 78_714
    # (5*5*1+1)*16 + (3*3*16+1)*32 + (7*7*32+1)*64 + 65*10
    assert models.build("small_cnn", (28, 28, 1), 10).count_params() == 106_122
    assert models.build("mlp", (28, 28, 1), 10).count_params() == 235_146
    conv1 = models.build("two_conv", (28, 28, 1), 10).get_layer("conv1").output
    assert np.prod(conv1.shape[1:]) == 25_088


def test_output_stays_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.build("mlp", (4,), 2, seed=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert model.get_layer("features").compute_dtype == "bfloat16"


def test_saved_model_returns_equal(tmp_path):
    model = models.build("resnet8", (8, 8, 1), 3, seed=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    rows = np.random.default_rng(0).random((2, 8, 8, 1), dtype="float32")
    np.testing.assert_array_equal(
        np.asarray(loaded(rows, training=False)), np.asarray(model(rows, training=False))
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet9", (8, 8, 1), 10), "lstm, mlp, resnet18.*name='resnet9'"),
        (("mlp", (8, 8, 1), 1), "num_classes=1"),
        (("mlp", (8, 0, 1), 3), r"input_shape=\(8, 0, 1\)"),
        (("small_cnn", (64,), 3), "height, width, channels"),
        (("resnet18", (4, 4, 3), 3), "at least 8 pixels"),
        (("lstm", (9,), 3), "time"),
        (("mlp", (9,), 3, -1), "seed=-1"),
        (("mlp", (9,), 3, 1.5), "seed=1.5"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build(*arguments)
