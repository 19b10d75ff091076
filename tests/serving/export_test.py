"""Export to SavedModel: what is served equals the Keras model, and nothing is half-written."""

import errno
import os
import pathlib
import resource
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.oracle import Oracle
from ewe_tf.oracle import SavedModel
from ewe_tf.serving import export


def build(activation="softmax", units=5):
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation=activation),
        ]
    )


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(1).normal(size=(20, 6, 6, 1)).astype(np.float32)


def softmax(logits):
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_reloaded_signatures_equal_the_model(tmp_path, rows, activation):
    model = build(activation)
    answers = model.predict(rows, verbose=0)
    expected = answers if activation else softmax(answers)
    version = export(model, tmp_path / "served")
    assert version == str(tmp_path / "served" / "1")
    loaded = tf.saved_model.load(version)
    assert set(loaded.signatures) == {"serving_default", "label"}
    default, label = loaded.signatures["serving_default"], loaded.signatures["label"]
    (spec,) = default.structured_input_signature[1].values()
    assert (spec.name, spec.dtype, spec.shape.as_list()) == (
        "inputs",
        tf.float32,
        [None, 6, 6, 1],
    )
    served = default(inputs=tf.constant(rows))
    assert list(served) == ["probabilities"]
    np.testing.assert_allclose(served["probabilities"], expected, atol=1e-5)
    labels = label(inputs=tf.constant(rows))["label"]
    assert labels.dtype == tf.int64
    np.testing.assert_array_equal(labels, expected.argmax(axis=1))


def test_versions_count_up_and_the_oracle_takes_the_highest(tmp_path, rows):
    base = tmp_path / "served"
    for number in range(1, 4):
        assert export(build(units=number + 1), base) == str(base / str(number))
    (base / "2").rename(base / "11")
    assert export(build(units=7), base) == str(base / "12")
    assert Oracle(base).predict(rows).shape == (20, 7)
    assert Oracle(base / "1").num_classes == 2


def test_oracle_reads_both_signatures(tmp_path, rows):
    model = build()
    export(model, tmp_path / "served")
    expected = model.predict(rows, verbose=0)
    oracle = Oracle(tmp_path / "served", batch_size=8)
    np.testing.assert_allclose(oracle.predict(rows), expected, atol=1e-5)
    assert (oracle.input_shape, oracle.num_classes) == ((6, 6, 1), 5)
    labels = Oracle(SavedModel(tmp_path / "served", signature="label"), answers="label")
    np.testing.assert_array_equal(labels.predict(rows), expected.argmax(axis=1))
    with pytest.raises(ValueError, match="labels only"):
        Oracle(SavedModel(tmp_path / "served", signature="label"))
    with pytest.raises(ValueError, match="no signature 'other'.*serving_default"):
        SavedModel(tmp_path / "served", signature="other")


def test_mixed_precision_is_served_in_float32(tmp_path, rows):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build(None)
    finally:
        keras.config.set_dtype_policy(policy)
    loaded = tf.saved_model.load(export(model, tmp_path / "served"))
    served = loaded.signatures["serving_default"](inputs=tf.constant(rows))["probabilities"]
    assert served.dtype == tf.float32
    expected = softmax(model.predict(rows, verbose=0))
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_the_model_is_left_as_it_was(tmp_path, rows):
    model = build()
    weights = [np.array(value) for value in model.get_weights()]
    export(model, tmp_path / "served")
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(rows, np.zeros(len(rows)), verbose=0)


