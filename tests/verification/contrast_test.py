import functools
import itertools

import numpy as np
import pytest

from ewe_tf.verification import ContrastEProcess
from ewe_tf.verification.contrast import contrast_log_e_value
from ewe_tf.verification.contrast import contrast_p_value
from ewe_tf.verification.paired import mcnemar_p_value


def processed(trigger, control):
    process = ContrastEProcess()
    process.update(trigger, control)
    return process


def expectation(law, pairs=3):
    """Mean e-value over all answers to some pairs; `law` is `(trigger, control) -> chance`."""
    total = 0.0
    outcomes = list(itertools.product([False, True], repeat=2))
    for answers in itertools.product(outcomes, repeat=pairs):
        trigger, control = np.array(answers).T
        total += np.prod([law[a] for a in answers]) * np.exp(
            processed(trigger, control).log_e_value
        )
    return total


def law_of(trigger_rate, control_rate, covariance=0.0):
    both = trigger_rate * control_rate + covariance
    law = {
        (True, True): both,
        (True, False): trigger_rate - both,
        (False, True): control_rate - both,
        (False, False): 1 - trigger_rate - control_rate + both,
    }
    assert min(law.values()) >= -1e-12 and sum(law.values()) == pytest.approx(1)
    return law


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("excess", [0.0, 0.09])
@pytest.mark.parametrize("correlated", [0.0, 0.5])
def test_expectation_is_at_most_one_under_the_null(rate, excess, correlated):
    covariance = correlated * min(rate * (1 - rate - excess), 0.05)
    assert expectation(law_of(rate, rate + excess, covariance)) <= 1 + 1e-12


def test_a_single_pair_by_hand():
    """Four fifths of (0.9, 0.005), and the rest spread over 18 alternatives."""

    def ratio(a, b):
        m = (a + b) / 2
        return a * (1 - b) / (m * (1 - m))

    grid = itertools.product((0.2, 0.4, 0.6, 0.8, 0.95), (0.01, 0.05, 0.2, 0.5))
    spread = [ratio(a, b) for a, b in grid if a > b]
    expected = 0.8 * ratio(0.9, 0.005) + 0.2 * np.mean(spread)
    assert np.exp(processed([True], [False]).log_e_value) == pytest.approx(expected, rel=1e-12)


@functools.lru_cache
def log_e_values_after(pairs):
    hits = np.arange(pairs + 1)
    return contrast_log_e_value(hits[:, None], hits, pairs)


def probability_of_reaching(level, law, pairs=60):
    """Followed forwards, from all states at once; what happens after `pairs` is left out."""
    alive, reached = np.ones((1, 1)), 0.0
    for number in range(1, pairs + 1):
        mass = np.zeros((number + 1, number + 1))
        for (y, z), chance in law.items():
            mass[y : number + y, z : number + z] += chance * alive
        stops = log_e_values_after(number) >= level - 1e-9
        reached += mass[stops].sum()
        alive = np.where(stops, 0.0, mass)
    return reached


@pytest.mark.parametrize("level", np.log([8, 300, 1e5]))
def test_p_values_are_the_chance_of_such_an_e_value(level):
    (p_value,) = contrast_p_value([level])
    assert p_value < np.exp(-level)
    laws = [law_of(rate, rate) for rate in np.arange(0.05, 1, 0.05)]
    laws += [law_of(0.45, 0.45, covariance) for covariance in (0.05, 0.2)]
    laws += [law_of(0.4, 0.5), law_of(0.5, 0.5, 0.25), law_of(0.0, 1.0), law_of(0.9, 1.0)]
    chances = [probability_of_reaching(level, law) for law in laws]
    assert max(chances) <= p_value
    # And not much more than that: suspects with a constant rate nearly get there.
    assert max(chances) > 0.8 * p_value


def test_the_best_opponent_of_all_is_met_and_not_exceeded():
    """The game again, by trying laws for each pair in each state, correlated ones included."""
    laws = []
    for rate, control in itertools.product(np.linspace(0, 1, 26), repeat=2):
        if rate <= control:
            most = min(rate, control) - rate * control
            laws += [list(law_of(rate, control, share * most).values()) for share in (0, 0.5, 1)]
    level, pairs = np.log(40.0), 40
    value = np.minimum(np.exp(log_e_values_after(pairs) - level), 1.0)
    for number in reversed(range(pairs)):
        # In the order of `law_of`: both, trigger only, control only, neither.
        after = np.stack([value[1:, 1:], value[1:, :-1], value[:-1, 1:], value[:-1, :-1]])
        best = np.max(np.tensordot(laws, after, axes=1), axis=0)
        value = np.where(log_e_values_after(number) >= level - 1e-9, 1.0, best)
    (p_value,) = contrast_p_value([level])
    assert 0.99 * p_value < value[0, 0] <= p_value + 1e-12


