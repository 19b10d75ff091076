"""SavedModels that somebody else wrote."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.oracle import Oracle
from ewe_tf.oracle import SavedModel

X = np.random.default_rng(4).normal(size=(11, 3)).astype(np.float32)
WEIGHTS = np.array([[1.0, 0, 2], [0, 1, 0], [0, 0, 1]], np.float32)


class Linear(tf.Module):
    """Logits `x @ WEIGHTS` through signatures with the outputs and the batch asked for."""

    def __init__(self, *outputs, rows=None):
        super().__init__()
        self.weights = tf.Variable(WEIGHTS)
        self.outputs = outputs
        spec = tf.TensorSpec((rows, 3), tf.float32, name="x")
        self.answer = tf.function(self._answer, input_signature=[spec])

    def _answer(self, x):
        return {name: x @ self.weights for name in self.outputs}

    def save(self, path):
        tf.saved_model.save(self, str(path), signatures=self.answer.get_concrete_function())
        return path


def softmax(logits):
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(axis=1, keepdims=True)


def test_logits_of_unknown_name_are_given_as_probabilities(tmp_path):
    oracle = Oracle(Linear("output_0").save(tmp_path / "m"), batch_size=4)
    np.testing.assert_allclose(oracle.predict(X), softmax(X @ WEIGHTS), atol=1e-6)
    assert (oracle.input_shape, oracle.num_classes) == ((3,), 3)


def test_fixed_batch_is_filled_up(tmp_path):
    box = SavedModel(Linear("output_0", rows=4).save(tmp_path / "m"))
    assert box.fixed_batch == 4
    np.testing.assert_allclose(Oracle(box).predict(X), softmax(X @ WEIGHTS), atol=1e-6)


def test_several_outputs(tmp_path):
    path = Linear("hidden", "logits").save(tmp_path / "named")
    np.testing.assert_allclose(Oracle(path).predict(X), softmax(X @ WEIGHTS), atol=1e-6)
    path = Linear("first", "second").save(tmp_path / "unnamed")
    with pytest.raises(ValueError, match=r"one of \['first', 'second'\]"):
        Oracle(path)
    assert Oracle(SavedModel(path, output="second")).predict(X).shape == (11, 3)


def test_export_by_keras_itself(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "softmax")])
    model.export(tmp_path / "m", verbose=False)
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(Oracle(tmp_path / "m").predict(X), expected, atol=1e-6)


def test_no_signature_and_damaged_files(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="It has: none"):
        Oracle(tmp_path / "empty")
    path = Linear("output_0").save(tmp_path / "damaged")
    (path / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="TensorFlow cannot load"):
        Oracle(path)
    path = Linear("output_0").save(tmp_path / "truncated")
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(ValueError, match="TensorFlow cannot load"):
        Oracle(path)
