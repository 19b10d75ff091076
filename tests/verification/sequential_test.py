import math

import numpy as np
import pytest
from scipy import integrate
from scipy import special

from ewe_tf.verification import EProcess
from ewe_tf.verification import PairedEProcess
from ewe_tf.verification import anytime_bounds
from ewe_tf.verification import log_e_value


@pytest.mark.parametrize("hits, queries", [(0, 1), (1, 1), (4, 5), (3, 40), (40, 255)])
def test_the_e_value_is_that_of_the_uniform_mixture(hits, queries):
    p = 0.1
    wealth, _ = integrate.quad(
        lambda q: (q / p) ** hits * ((1 - q) / (1 - p)) ** (queries - hits) / (1 - p),
        p,
        1,
        epsabs=0,
        epsrel=1e-10,
        limit=500,
    )
    assert log_e_value(hits, queries, p) == pytest.approx(math.log(wealth), abs=1e-8)


def test_values_by_hand():
    # One hit: the mean bet 0.55 over 0.1. One miss: the mean of 1 - q, 0.45, over 0.9.
    assert log_e_value(1, 1, 0.1) == pytest.approx(math.log(5.5))
    assert log_e_value(0, 1, 0.1) == pytest.approx(math.log(0.5))
    # At null rate 1/2, two hits: mean of q^2 on (1/2, 1) is 7/12; over 1/4.
    assert log_e_value(2, 2, 0.5) == pytest.approx(math.log(7 / 3))


@pytest.mark.parametrize("null_rate", [0.001, 0.1, 0.5, 0.9])
def test_no_law_within_the_null_gains_wealth_in_any_state(null_rate):
    queries = np.arange(1, 200)[:, None]
    hits = np.minimum(np.arange(200)[None, :], queries)
    now = log_e_value(hits, queries, null_rate)
    on_hit = np.exp(log_e_value(hits + 1, queries + 1, null_rate) - now)
    on_miss = np.exp(log_e_value(hits, queries + 1, null_rate) - now)
    assert np.all(on_hit >= 1) and np.all(on_miss <= 1)
    at_the_null = null_rate * on_hit + (1 - null_rate) * on_miss
    assert np.allclose(at_the_null, 1, atol=1e-9)
    for rate in (0, null_rate / 3):
        assert np.all(rate * on_hit + (1 - rate) * on_miss <= 1 + 1e-9)


def test_a_million_queries_stay_finite_and_find_small_excesses():
    n = 10**6
    values = log_e_value(np.array([0, 50_000, 100_000, 102_000, n]), n, 0.1)
    assert np.all(np.isfinite(values)) and np.all(np.diff(values) > 0)
    assert values[2] < 0 < values[3]
    # 2,000 hits more than expected is 6.7 standard deviations: 22 nats less the mixture's cost.
    assert 10 < values[3] < 22.2
    assert values[4] == pytest.approx(n * math.log(10), rel=1e-3)


def _paths(rng, rate, paths, length):
    return np.cumsum(rng.random((paths, length)) < rate, axis=1)


@pytest.mark.parametrize("rate", [0.1, 0.07, 0.02])
def test_looking_after_every_query_does_not_break_the_level(rate):
    paths, length = 4000, 300
    hits = _paths(np.random.default_rng(3), rate, paths, length)
    numbers = np.arange(1, length + 1)
    largest = _log_e_table(0.1, length)[numbers, hits].max(axis=1)
    for alpha in (0.2, 0.05, 0.01):
        false = np.mean(largest >= -math.log(alpha))
        assert false <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / paths)


def _log_e_table(null_rate, length):
    """`table[queries, hits]`."""
    queries, hits = np.meshgrid(np.arange(1, length + 1), np.arange(length + 1), indexing="ij")
    values = log_e_value(np.minimum(hits, queries), queries, null_rate)
    return np.concatenate([np.zeros((1, length + 1)), values])


def test_the_anytime_p_value_is_conservative(uniform_or_larger):
    hits = _paths(np.random.default_rng(4), 0.1, 4000, 200)
    largest = _log_e_table(0.1, 200)[np.arange(1, 201), hits].max(axis=1)
    uniform_or_larger(np.minimum(1, np.exp(-largest)))


def test_a_law_that_reacts_to_the_past_within_the_null_gains_nothing():
    # The hardest opponent: full null rate while ahead, no hits at all when it would pay to
    # look unlucky; each step's rate stays at most the null rate.
    rng = np.random.default_rng(5)
    table, paths, length = _log_e_table(0.3, 200), 4000, 200
    hits, largest = np.zeros(paths, int), np.zeros(paths)
    for n in range(1, length + 1):
        ahead = table[n - 1, hits] > -1
        hits += rng.random(paths) < np.where(ahead, 0.3, 0.05)
        largest = np.maximum(largest, table[n, hits])
    assert np.mean(largest >= math.log(20)) <= 0.05 + 3 * math.sqrt(0.0475 / paths)


def test_a_finite_key_asked_in_random_order_keeps_the_level():
    # 100 triggers of which exactly 10 are hits, without replacement.
    rng = np.random.default_rng(6)
    key = np.arange(100) < 10
    hits = np.cumsum(rng.permuted(np.tile(key, (4000, 1)), axis=1), axis=1)
    largest = _log_e_table(0.1, 100)[np.arange(1, 101), hits].max(axis=1)
    assert np.mean(largest >= math.log(20)) <= 0.05


