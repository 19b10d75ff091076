"""Callbacks and validation see the user's model, in both training stages."""

import re
import warnings

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.keys import model_digest


class Recorder(keras.callbacks.Callback):
    def __init__(self, model):
        super().__init__()
        self.expected = model
        self.events = []
        self.rates = []

    def _note(self, event):
        assert self.model is self.expected
        self.events.append(event)

    def on_train_begin(self, logs=None):
        self._note("begin")
        self.rates.append(float(self.model.optimizer.learning_rate))

    def on_train_end(self, logs=None):
        self._note("end")

    def on_epoch_end(self, epoch, logs=None):
        self._note(sorted(logs))

    def on_test_end(self, logs=None):
        self._note("test")


def test_callbacks_see_the_users_model_in_both_stages(fit, digits, quick, make_model):
    x, y = digits
    model = make_model(weighted_metrics=["accuracy"])
    recorder = Recorder(model)
    protected = fit(
        model,
        x,
        y,
        watermark=quick(epochs=2),
        callbacks=[recorder],
        validation_data=(x[:100], y[:100]),
    )
    begins = [i for i, event in enumerate(recorder.events) if event == "begin"]
    assert len(begins) == 2 and recorder.events.count("test") == 3
    assert recorder.rates == pytest.approx([0.01, 0.0025])
    task, entangled = [e for e in recorder.events if isinstance(e, list)][::2]
    assert set(entangled) - set(task) == {"snnl", "trigger_accuracy"}
    assert set(task) <= set(entangled) and {"val_loss", "val_accuracy"} <= set(task)
    assert len(protected.history["entangled"]["val_loss"]) == 2
    assert model.history.history == protected.history["entangled"]


def test_validation_is_that_of_the_users_model_at_every_epoch(fit, digits, quick, make_model):
    x, y = digits
    model = make_model()
    measured = []
    again = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: measured.append(
            [logs["val_loss"], logs["val_accuracy"], *by_hand()]
        )
    )

    def by_hand():
        p = model.predict(x[:100], verbose=0)
        return -np.mean(np.log(p[np.arange(100), y[:100]])), np.mean(np.argmax(p, 1) == y[:100])

    fit(
        model,
        x,
        y,
        watermark=quick(epochs=3, learning_rate=0.02),
        epochs=2,
        callbacks=[again],
        validation_data=(x[:100], y[:100]),
    )
    measured = np.array(measured)
    assert len(measured) == 5
    np.testing.assert_allclose(measured[:, :2], measured[:, 2:], rtol=1e-4)


def test_training_stops_early_in_the_entangled_stage(fit, digits, quick, make_model):
    x, y = digits
    # Of the first stage, which it ends, it leaves nothing behind; the second it ends too.
    stop = keras.callbacks.EarlyStopping("loss", mode="max", patience=0)
    protected = fit(make_model(), x, y, watermark=quick(epochs=4), epochs=4, callbacks=[stop])
    assert len(protected.history["task"]["loss"]) == 2
    assert len(protected.history["entangled"]["loss"]) == 2


def test_keras_own_callbacks(fit, digits, quick, make_model, tmp_path):
    x, y = digits
    model = make_model()
    protected = fit(
        model,
        x,
        y,
        watermark=quick(epochs=2),
        epochs=2,
        validation_data=(x[:100], y[:100]),
        callbacks=[
            keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
            keras.callbacks.CSVLogger(tmp_path / "log.csv", append=True),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.ReduceLROnPlateau(patience=1),
            keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True),
        ],
    )
    last = keras.models.load_model(tmp_path / "2.keras")
    assert type(last) is keras.Sequential
    assert [v.shape for v in last.weights] == [v.shape for v in model.weights]
    # Task: 0.01 halved twice; entangled: a quarter of what was compiled, halved twice.
    assert protected.history["task"]["learning_rate"] == pytest.approx([0.005, 0.0025])
    assert protected.history["entangled"]["learning_rate"] == pytest.approx([0.00125, 0.000625])
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + 4


def test_a_checkpoint_of_the_entangled_stage_is_the_marked_model(
    fit, digits, quick, make_model, tmp_path
):
    x, y = digits
    model = make_model()
    save = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    fit(model, x, y, watermark=quick(), callbacks=[save])
    last = keras.models.load_model(tmp_path / "1.keras")
    assert model_digest(last) == model_digest(model)


@pytest.mark.parametrize("verbose", [0, 2])
def test_what_is_printed(fit, digits, quick, make_model, capfd, verbose):
    x, y = digits
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheme = quick(innocents=1, rehearsal=ewe_tf.Rehearsal(1), in_house_epochs=3)
        fit(make_model(), x, y, watermark=scheme, epochs=3, verbose=verbose)
    out = capfd.readouterr().out
    assert not [w for w in caught if issubclass(w.category, UserWarning)]
    if verbose == 0:
        assert out == ""
    else:
        stages = re.findall(r"^\[(\d)/5\] ([\w -]+)", out, re.M)
        assert [n for n, _ in stages] == list("12345")
        assert out.count("Epoch ") == 3 + 0 and "trigger_accuracy" in out
        assert "1 innocent models and 1 surrogates" in out
