"""What a user does with `ewe_tf.fit`."""

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.keys import Key
from ewe_tf.keys import model_digest


@pytest.mark.parametrize(
    ("sequential", "logits", "one_hot"),
    [(True, True, False), (True, False, True), (False, False, False), (False, True, True)],
)
def test_every_form_of_classifier_learns_and_is_marked(
    fit, digits, quick, make_model, sequential, logits, one_hot
):
    x, y = digits
    model = make_model(sequential=sequential, logits=logits, one_hot=one_hot)
    labels = np.eye(10)[y] if one_hot else y
    scheme = quick(epochs=3, trigger_weight=0.5, hull_weight=0.2)
    protected = fit(model, x, labels, watermark=scheme, epochs=5)
    assert protected.model is model
    assert np.mean(np.argmax(model.predict(x, verbose=0), 1) == y) > 0.9
    answers = np.argmax(model.predict(protected.key.held_out, verbose=0), 1)
    assert np.mean(answers == 3) > 0.9
    assert protected.key.victim == model_digest(model)


def test_the_model_stays_the_users_own(fit, digits, quick, make_model, tmp_path):
    x, y = digits
    optimizer = keras.optimizers.Adam(0.01)
    model = make_model(optimizer=optimizer)
    layers, compiled_loss = list(model.layers), model.loss
    fit(model, x, y, watermark=quick())
    assert type(model) is keras.Sequential and list(model.layers) == layers
    assert model.optimizer is optimizer and model.loss is compiled_loss and model.compiled
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(x[:50], verbose=0), model.predict(x[:50], verbose=0)
    )
    before = int(optimizer.iterations)
    model.fit(x[:128], y[:128], batch_size=64, verbose=0)
    assert int(optimizer.iterations) == before + 2


def test_labels_in_a_column_are_classes(fit, digits, quick, make_model):
    x, y = digits
    weights = []
    for labels in (y, y[:, None]):
        model = make_model()
        fit(model, x, labels, watermark=quick())
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_trained_model_skips_task_training(fit, digits, quick, make_model):
    x, y = digits
    model = make_model()
    model.fit(x, y, epochs=4, batch_size=64, verbose=0)
    before = int(model.optimizer.iterations)
    protected = fit(model, x, y, watermark=quick(), epochs=None)
    assert protected.history["task"] is None
    assert int(model.optimizer.iterations) == before
    assert len(protected.history["entangled"]["loss"]) == 1


def test_the_same_seed_gives_the_same_key_and_weights(fit, digits, make_model):
    x, y = digits[0][:600], digits[1][:600]
    results = []
    for seed in (7, 7):
        model = make_model()
        scheme = ewe_tf.EWE(target=3, epochs=1, innocents=1, rehearsal=ewe_tf.Rehearsal(1), keys=10)
        protected = fit(model, x, y, watermark=scheme, epochs=2, seed=seed)
        results.append((protected.key.commitment(), model.get_weights(), protected.key))
    assert results[0][0] == results[1][0]
    for a, b in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert results[0][2].seed == 7


def test_a_key_can_be_saved_whatever_the_settings_type(fit, digits, quick, make_model, tmp_path):
    x, y = digits
    scheme = quick(
        target=np.int64(3), keys=np.int64(20), snnl_weight=np.float32(0.1), rows=np.int32(8)
    )
    key = fit(make_model(), x, y, watermark=scheme, seed=np.int64(4)).key
    key.save(tmp_path / "key.npz")
    assert Key.load(tmp_path / "key.npz").commitment() == key.commitment()
