import fractions
import math

import numpy as np
import pytest
from scipy import stats

from ewe_tf.verification import binomial_p_value
from ewe_tf.verification import clopper_pearson
from ewe_tf.verification import lower_bound
from ewe_tf.verification import upper_bound
from ewe_tf.verification import wilson


def exact_tail(hits, queries, null_rate):
    """The definition in rational arithmetic."""
    p = fractions.Fraction(null_rate)
    return sum(
        math.comb(queries, k) * p**k * (1 - p) ** (queries - k) for k in range(hits, queries + 1)
    )


@pytest.mark.parametrize("hits, queries, rate", [(9, 26, 0.1), (0, 5, 0.3), (30, 30, 0.01)])
def test_the_p_value_is_the_exact_tail(hits, queries, rate):
    expected = float(exact_tail(hits, queries, rate))
    assert binomial_p_value(hits, queries, rate) == pytest.approx(expected, rel=1e-10)


def test_the_far_tail_of_a_million_queries_is_not_zero():
    assert 0 < binomial_p_value(10**6, 10**6, 0.1) < 1e-300
    # Bahadur and Rao's approximation of the tail, which is sharp for so many queries.
    n, k, p = 10**6, 103_000, 0.1
    a = k / n
    divergence = a * math.log(a / p) + (1 - a) * math.log((1 - a) / (1 - p))
    tilt = 1 - p * (1 - a) / (a * (1 - p))
    approximation = math.exp(-n * divergence) / (tilt * math.sqrt(2 * math.pi * n * a * (1 - a)))
    assert binomial_p_value(k, n, p) == pytest.approx(approximation, rel=0.02)


def test_more_hits_are_more_evidence_and_a_higher_null_is_less():
    by_hits = binomial_p_value(np.arange(31), 30, 0.1)
    assert by_hits[0] == 1 and np.all(np.diff(by_hits) < 0)
    by_rate = [binomial_p_value(12, 30, rate) for rate in (0.05, 0.1, 0.2, 0.39, 0.9)]
    assert by_rate == sorted(by_rate)


def test_p_values_are_conservative_for_every_rate_within_the_null(uniform_or_larger):
    rng = np.random.default_rng(1)
    for true_rate in (0.1, 0.06):
        uniform_or_larger(binomial_p_value(rng.binomial(40, true_rate, 4000), 40, 0.1))


def test_intervals_have_the_tabulated_values():
    # 0 of n: 1 - (alpha/2)^(1/n); 2 of 10 from the tables of Clopper and Pearson.
    assert clopper_pearson(0, 20)[:2] == pytest.approx((0, 1 - 0.025 ** (1 / 20)), rel=1e-9)
    assert clopper_pearson(2, 10)[:2] == pytest.approx((0.0252, 0.5561), abs=5e-5)
    z = stats.norm.isf(0.025)
    centre, spread = (
        (2 + z**2 / 2) / (10 + z**2),
        z * math.sqrt(1.6 + z**2 / 4) / (10 + z**2),
    )
    assert wilson(2, 10)[:2] == pytest.approx((centre - spread, centre + spread), rel=1e-9)


def test_one_sided_bounds_invert_the_exact_test():
    assert upper_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59), rel=1e-12)
    assert upper_bound(7, 7) == 1 and lower_bound(0, 7) == 0
    low = lower_bound(9, 26, 0.999)
    assert binomial_p_value(9, 26, low) == pytest.approx(1e-3, rel=1e-6)
    high = upper_bound(9, 26, 0.99)
    assert stats.binom.cdf(9, 26, high) == pytest.approx(0.01, rel=1e-6)
    assert upper_bound(np.array([0, 3]), np.array([10, 3])).shape == (2,)


def test_exact_bounds_cover_at_every_rate():
    hits = np.arange(26)
    bounds = upper_bound(hits, 25, 0.95)
    for rate in np.linspace(0.01, 0.99, 50):
        assert stats.binom.pmf(hits, 25, rate)[bounds >= rate].sum() >= 0.95 - 1e-12


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((5, 4, 0.1), "`hits` must be between"),
        ((-1, 4, 0.1), "`hits` must be between"),
        ((1.5, 4, 0.1), "`hits` must be an integer"),
        ((True, 4, 0.1), "`hits` must be an integer"),
        ((0, 0, 0.1), "`queries` must be at least 1"),
        ((1, 4, 0.0), "`null_rate` must be a number strictly between"),
        ((1, 4, 1), "`null_rate` must be a number strictly between"),
        ((1, 4, float("nan")), "`null_rate` must be a number strictly between"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        binomial_p_value(*arguments)


def test_impossible_intervals_are_refused():
    with pytest.raises(ValueError, match="`confidence`"):
        clopper_pearson(1, 4, 95)
    with pytest.raises(ValueError, match="`hits`"):
        wilson(5, 4)
