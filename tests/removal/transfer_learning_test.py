import keras
import numpy as np
import pytest

from ewe_tf.removal import TransferLearning
from ewe_tf.removal import with_original_head


def test_new_task_on_the_old_body(cnn, digits, held_out):
    x, y = digits
    parity = y % 2
    transferred = TransferLearning(layers="last", epochs=6, learning_rate=0.01).run(
        cnn, (x, parity)
    )
    answers = transferred.predict(held_out[0], verbose=0)
    assert answers.shape[1] == 2
    assert np.mean(np.argmax(answers, axis=-1) == held_out[1] % 2) > 0.8
    for name in ("conv1", "norm1", "conv2", "norm2"):
        for a, b in zip(
            cnn.get_layer(name).get_weights(),
            transferred.get_layer(name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)


def test_original_head_restores_the_old_task(cnn, digits, held_out, accuracy, same_weights):
    x, y = digits
    frozen = TransferLearning(5, "last", epochs=1).run(cnn, (x, y % 5))
    assert frozen.output_shape == (None, 5)
    assert same_weights(with_original_head(frozen, cnn), cnn)
    moved = TransferLearning(5, "all", epochs=2).run(cnn, (x, y % 5))
    restored = with_original_head(moved, cnn)
    assert not same_weights(restored, cnn)
    np.testing.assert_array_equal(
        restored.get_layer("scores").kernel, cnn.get_layer("scores").kernel
    )
    np.testing.assert_array_equal(
        restored.get_layer("conv1").kernel, moved.get_layer("conv1").kernel
    )
    assert accuracy(restored) > 0.5


def test_sequential_model_with_a_nested_body(same_weights):
    layers = keras.layers
    body = keras.Sequential([keras.Input((6,)), layers.Dense(5, "relu")], name="body")
    model = keras.Sequential(
        [keras.Input((6,)), body, layers.Dense(4, name="scores"), layers.Softmax()]
    )
    x = np.random.default_rng(0).uniform(0, 1, (40, 6))
    moved = TransferLearning(epochs=3, learning_rate=0.05).run(model, (x, np.arange(40) % 2))
    restored = with_original_head(moved, model)
    assert same_weights(restored.get_layer("body"), moved.get_layer("body"))
    assert not same_weights(restored.get_layer("body"), body)
    assert same_weights(restored.get_layer("scores"), model.get_layer("scores"))
    np.testing.assert_allclose(restored.predict(x, verbose=0).sum(axis=1), 1.0, atol=1e-5)


def test_labels_beyond_the_task_are_refused(cnn, digits):
    with pytest.raises(ValueError, match="5 classes.*10 classes"):
        TransferLearning(5).run(cnn, digits)
