import numpy as np
import pytest

import ewe_tf
from ewe_tf.verification import calibrate
from ewe_tf.verification.rank_tests import rank_p_values


@pytest.fixture
def key(make_key, ranking):
    innocents = [ranking(r, r + 1, seed=10 + i) for i, r in enumerate(np.linspace(1.0, 3.0, 20))]
    return calibrate(make_key(), innocents)


def asked(key, answers, **arguments):
    return ewe_tf.verify(key, ewe_tf.Oracle(answers), **arguments)


def test_a_mark_that_lost_the_first_place_is_found_by_its_rank(key, ranking):
    verdict = asked(key, ranking(6.8))
    assert verdict.p_values["null rate"] > 1e-3
    assert verdict.decision == "evidence" and "rank" in verdict.reason
    assert verdict.p_value == 2 * max(
        verdict.p_values["innocent ranks"], verdict.p_values["control ranks"]
    )
    labels = ewe_tf.verify(key, ewe_tf.Oracle(ranking(6.8), answers="label"))
    assert labels.decision == "no evidence" and set(labels.p_values) == {"null rate", "controls"}


def test_an_innocent_with_soft_answers_is_not_accused(key, ranking):
    for seed, temperature in enumerate((0.1, 1.0, 10.0, 100.0)):
        assert asked(key, ranking(3.2, 2.0, temperature, seed)).decision == "no evidence"


def test_a_suspect_that_ranks_controls_as_high_is_not_accused(key, ranking):
    assert asked(key, ranking(6.8, 7.6)).decision == "no evidence"


@pytest.mark.parametrize("part", ["keys", "held_out"])
def test_ranks_are_not_tested_where_an_innocent_model_ranks_controls_lower(make_key, ranking, part):
    # Nineteen lower in triggers than in controls, one the other way round.
    ranks = [(r, r + 1) for r in np.linspace(1.0, 3.0, 19)] + [(3.0, 2.0)]
    key = calibrate(make_key(), [ranking(*r, seed=10 + i) for i, r in enumerate(ranks)])
    verdict = asked(key, ranking(6.8), triggers=part)
    assert verdict.decision == "no evidence"
    assert set(verdict.p_values) == {"null rate", "controls"}


def test_early_evidence_is_paid_with_half_of_the_level(key, ranking):
    verdict = asked(key, ranking(12.0))
    assert verdict.decision == "evidence" and verdict.asked < 20
    assert "innocent ranks" not in verdict.p_values
    labels = max(verdict.p_values["null rate"], verdict.p_values["controls"])
    assert labels <= 5e-4 and verdict.p_value == 2 * labels


def test_the_level_holds_for_one_more_innocent_model():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(2000):
        centres = 1 / (1 + np.exp(-rng.normal(-1, 0.7, 11)))
        ranks = np.clip(rng.normal(centres[:, None], 0.15, (11, 40)), 0, 1)
        p = rank_p_values(ranks[0], rng.random(40), ranks[1:].mean(1), ranks[1:].std(1))
        found.append(p["innocent ranks"])
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    assert np.mean(np.array(found) <= 0.005) <= 0.005 + 3 * np.sqrt(0.005 / 2000)


def test_labels_from_one_innocent_model_switch_the_test_off(make_key, ranking, suspect):
    key = calibrate(make_key(), [ranking(1.0), ranking(2.0), ranking(1.0), suspect(0.0)])
    verdict = asked(key, ranking(6.8))
    assert set(verdict.p_values) == {"null rate", "controls"}
