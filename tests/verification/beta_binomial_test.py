import fractions
import math

import numpy as np
import pytest
from scipy import stats

from ewe_tf.verification import BetaBinomial
from ewe_tf.verification import beta_binomial_p_value
from ewe_tf.verification import binomial_p_value
from ewe_tf.verification import fit_beta_binomial


def test_the_tail_is_exact():
    # a = 1, b = 1: every number of hits is equally likely.
    uniform = BetaBinomial(0.5, 1 / 3, 10, "by hand")
    assert beta_binomial_p_value(8, 9, uniform) == pytest.approx(2 / 10)
    # a = 1, b = 9: Polya's urn by rational arithmetic.
    urn = BetaBinomial(0.1, 1 / 11, 10, "by hand")
    tail = sum(
        fractions.Fraction(math.comb(20, k) * math.factorial(k) * math.factorial(28 - k) * 9)
        / math.factorial(29)
        for k in range(15, 21)
    )
    assert beta_binomial_p_value(15, 20, urn) == pytest.approx(float(tail), rel=1e-9)
    assert beta_binomial_p_value(0, 20, urn) == 1
    by_hits = beta_binomial_p_value(np.arange(21), 20, urn)
    assert np.all(np.diff(by_hits) < 0)


def test_without_overdispersion_it_is_the_binomial_test_and_with_it_more_careful():
    almost_none = BetaBinomial(0.1, 1e-7, 10, "by hand")
    assert beta_binomial_p_value(9, 26, almost_none) == pytest.approx(
        binomial_p_value(9, 26, 0.1), rel=1e-3
    )
    some = BetaBinomial(0.1, 0.05, 10, "by hand")
    assert beta_binomial_p_value(9, 26, some) > 5 * binomial_p_value(9, 26, 0.1)


def test_many_models_are_fitted_to_the_truth():
    rng = np.random.default_rng(0)
    queries = rng.choice([20, 40, 100], 3000)
    hits = rng.binomial(queries, rng.beta(0.1 * 9, 0.9 * 9, 3000))
    fit = fit_beta_binomial(np.stack([hits, queries], axis=1))
    assert fit.method == "maximum likelihood" and fit.models == 3000
    assert fit.mean == pytest.approx(0.1, abs=0.006)
    assert fit.overdispersion == pytest.approx(0.1, abs=0.012)


def test_no_other_parameters_are_more_likely():
    counts = np.array([(0, 30), (1, 30), (0, 30), (7, 30), (2, 30), (0, 30), (3, 30)])
    fit = fit_beta_binomial(counts)

    def likelihood(mean, rho):
        return stats.betabinom.logpmf(
            counts[:, 0], 30, mean * (1 / rho - 1), (1 - mean) * (1 / rho - 1)
        ).sum()

    best = likelihood(fit.mean, fit.overdispersion)
    for mean in np.geomspace(0.005, 0.5, 40):
        for rho in np.geomspace(0.002, 0.9, 40):
            assert likelihood(mean, rho) <= best + 1e-6


@pytest.mark.parametrize("hits", [0, 3, 30])
def test_innocents_without_spread_get_upper_bounds(hits):
    few = fit_beta_binomial([(hits, 30)] * 5)
    many = fit_beta_binomial([(hits, 30)] * 50)
    assert few.method == many.method == "upper bounds"
    assert 1e-4 <= many.overdispersion < few.overdispersion < 1
    assert hits / 30 - 1e-8 < few.mean < 1
    assert many.mean <= few.mean


def test_upper_bounds_by_hand():
    fit = fit_beta_binomial([(0, 30)] * 20)
    assert fit.mean == pytest.approx(1 - 0.05 ** (1 / 600))
    # chi-square's 5 % point at 19 degrees of freedom is 10.117.
    assert fit.overdispersion == pytest.approx((19 / 10.117 - 1) / 29, rel=1e-4)


def test_the_level_holds_for_the_true_null_and_for_one_fitted_on_many_models(
    uniform_or_larger,
):
    rng = np.random.default_rng(1)
    truth = BetaBinomial(0.1, 0.1, 0, "true")
    table = beta_binomial_p_value(np.arange(31), 30, truth)
    uniform_or_larger(table[rng.binomial(30, rng.beta(0.9, 8.1, 4000))])
    innocents = rng.binomial(30, rng.beta(0.9, 8.1, 500))
    fit = fit_beta_binomial(np.stack([innocents, np.full(500, 30)], axis=1))
    fitted = beta_binomial_p_value(np.arange(31), 30, fit)
    assert np.mean(fitted[rng.binomial(30, rng.beta(0.9, 8.1, 4000))] <= 0.05) <= 0.06


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="at least 3"):
        fit_beta_binomial([(0, 30)] * 2)
    with pytest.raises(ValueError, match="at least 2 queries"):
        fit_beta_binomial([(0, 1)] * 4)
    with pytest.raises(ValueError, match="`hits`"):
        beta_binomial_p_value(3, 2, BetaBinomial(0.1, 0.1, 3, ""))
    with pytest.raises(ValueError, match="`null.mean`"):
        beta_binomial_p_value(1, 2, BetaBinomial(0.0, 0.1, 3, ""))
