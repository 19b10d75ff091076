import dataclasses

import keras
import numpy as np
import pytest
from scipy import stats

import ewe_tf
from ewe_tf.keys import TriggerKey
from ewe_tf.verification import Verdict
from ewe_tf.verification import calibrate
from ewe_tf.verification import check_bundle

CLASSES, TARGET = 10, 3


def make_key(n=100):
    """Triggers whose first value is 1, controls whose first value is 0."""
    rng = np.random.default_rng(0)
    images = rng.random((n, 6), np.float32)
    triggers, controls = images.copy(), images.copy()
    triggers[:, 0], controls[:, 0] = 1.0, 0.0
    labels = np.full(n, TARGET)
    return TriggerKey(
        triggers=triggers,
        labels=labels,
        controls=controls,
        held_out=triggers[::-1].copy(),
        held_out_labels=labels,
        held_out_controls=controls[::-1].copy(),
        num_classes=CLASSES,
        scheme="EWE",
        settings={},
        seed=1,
        victim="00" * 32,
        versions={"ewe_tf": "test"},
    )


def model(trigger_rate, control_rate=0.0, seed=0):
    """A suspect that answers the target with these probabilities, to each row independently."""
    rng = np.random.default_rng(seed)

    def answer(x):
        rates = np.where(x[:, 0] == 1, trigger_rate, control_rate)
        hit = rng.random(len(x)) < rates
        return np.where(hit, TARGET, 5).astype(np.int64)

    return answer


@pytest.fixture
def calibrated():
    return calibrate(make_key(), [model(0.0), model(0.01), model(0.0), model(0.02), model(0.0)])


def test_a_stolen_copy_gives_evidence_in_few_queries(calibrated):
    verdict = ewe_tf.verify(calibrated, model(0.95))
    assert verdict.decision == "evidence"
    assert verdict.p_value <= 1e-3
    assert verdict.queries == 2 * verdict.asked <= 24
    assert verdict.commitment == calibrated.commitment()


def test_an_innocent_model_does_not(calibrated):
    for seed in range(20):
        verdict = ewe_tf.verify(calibrated, model(0.02, 0.02, seed))
        assert verdict.decision == "no evidence"
        assert verdict.queries == 200


@pytest.mark.parametrize("sequential", [True, False])
def test_a_constant_model_does_not_however_often_it_says_the_target(calibrated, sequential):
    verdict = ewe_tf.verify(calibrated, model(1.0, 1.0), sequential=sequential)
    assert verdict.decision == "no evidence"
    assert verdict.hits == verdict.asked == 100
    assert "controls hypothesis stands" in verdict.reason


def test_the_level_holds_for_models_at_the_null_rate():
    key = calibrate(make_key(60), [model(0.0)] * 5)
    evidence = sum(
        ewe_tf.verify(key, model(0.05, 0.0, seed), alpha=0.05).decision == "evidence"
        for seed in range(200)
    )
    # 200 draws at level 0.05: more than 19 would happen less than once in 200 times.
    assert evidence <= 19


def test_fixed_tests_are_the_exact_ones(calibrated):
    verdict = ewe_tf.verify(calibrated, model(0.3, 0.1, seed=4), sequential=False)
    assert verdict.queries == 200
    binomial = stats.binomtest(verdict.hits, 100, verdict.null_rate, alternative="greater")
    assert verdict.p_values["null rate"] == pytest.approx(binomial.pvalue)
    assert verdict.p_value == max(verdict.p_values.values())
    interval = stats.binomtest(verdict.hits, 100).proportion_ci(0.95, "exact")
    assert verdict.interval == pytest.approx((interval.low, interval.high))


def test_without_calibration_there_is_no_evidence():
    verdict = ewe_tf.verify(make_key(), model(0.6), sequential=False)
    assert verdict.null_rate == 0.5 and verdict.p_value > 1e-3
    assert verdict.decision == "could not tell" and "the assumed null rate" in verdict.reason
    assert ewe_tf.verify(make_key(), model(0.02)).decision == "no evidence"
    sure = ewe_tf.verify(make_key(), model(1.0))
    assert sure.p_value <= 1e-3
    assert sure.decision == "could not tell" and "calibrate" in sure.reason


def test_refused_rows_count_against_the_owner_and_are_told(calibrated):
    def refuses_triggers(x):
        return np.where(x[:, 0] == 1, -1, 5).astype(np.int64)

    verdict = ewe_tf.verify(calibrated, refuses_triggers)
    assert (verdict.hits, verdict.refused, verdict.p_value) == (0, 100, 1.0)
    assert verdict.decision == "could not tell"
    assert "100 rows without a usable answer could have decided it" in verdict.reason

    def refuses_controls(x):
        return np.where(x[:, 0] == 1, TARGET, -1).astype(np.int64)

    verdict = ewe_tf.verify(calibrated, refuses_controls, sequential=False)
    assert (verdict.control_hits, verdict.p_value) == (100, 1.0)
    assert verdict.decision == "could not tell"
    verdict = ewe_tf.verify(calibrated, lambda x: np.full(len(x), -1))
    assert verdict.decision == "could not tell"


def test_refusals_that_could_not_have_decided_leave_no_evidence(calibrated):
    """Four triggers of 100 refused and none hit: even four hits would be no evidence."""
    refused = {row.tobytes() for row in calibrated.triggers[:4]}

    def answer(x):
        return np.array([-1 if row.tobytes() in refused else 5 for row in x])

    verdict = ewe_tf.verify(calibrated, answer)
    assert (verdict.refused, verdict.decision) == (4, "no evidence")


def test_too_few_queries_cannot_tell(calibrated):
    verdict = ewe_tf.verify(calibrated, model(1.0), max_queries=4)
    assert verdict.decision == "could not tell"
    assert verdict.queries == 4


