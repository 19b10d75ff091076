"""What the attacks return is what an oracle opens."""

import numpy as np

from ewe_tf.oracle import Oracle
from ewe_tf.removal import FineTuning
from ewe_tf.removal import LocalOutlierFactor
from ewe_tf.removal import PostTrainingInt8


def test_litert_file_and_object_answer_alike(cnn, digits, held_out, tmp_path):
    quantized = PostTrainingInt8(50).run(cnn, digits)
    x = held_out[0][:30]
    path = quantized.save(tmp_path / "digits.tflite")
    np.testing.assert_allclose(Oracle(path).predict(x), quantized.predict(x), atol=1e-6)
    np.testing.assert_allclose(Oracle(quantized).predict(x), quantized.predict(x), atol=1e-6)


def test_refused_rows_are_counted_as_such(cnn, digits, held_out):
    suspect = LocalOutlierFactor().run(cnn, digits)
    strange = np.random.default_rng(0).uniform(-3, 4, (20, 8, 8, 1)).astype("float32")
    x = np.concatenate([held_out[0][:20], strange])
    expected = np.isnan(suspect(x)).any(axis=1)
    oracle = Oracle(suspect, answers="label")
    labels = oracle.predict(x)
    np.testing.assert_array_equal(labels == -1, expected)
    assert expected[20:].all() and not expected.all()
    assert oracle.ledger.queries == 40


def test_saved_model_file_answers_alike(cnn, digits, held_out, tmp_path):
    tuned = FineTuning(epochs=1).run(cnn, digits)
    tuned.save(tmp_path / "tuned.keras")
    x = held_out[0][:30]
    np.testing.assert_allclose(
        Oracle(tmp_path / "tuned.keras").predict(x), tuned.predict(x, verbose=0), atol=1e-6
    )
