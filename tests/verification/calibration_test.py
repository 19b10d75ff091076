import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.verification import calibrate
from ewe_tf.verification import conformal_p_value
from ewe_tf.verification import random_effects_p_value
from ewe_tf.verification.calibration import family_counts


def test_relatives_count_as_one_model(make_key, suspect):
    models = [suspect(r, seed=i) for i, r in enumerate((0.0, 0.03, 0.0, 0.01, 0.0, 0.02))]
    key = calibrate(make_key(), models, families=["a", "a", "a", "b", "b", "c"])
    verdict = ewe_tf.verify(key, suspect(0.9, seed=9))
    assert verdict.conformal_p_value == pytest.approx(1 / 4)
    assert verdict.false_positive_bound == pytest.approx(1 - 0.05 ** (1 / 3))
    independent = calibrate(make_key(), models, names=["cnn", "cnn", "cnn", "mlp", "mlp", "mlp"])
    assert ewe_tf.verify(independent, suspect(0.9, seed=9)).conformal_p_value == 1 / 7


def test_innocents_are_counted_on_the_very_triggers_that_were_asked(make_key, suspect):
    key = make_key()
    hit = key.triggers[[4, 50]]

    def knows_two(x):
        return np.where((x[:, None] == hit).all(-1).any(1), 3, 5)

    key = calibrate(key, [knows_two, suspect(0.0), suspect(0.0)])
    assert family_counts(key, "keys", np.array([4, 7])) == [(1, 2), (0, 2), (0, 2)]
    assert family_counts(key, "held_out", np.arange(100)) == [(0, 100)] * 3


def test_model_level_p_values_are_reported_and_do_not_decide(make_key, suspect):
    models = [suspect(r, seed=i) for i, r in enumerate((0.0, 0.04, 0.0, 0.0, 0.0))]
    key = calibrate(make_key(), models)
    verdict = ewe_tf.verify(key, suspect(0.5, seed=3), sequential=False)
    counts = family_counts(key, "keys", np.arange(100))
    assert verdict.random_effects_p_value == random_effects_p_value(verdict.hits, 100, counts)
    rates = [h / n for h, n in counts]
    assert verdict.conformal_p_value == conformal_p_value(verdict.rate, rates) == 1 / 6
    assert verdict.random_effects_p_value > 1e-3 and verdict.decision == "evidence"
    assert "t distribution (not deciding)" in str(verdict)


def test_a_malformed_calibration_is_named(make_key, suspect):
    with pytest.raises(ValueError, match="calibration is malformed"):
        ewe_tf.verify(make_key(calibration={"rates": [0.1]}), suspect(1.0))


@pytest.mark.parametrize("models", ["model.keras", keras.Sequential()])
def test_one_model_is_no_sequence_of_models(make_key, models):
    with pytest.raises(TypeError, match="`innocent_models` must be a sequence of models"):
        calibrate(make_key(), models)


@pytest.mark.parametrize("classes", [3, 7])
def test_a_model_of_another_task_is_no_innocent_model(make_key, suspect, classes):
    layers = [keras.Input((6,)), keras.layers.Dense(classes, "softmax")]
    model = keras.Sequential(layers)
    known = ewe_tf.Oracle(model, answers="label")
    learned = ewe_tf.Oracle(lambda x: model.predict(x, verbose=0), answers="label")
    for other in (model, known, learned):
        with pytest.raises(ValueError, match=f"'innocent 2' must have 10 .* EWE key .* {classes}"):
            calibrate(make_key(), [suspect(0.0), other])
    assert known.ledger.queries == 0


def test_families_must_be_one_for_each_model(make_key, suspect):
    with pytest.raises(ValueError, match="`families` must be one for each of the 2 models"):
        calibrate(make_key(), [suspect(0.0), suspect(0.0)], families=["a"])