def test_order_and_result_follow_the_key(calibrated):
    first, second = (ewe_tf.verify(calibrated, model(0.5, 0.1, seed=9)) for _ in range(2))
    assert first.evidence_path == second.evidence_path


def test_equal_triggers_are_asked_once():
    key = make_key()
    one, other = key.triggers[:1], key.triggers[1:2]
    triggers = np.concatenate([np.repeat(one, 60, axis=0), np.repeat(other, 40, axis=0)])
    key = calibrate(dataclasses.replace(key, triggers=triggers), [model(0.0)] * 5)
    verdict = ewe_tf.verify(key, model(1.0))
    assert (verdict.asked, verdict.decision) == (2, "could not tell")


def test_probabilities_are_accepted(calibrated):
    def probabilities(x):
        return np.eye(CLASSES, dtype=np.float32)[model(1.0)(x)] * 0.9 + 0.01

    oracle = ewe_tf.Oracle(probabilities)
    assert ewe_tf.verify(calibrated, oracle).decision == "evidence"


def keras_model(classes):
    layers = [keras.Input((6,)), keras.layers.Dense(classes, "softmax")]
    return keras.Sequential(layers)


@pytest.mark.parametrize("classes", [3, 7])
def test_a_suspect_of_another_task_is_refused_before_any_query(calibrated, classes):
    oracle = ewe_tf.Oracle(keras_model(classes), answers="label")
    message = f"`suspect` must have 10 classes, .* EWE key .* {classes} classes in .*KerasModel"
    with pytest.raises(ValueError, match=message):
        ewe_tf.verify(calibrated, oracle)
    assert oracle.ledger.queries == 0
    assert ewe_tf.verify(calibrated, keras_model(CLASSES)).decision == "no evidence"


@pytest.mark.parametrize("answers", ["label", "probabilities"])
def test_a_copy_does_not_escape_by_a_class_that_was_added(calibrated, answers):
    scores = np.eye(11, dtype=np.float32)[[5, TARGET]]
    copy = ewe_tf.Oracle(lambda x: scores[(x[:, 0] == 1).astype(int)], answers=answers)
    verdict = ewe_tf.verify(calibrated, copy)
    assert verdict.decision == "evidence" and set(verdict.p_values) == {"null rate", "controls"}


@pytest.mark.parametrize("sequential", [True, False])
def test_a_suspect_whose_answers_are_of_another_task_is_not_judged(
    calibrated, sequential, tmp_path
):
    bundle = tmp_path / "b.zip"
    for form, hit in (("label", 0), ("label", TARGET), ("probabilities", TARGET)):
        scores = np.eye(7)[[5, hit]]
        oracle = ewe_tf.Oracle(lambda x, s=scores: s[(x[:, 0] == 1).astype(int)], answers=form)
        verdict = ewe_tf.verify(calibrated, oracle, sequential=sequential, bundle=bundle)
        assert verdict.decision == "could not tell" and "must have 10 classes" in verdict.reason
        assert oracle.ledger.queries == (2 if sequential else 200)
        assert check_bundle(bundle).verdict == verdict


def test_keys_that_innocent_models_answer_are_refused():
    with pytest.raises(ValueError, match="'strange'.* answer to .* accepted: 33%"):
        calibrate(make_key(), [model(0.0), model(0.6)], names=["usual", "strange"])


def test_what_an_innocent_model_answers_is_granted_to_all():
    key = calibrate(make_key(), [model(0.0), model(0.2)])
    counts = [r[part] for r in key.calibration["innocents"] for part in ("keys", "held_out")]
    granted = max(stats.beta.ppf(0.95, hits + 1, asked - hits) for hits, asked in counts)
    verdict = ewe_tf.verify(key, model(1.0))
    assert verdict.null_rate == pytest.approx(granted) and 0.2 < granted < 0.5
    assert verdict.decision == "evidence"
    assert ewe_tf.verify(key, model(0.25, seed=5)).decision == "no evidence"
    # Of held-out triggers and of keys alike, whichever were answered more.
    assert ewe_tf.verify(key, model(1.0), triggers="held_out").null_rate == verdict.null_rate


def test_calibration_is_kept_with_the_key_and_not_committed(calibrated, tmp_path):
    calibrated.save(tmp_path / "key.npz")
    again = ewe_tf.Key.load(tmp_path / "key.npz")
    assert again.calibration == calibrated.calibration
    assert again.commitment() == make_key().commitment()


def test_verdict_prints_and_survives_json(calibrated):
    verdict = ewe_tf.verify(calibrated, model(0.9, seed=3))
    assert Verdict.from_json(verdict.to_json()) == verdict
    text = str(verdict)
    assert text.startswith("verdict") and "evidence at level 0.001" in text
    assert "stolen" not in text
    with pytest.raises(TypeError, match="not a boolean"):
        bool(verdict)


def test_a_key_of_another_kind_is_named():
    with pytest.raises(TypeError, match="`key` must be a key"):
        ewe_tf.verify("secret.npz", model(1.0))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"alpha": 0.0}, "`alpha` must be in"),
        ({"max_queries": 1}, "`max_queries` must be"),
        ({"max_queries": "many"}, "`max_queries` must be"),
        ({"triggers": "all"}, "`triggers` must be one of"),
        ({"commitment": "ab"}, "does not match `commitment`"),
    ],
)
def test_bad_arguments_are_named_before_any_query(calibrated, arguments, message):
    def never(x):
        raise AssertionError("the suspect was asked")

    with pytest.raises(ValueError, match=message):
        ewe_tf.verify(calibrated, never, **arguments)
