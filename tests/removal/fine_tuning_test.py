import keras
import numpy as np
import pytest

from ewe_tf.removal import FineTuning


def changed(before, after):
    """Returns the names of the layers whose weights differ."""
    return {
        old.name
        for old, new in zip(before.layers, after.layers, strict=True)
        if any(
            not np.array_equal(a, b)
            for a, b in zip(old.get_weights(), new.get_weights(), strict=True)
        )
    }


def test_last_layer_leaves_the_others_bit_identical(cnn, digits):
    tuned = FineTuning("last", epochs=1).run(cnn, digits)
    assert changed(cnn, tuned) == {"scores"}
    assert all(layer.trainable for layer in tuned.layers)
    tuned.fit(*digits, epochs=1, verbose=0)  # compiled, and nothing stayed frozen
    assert "conv1" in changed(cnn, tuned)


def test_all_layers_change(cnn, digits, accuracy):
    tuned = FineTuning("all", epochs=2).run(cnn, digits)
    assert changed(cnn, tuned) == {"conv1", "norm1", "conv2", "norm2", "scores"}
    assert accuracy(tuned) > 0.9


def test_new_head_starts_anew(cnn, digits, accuracy):
    kept = FineTuning("last", False, epochs=0).run(cnn, digits)
    assert changed(cnn, kept) == set()
    renewed = FineTuning("last", True, epochs=0).run(cnn, digits)
    assert changed(cnn, renewed) == {"scores"}
    assert accuracy(renewed) < 0.4
    correlation = np.corrcoef(
        renewed.get_layer("scores").kernel.numpy().ravel(),
        cnn.get_layer("scores").kernel.numpy().ravel(),
    )[0, 1]
    assert abs(correlation) < 0.15
    retrained = FineTuning("all", True, epochs=6, learning_rate=5e-3).run(cnn, digits)
    assert accuracy(retrained) > 0.85


def test_seed_decides_everything(cnn, digits, same_weights):
    attack = FineTuning("all", True, epochs=1, seed=4)
    first = attack.run(cnn, digits)
    keras.utils.set_random_seed(99)  # global state has no say
    assert same_weights(first, attack.run(cnn, digits))
    other = FineTuning("all", True, epochs=1, seed=5).run(cnn, digits)
    assert not same_weights(first, other)


def test_logits_and_soft_labels(digits):
    x, y = digits
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    soft = np.eye(10, dtype="float32")[y] * 0.9 + 0.01
    tuned = FineTuning(epochs=10, learning_rate=0.02).run(model, (x, soft))
    assert np.mean(np.argmax(tuned.predict(x, verbose=0), axis=-1) == y) > 0.9


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="`layers` must be one of 'all', 'last'"):
        FineTuning("first")
