import itertools

import numpy as np
import pytest

from ewe_tf.verification import ContrastEProcess


def contrast_log_e_values(trigger, control):
    process = ContrastEProcess()
    process.update(trigger, control)
    return process.log_e_values


@pytest.mark.parametrize("trigger_rate", [0.01, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("excess", [0.0, 0.09])
def test_expectation_is_at_most_one_under_the_null(trigger_rate, excess):
    """All answers to three pairs, weighted by their probability: an exact expectation."""
    control_rate = trigger_rate + excess
    total = 0.0
    for answers in itertools.product([False, True], repeat=6):
        trigger, control = np.array(answers[:3]), np.array(answers[3:])
        p = np.prod(np.where(trigger, trigger_rate, 1 - trigger_rate))
        p *= np.prod(np.where(control, control_rate, 1 - control_rate))
        total += p * np.exp(contrast_log_e_values(trigger, control)[-1])
    assert total <= 1 + 1e-12


def test_optional_stopping_does_not_break_the_level():
    rng = np.random.default_rng(0)
    crossed = [
        contrast_log_e_values(rng.random(80) < rate, rng.random(80) < rate).max() >= np.log(20)
        for rate in rng.uniform(0, 1, 2000)
    ]
    assert np.mean(crossed) <= 0.05


def test_a_single_pair_by_hand():
    """The mixture over the alternatives a > b of P_a(hit) P_b(miss) / (P_m(hit) P_m(miss))."""
    grid = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    ratios = []
    for a, b in itertools.product(grid, grid):
        if a > b:
            m = (a + b) / 2
            ratios.append(a * (1 - b) / (m * (1 - m)))
    value = contrast_log_e_values(np.array([True]), np.array([False]))[0]
    assert np.exp(value) == pytest.approx(np.mean(ratios), rel=1e-12)


def test_seven_clear_pairs_are_evidence_at_a_thousandth():
    values = contrast_log_e_values(np.ones(7, bool), np.zeros(7, bool))
    assert values[-1] > np.log(1000) > values[-2]
    assert np.all(np.diff(values) > 0)


def test_different_numbers_are_refused():
    with pytest.raises(ValueError, match="same number"):
        contrast_log_e_values(np.ones(3, bool), np.zeros(2, bool))


def test_pairs_and_blocks_give_the_same_path():
    rng = np.random.default_rng(1)
    trigger, control = rng.random(30) < 0.7, rng.random(30) < 0.2
    process = ContrastEProcess()
    for pair in zip(trigger, control, strict=True):
        process.update(*pair)
    np.testing.assert_allclose(process.log_e_values, contrast_log_e_values(trigger, control))
    assert process.p_value == pytest.approx(np.exp(-process.log_e_values.max()))
