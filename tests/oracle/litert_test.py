"""LiteRT files behind the oracle: float, dynamic batch, and fully quantised to eight bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.oracle import LiteRT
from ewe_tf.oracle import Oracle
from ewe_tf.oracle.litert import dequantise
from ewe_tf.oracle.litert import quantise
from ewe_tf.serving import export


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(7)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(2).uniform(size=(37, 6, 6, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def convert(model, rows, tmp_path_factory):
    """Writes the model as LiteRT file: as floats, or quantised to a given integer type."""
    folder = tmp_path_factory.mktemp("litert")
    version = export(model, folder / "served")

    def convert(kind=None):
        converter = tf.lite.TFLiteConverter.from_saved_model(
            version, signature_keys=["serving_default"]
        )
        if kind is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([row[None]] for row in rows)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = kind
        path = folder / f"{kind.name if kind else 'float'}.tflite"
        path.write_bytes(converter.convert())
        return path

    return convert


def test_float_file_answers_as_the_model(model, rows, convert):
    oracle = Oracle(convert(), batch_size=16)
    expected = model.predict(rows, verbose=0)
    np.testing.assert_allclose(oracle.predict(rows), expected, atol=1e-5)
    np.testing.assert_allclose(oracle.predict(rows[:1]), expected[:1], atol=1e-5)
    assert (oracle.input_shape, oracle.num_classes) == ((6, 6, 1), 4)


@pytest.mark.parametrize("kind", [tf.int8, tf.uint8])
def test_quantised_file_takes_and_gives_real_numbers(model, rows, convert, kind):
    path = convert(kind)
    interpreter = LiteRT(path)._interpreter
    assert interpreter.get_input_details()[0]["dtype"] == kind.as_numpy_dtype
    expected = model.predict(rows, verbose=0)
    answers = Oracle(path).predict(rows)
    np.testing.assert_allclose(answers, expected, atol=0.03)
    assert np.abs(answers - expected).max() > 1e-4, "eight bits cannot be this exact"


def test_file_with_a_fixed_batch(model, rows, tmp_path):
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [
            tf.function(lambda x: model(x, training=False)).get_concrete_function(
                tf.TensorSpec((5, 6, 6, 1), tf.float32)
            )
        ]
    )
    (tmp_path / "fixed.tflite").write_bytes(converter.convert())
    box = LiteRT(tmp_path / "fixed.tflite")
    assert box.fixed_batch == 5
    expected = model.predict(rows, verbose=0)
    np.testing.assert_allclose(Oracle(box).predict(rows), expected, atol=1e-5)


def test_a_column_of_labels_is_no_single_class(model, rows, tmp_path):
    def label(x):
        return tf.argmax(model(x, training=False), axis=1)[:, None]

    function = tf.function(label).get_concrete_function(tf.TensorSpec((1, 6, 6, 1), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    (tmp_path / "labels.tflite").write_bytes(converter.convert())
    oracle = Oracle(tmp_path / "labels.tflite", answers="label")
    assert oracle.num_classes is None
    expected = np.argmax(model.predict(rows, verbose=0), axis=1)
    np.testing.assert_array_equal(oracle.predict(rows), expected)


def test_quantisation_by_hand():
    details = {"dtype": np.int8, "quantization": (0.5, -3)}
    stored = quantise(np.array([0.0, 1.0, 0.9, -0.9, 1000.0, -1000.0]), details)
    assert stored.tolist() == [-3, -1, -1, -5, 127, -128]
    np.testing.assert_allclose(dequantise(stored[:4], details), [0.0, 1.0, 1.0, -1.0])


@pytest.mark.parametrize("damage", [lambda c: b"not a model" * 10, lambda c: c[: len(c) // 2],
                                    lambda c: c[:40] + c[43:], lambda c: b""])  # fmt: skip
def test_damaged_file(convert, tmp_path, damage):
    """The interpreter itself would end the process at some of these."""
    (tmp_path / "broken.tflite").write_bytes(damage(convert().read_bytes()))
    with pytest.raises(ValueError, match="LiteRT cannot load"):
        Oracle(tmp_path / "broken.tflite")