def test_integer_inputs_stay_integers(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            keras.layers.Embedding(9, 3),
            keras.layers.LSTM(4),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    x = np.arange(14).reshape(2, 7) % 9
    export(model, tmp_path / "served")
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(Oracle(tmp_path / "served").predict(x), expected, atol=1e-5)
    with pytest.raises(ValueError, match="whole numbers"):
        Oracle(tmp_path / "served").predict(x + 0.5)


class Reversed:
    """Serves the probabilities in reverse order, with a learnt scale of 1."""

    def __init__(self):
        self.scale = tf.Variable(1.0)

    def serving_functions(self, probabilities):
        return {
            "serving_default": lambda x: self.scale * tf.reverse(probabilities(x), axis=[1]),
            "raw": lambda x: {"probabilities": probabilities(x)},
        }


def test_defense_replaces_the_answers(tmp_path, rows):
    model = build()
    version = export(model, tmp_path / "served", defense=Reversed())
    expected = model.predict(rows, verbose=0)
    loaded = tf.saved_model.load(version)
    assert set(loaded.signatures) == {"serving_default", "label", "raw"}
    np.testing.assert_allclose(Oracle(version).predict(rows), expected[:, ::-1], atol=1e-5)
    raw = Oracle(SavedModel(version, signature="raw")).predict(rows)
    np.testing.assert_allclose(raw, expected, atol=1e-5)
    labels = Oracle(SavedModel(version, signature="label"), answers="label").predict(rows)
    np.testing.assert_array_equal(labels, expected[:, ::-1].argmax(axis=1))


def test_failure_half_way_leaves_nothing(tmp_path, monkeypatch):
    def write_half(self, filepath, **kwargs):
        (pathlib.Path(filepath) / "saved_model.pb").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    base = tmp_path / "deep" / "served"
    with monkeypatch.context() as patch:
        patch.setattr(keras.export.ExportArchive, "write_out", write_half, raising=False)
        patch.setattr(type(keras.export.ExportArchive()), "write_out", write_half)
        with pytest.raises(OSError, match="No space left.*|nothing was left"):
            export(build(), base)
        assert list(tmp_path.iterdir()) == []
    export(build(), base)
    with monkeypatch.context() as patch:
        patch.setattr(type(keras.export.ExportArchive()), "write_out", write_half)
        with pytest.raises(OSError, match="nothing was left"):
            export(build(), base)
    assert [child.name for child in base.iterdir()] == ["1"]


def test_a_write_that_the_system_refuses_leaves_nothing(tmp_path):
    """TensorFlow's own writer meets a file-size limit, as it would meet a full disk."""
    model = build(units=40_000)
    model.summary(print_fn=lambda line: None)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(OSError, match="could not be written"):
            export(model, tmp_path / "served")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_paths_that_hold_something_else(tmp_path):
    (tmp_path / "notes.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="notes.txt"):
        export(build(), tmp_path)
    with pytest.raises(FileExistsError, match="is a file"):
        export(build(), tmp_path / "notes.txt")
    (tmp_path / "named" / "3").mkdir(parents=True)
    (tmp_path / "named" / ".writing-abandoned").mkdir()
    assert export(build(), tmp_path / "named") == str(tmp_path / "named" / "4")
    assert (tmp_path / "notes.txt").read_text() == "keep"


def test_models_that_cannot_be_served(tmp_path):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(3, "softmax")

        def call(self, x):
            return self.head(x)

    with pytest.raises(ValueError, match="never built"):
        export(Subclassed(), tmp_path / "served")
    with pytest.raises(TypeError, match="Received: str"):
        export("model.keras", tmp_path / "served")
    with pytest.raises(ValueError, match="no distribution"):
        export(build("sigmoid"), tmp_path / "served")
    with pytest.raises(ValueError, match="at least two classes"):
        export(build(units=1), tmp_path / "served")
    with pytest.raises(TypeError, match="serving_functions"):
        export(build(), tmp_path / "served", defense=object())
    assert list(tmp_path.iterdir()) == []


def test_subclassed_model_that_was_wrapped(tmp_path):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(3)

        def call(self, x):
            return self.head(x)

    subclassed = Subclassed()
    x = np.random.default_rng(2).normal(size=(6, 4)).astype(np.float32)
    logits = subclassed(x)
    with pytest.raises(ValueError, match="must be wrapped"):
        export(subclassed, tmp_path / "served")
    wrapped = keras.Sequential([keras.Input((4,)), subclassed])
    version = export(wrapped, tmp_path / "served")
    np.testing.assert_allclose(Oracle(version).predict(x), softmax(np.asarray(logits)), atol=1e-5)


@pytest.mark.slow
def test_saved_model_cli(tmp_path, rows):
    model = build(None)
    version = export(model, tmp_path / "served")
    np.save(tmp_path / "rows.npy", rows)
    tool = pathlib.Path(sys.executable).with_name("saved_model_cli")
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(*arguments):
        done = subprocess.run(
            [tool, *arguments], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown = run("show", "--dir", version, "--tag_set", "serve", "--all")
    assert "signature_def['serving_default']" in shown
    assert "signature_def['label']" in shown
    assert "inputs['inputs'] tensor_info" in shown
    for signature in ("serving_default", "label"):
        run(
            *("run", "--dir", version, "--tag_set", "serve", "--signature_def", signature),
            *("--inputs", f"inputs={tmp_path / 'rows.npy'}", "--outdir", str(tmp_path)),
        )
    expected = softmax(model.predict(rows, verbose=0))
    np.testing.assert_allclose(np.load(tmp_path / "probabilities.npy"), expected, atol=1e-5)
    np.testing.assert_array_equal(np.load(tmp_path / "label.npy"), expected.argmax(axis=1))
