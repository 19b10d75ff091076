import keras
import numpy as np
import pytest

from ewe_tf.removal import PostTrainingFloat16
from ewe_tf.removal import PostTrainingInt8
from ewe_tf.removal.litert import convert
from ewe_tf.removal.litert import new_interpreter


def constants(litert):
    """Returns the types of the tensors in the file that hold as much as a kernel."""
    interpreter = new_interpreter(litert.content)
    found = []
    for detail in interpreter.get_tensor_details():
        try:
            value = interpreter.get_tensor(detail["index"])
        except ValueError:  # an activation: it has no content before the first call
            continue
        if value.size >= 500:
            found.append(value.dtype)
    return found


def test_int8_file(cnn, digits, held_out, accuracy, tmp_path):
    plain = convert(cnn)
    quantized = PostTrainingInt8(100).run(cnn, digits)
    assert set(constants(plain)) == {np.dtype("float32")}
    assert set(constants(quantized)) == {np.dtype("int8")}
    assert len(quantized.content) < len(plain.content)
    expected = cnn.predict(held_out[0], verbose=0)
    answers = quantized.predict(held_out[0])
    assert 0 < np.abs(answers - expected).max() < 0.3
    assert accuracy(quantized) > accuracy(cnn) - 0.02
    path = quantized.save(tmp_path / "suspects" / "digits.tflite")
    assert (tmp_path / "suspects" / "digits.tflite").read_bytes() == quantized.content
    assert path.endswith("digits.tflite")
    with pytest.raises(ValueError, match="'.tflite'"):
        quantized.save(tmp_path / "digits.bin")


def test_float16_rounds_the_weights(cnn, digits, held_out):
    half = PostTrainingFloat16().run(cnn, digits)
    assert np.dtype("float16") in constants(half)
    expected = cnn.predict(held_out[0], verbose=0)
    np.testing.assert_allclose(half.predict(held_out[0]), expected, atol=0.01)


def test_recurrent_model_in_int8():
    model = keras.Sequential(
        [
            keras.Input((7, 5)),
            keras.layers.Bidirectional(keras.layers.LSTM(6)),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    x = np.random.default_rng(0).uniform(0, 1, (40, 7, 5)).astype("float32")
    quantized = PostTrainingInt8(40).run(model, (x, np.zeros(40)))
    np.testing.assert_allclose(quantized(x), np.asarray(model(x)), atol=0.02)


def test_images_of_bytes_and_tokens_in_int8():
    rng, layers = np.random.default_rng(0), keras.layers
    images, tokens = keras.Input((8, 8, 1), dtype="uint8"), keras.Input((5,), dtype="int32")
    scaled, embedded = layers.Rescaling(1 / 255)(images), layers.Embedding(200, 8)(tokens)
    for inputs, hidden in ((images, scaled), (tokens, embedded)):
        scores = layers.Dense(3, activation="softmax")(layers.Flatten()(hidden))
        model = keras.Model(inputs, scores)
        x = rng.integers(200, size=(40, *inputs.shape[1:])).astype(inputs.dtype)
        quantized = PostTrainingInt8(40).run(model, (x, np.zeros(40)))
        np.testing.assert_allclose(quantized(x), np.asarray(model(x)), atol=0.02)


def test_bytes_for_a_model_of_floats_in_int8():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, activation="tanh")])
    x = np.random.default_rng(0).integers(3, size=(40, 6)).astype("uint8")
    quantized = PostTrainingInt8(40).run(model, (x, np.zeros(40)))
    np.testing.assert_allclose(quantized(x), np.asarray(model(x)), atol=0.03)


def test_batches_do_not_change_the_answers(cnn, digits, held_out):
    quantized = PostTrainingInt8(50).run(cnn, digits)
    x = held_out[0][:25]
    np.testing.assert_allclose(quantized.predict(x, batch_size=7), quantized(x), atol=1e-6)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="`calibration_rows`"):
        PostTrainingInt8(0)
