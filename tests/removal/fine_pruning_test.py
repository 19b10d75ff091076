import keras
import numpy as np
import pytest

from ewe_tf.removal import FinePruning


def activity_of(model, name, x):
    probe = keras.Model(model.inputs[0], model.get_layer(name).output)
    return np.asarray(probe(x)).mean((0, 1, 2))


def test_exactly_the_least_active_channels_are_silent(cnn, digits):
    x, _ = digits
    activity = activity_of(cnn, "relu2", x)
    dormant = set(np.argsort(activity)[:3])
    pruned = FinePruning(3 / 8, epochs=0).run(cnn, digits)
    silent = activity_of(pruned, "relu2", np.random.default_rng(0).uniform(-3, 3, x.shape))
    assert set(np.flatnonzero(silent == 0)) == dormant
    kernel = pruned.get_layer("conv2").kernel.numpy()
    assert set(np.flatnonzero(np.abs(kernel).sum((0, 1, 2)) == 0)) == dormant
    untouched = [c for c in range(8) if c not in dormant]
    np.testing.assert_array_equal(
        kernel[..., untouched], cnn.get_layer("conv2").kernel.numpy()[..., untouched]
    )


def test_they_stay_silent_while_the_rest_is_tuned(cnn, digits, accuracy):
    pruned = FinePruning(0.5, epochs=2, learning_rate=5e-3).run(cnn, digits)
    kernel = pruned.get_layer("conv2").kernel.numpy()
    assert np.sum(np.abs(kernel).sum((0, 1, 2)) == 0) == 4
    assert np.sum(activity_of(pruned, "relu2", digits[0]) == 0) >= 4
    only_pruned = FinePruning(0.5, epochs=0).run(cnn, digits)
    assert accuracy(pruned) > max(0.85, accuracy(only_pruned))


def test_hidden_dense_layer_where_there_is_no_convolution(digits):
    x, y = digits
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(20, activation="relu", name="hidden"),
            keras.layers.Dense(10, activation="softmax", name="scores"),
        ]
    )
    pruned = FinePruning(0.25, epochs=0).run(model, (x, y))
    norms = np.abs(pruned.get_layer("hidden").kernel.numpy()).sum(0)
    assert np.sum(norms == 0) == 5
    named = FinePruning(0.5, "hidden", epochs=0).run(model, (x, y))
    assert np.sum(np.abs(named.get_layer("hidden").kernel.numpy()).sum(0) == 0) == 10
    for name in ("missing", "flat"):
        message = rf"`layer` must name .* one of \['hidden', 'scores'\]. Received: layer='{name}'"
        with pytest.raises(ValueError, match=message):
            FinePruning(0.5, name).run(model, (x, y))


def test_model_without_channels_is_refused(digits):
    linear = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    with pytest.raises(ValueError, match="no convolution or hidden dense layer"):
        FinePruning().run(linear, digits)