def test_who_may_answer_controls_more_seldom_is_not_bound():
    level = np.log(300)
    assert probability_of_reaching(level, law_of(0.6, 0.4)) > contrast_p_value([level])[0]


def test_negatively_correlated_answers_are_outside_of_the_null_hypothesis():
    """Exactly one of each pair, by a coin: the exact test holds its level and this one does not."""
    level = log_e_values_after(6)[6, 0]
    assert contrast_p_value([level])[0] < 1e-3 < mcnemar_p_value([True] * 6, [False] * 6) == 1 / 64
    opposed = {(True, False): 0.5, (False, True): 0.5}
    assert 0.015 < probability_of_reaching(level, opposed) < 0.03


def test_optional_stopping_does_not_break_the_level(uniform_or_larger):
    rng = np.random.default_rng(0)
    rates = rng.uniform(0.05, 0.95, 3000)[:, None]
    answers = [np.cumsum(rng.random((3000, 50)) < rates, axis=1) for _ in range(2)]
    largest = contrast_log_e_value(*answers, np.arange(1, 51)).max(axis=1)
    levels, place = np.unique(np.maximum(largest, 0.0).round(9), return_inverse=True)
    uniform_or_larger(contrast_p_value(levels)[place])


def test_an_opponent_who_reacts_to_the_e_value_keeps_within_the_level():
    """Half and half when a leap is near, quiet while behind."""
    rng = np.random.default_rng(1)
    level, n = np.log(12), 4000
    hits, controls, reached = np.zeros(n, int), np.zeros(n, int), np.zeros(n, bool)
    value = np.zeros(n)
    for number in range(1, 61):
        rate = np.where(value > -1.5, 0.46, 0.15)
        hits += rng.random(n) < rate
        controls += rng.random(n) < rate
        value = contrast_log_e_value(hits, controls, number)
        reached |= value >= level
    (p_value,) = contrast_p_value([level])
    assert 0.02 < reached.mean() <= p_value + 3 * np.sqrt(p_value / n)


def test_few_clear_pairs_are_evidence():
    clear = processed(np.ones(6, bool), np.zeros(6, bool))
    assert clear.p_values[5] < 1e-3 < clear.p_values[4]
    for missed in range(7):
        assert processed(np.arange(7) != missed, np.zeros(7, bool)).p_value < 1e-3
    assert processed(np.ones(11, bool), np.zeros(11, bool)).p_value < 1e-6


def test_no_valid_test_needs_fewer_than_ten_queries_at_a_thousandth():
    """Answers by coin: every pattern of n answers has the chance 2 ** -n. Ours keeps to that."""
    for pairs in range(1, 8):
        clear = processed(np.ones(pairs, bool), np.zeros(pairs, bool))
        assert clear.p_value >= 0.25**pairs
    assert 0.5**9 > 1e-3 > 0.5**10


def test_different_numbers_are_refused():
    with pytest.raises(ValueError, match="same number"):
        processed(np.ones(3, bool), np.zeros(2, bool))


def test_pairs_and_blocks_give_the_same_path():
    rng = np.random.default_rng(1)
    trigger, control = rng.random(30) < 0.7, rng.random(30) < 0.2
    process = ContrastEProcess()
    assert (process.log_e_value, process.p_value, len(process.p_values)) == (0.0, 1.0, 0)
    for pair in zip(trigger, control, strict=True):
        process.update(*pair)
    blocks = processed(trigger, control)
    np.testing.assert_allclose(process.log_e_values, blocks.log_e_values)
    np.testing.assert_allclose(process.p_values, blocks.p_values)
    assert np.all(np.diff(process.p_values) <= 0) and process.p_value == process.p_values[-1]
    assert np.all(process.p_values <= np.exp(-np.maximum.accumulate(process.log_e_values)) + 1e-9)