@pytest.mark.parametrize("rate, alpha, most", [(0.9, 1e-3, 8), (0.6, 1e-3, 15), (0.6, 1e-6, 28)])
def test_a_stolen_copy_is_found_soon(rate, alpha, most):
    hits = _paths(np.random.default_rng(7), rate, 2000, 100)
    reached = _log_e_table(0.1, 100)[np.arange(1, 101), hits] >= -math.log(alpha)
    assert reached.any(axis=1).mean() > 0.99
    assert np.median(reached.argmax(axis=1) + 1) <= most


@pytest.mark.parametrize("rate", [0.03, 0.5, 0.85])
def test_the_confidence_sequence_covers_at_all_times_at_once(rate):
    paths, length, alpha = 3000, 200, 0.1
    hits = _paths(np.random.default_rng(8), rate, paths, length)
    queries, counts = np.meshgrid(np.arange(1, length + 1), np.arange(length + 1), indexing="ij")
    low, high = anytime_bounds(np.minimum(counts, queries), queries, alpha)
    covered = (low <= rate) & (rate <= high)
    always = covered[np.arange(length), hits].all(axis=1)
    assert always.mean() >= 1 - alpha - 3 * math.sqrt(alpha * (1 - alpha) / paths)


def test_anytime_bounds_invert_the_mixture_likelihood_ratio():
    low, high = anytime_bounds(7, 20, 0.05)
    for end in (low, high):
        ratio = special.beta(8, 14) / (end**7 * (1 - end) ** 13)
        assert ratio == pytest.approx(20, rel=1e-9)
    assert low < 7 / 20 < high
    assert anytime_bounds(0, 5, 0.05)[0] == 0 and anytime_bounds(5, 5, 0.05)[1] == 1
    low, high = anytime_bounds(100_000, 10**6, 1e-3)
    assert 0.0980 < low < 0.1 < high < 0.1020


def test_one_at_a_time_is_the_same_as_in_blocks():
    answers = np.random.default_rng(9).random(60) < 0.4
    singly, blocks = EProcess(0.1), EProcess(0.1)
    for answer in answers:
        singly.update(bool(answer))
    for part in np.split(answers, [7, 7, 31]):
        blocks.update(part)
    assert singly.hits == blocks.hits == answers.sum() and blocks.queries == 60
    assert np.array_equal(blocks.outcomes, answers)
    np.testing.assert_allclose(singly.log_e_values, blocks.log_e_values)
    assert singly.p_value == pytest.approx(blocks.p_value)
    assert singly.confidence_sequence(0.01) == pytest.approx(blocks.confidence_sequence(0.01))
    assert blocks.e_value == pytest.approx(math.exp(log_e_value(int(answers.sum()), 60, 0.1)))


def test_the_p_value_remembers_the_best_moment():
    process = EProcess(0.1)
    assert (process.e_value, process.p_value, process.crossing(0.01)) == (1, 1, None)
    assert process.confidence_sequence()[:2] == (0, 1)
    process.update([1] * 6)
    best = process.p_value
    assert best == pytest.approx(1 / process.e_value)
    assert process.crossing(0.01) == 3
    process.update([0] * 50)
    assert process.p_value == best and process.e_value < 1
    low, high, confidence = process.confidence_sequence(0.05)
    assert low < high and confidence == 0.95
    assert low >= anytime_bounds(6, 6, 0.05)[0] or low == anytime_bounds(6, 56, 0.05)[0]


def test_the_paired_process_ignores_agreement_and_favours_triggers():
    trigger = np.array([1, 1, 0, 1, 1, 1, 0, 1, 1, 1], bool)
    control = np.array([0, 1, 0, 0, 0, 0, 1, 0, 0, 0], bool)
    process = PairedEProcess()
    process.update(trigger[:4], control[:4])
    for a, b in zip(trigger[4:], control[4:], strict=True):
        process.update(bool(a), bool(b))
    assert (process.pairs, process.discordant) == (10, 8)
    assert process.log_e_value == pytest.approx(log_e_value(7, 8, 0.5))
    assert process.e_value == pytest.approx(math.exp(process.log_e_value))
    mirrored = PairedEProcess()
    mirrored.update(control, trigger)
    assert mirrored.p_value > process.p_value


def test_the_paired_process_keeps_its_level_where_triggers_and_controls_are_alike():
    rng = np.random.default_rng(10)
    false = 0
    for _ in range(2000):
        difficulty = rng.random(120) * 0.6
        process = PairedEProcess()
        process.update(rng.random(120) < difficulty, rng.random(120) < difficulty)
        false += process.p_value <= 0.05
    assert false / 2000 <= 0.05 + 3 * math.sqrt(0.0475 / 2000)


def test_impossible_updates_are_refused():
    with pytest.raises(ValueError, match="`null_rate`"):
        EProcess(0)
    with pytest.raises(ValueError, match="`outcomes` must be a one-dimensional"):
        EProcess(0.1).update([0.5])
    with pytest.raises(ValueError, match="`outcomes` must be a one-dimensional"):
        EProcess(0.1).update(np.ones((2, 2), bool))
    with pytest.raises(ValueError, match="same length"):
        PairedEProcess().update([1, 0], [1])
    with pytest.raises(ValueError, match="`alpha`"):
        EProcess(0.1).crossing(2)
