import numpy as np
import pytest
from scipy import stats

from ewe_tf.verification import conformal_p_value
from ewe_tf.verification import false_positive_bound
from ewe_tf.verification import family_maxima
from ewe_tf.verification import null_rate_bound


def test_conformal_values_by_hand():
    assert conformal_p_value(0.9, [0.1, 0.2, 0.9, 0.95]) == 3 / 5
    assert conformal_p_value(0.9, np.zeros(19)) == 0.05


def test_conformal_p_values_are_uniform_for_exchangeable_models(uniform_or_larger):
    rng = np.random.default_rng(0)
    rates = rng.beta(0.3, 3, (3000, 40))
    hits = rng.binomial(30, rates)
    uniform_or_larger([conformal_p_value(row[0], row[1:]) for row in hits])


def test_the_bound_that_innocent_models_support():
    bounds = [false_positive_bound(models) for models in (20, 100, 200, 1000)]
    assert bounds == pytest.approx([0.139, 0.0295, 0.0149, 0.0030], abs=5e-4)
    assert false_positive_bound(60) == pytest.approx(1 - 0.05 ** (1 / 60))
    # One of 60: the rate at which at most one of 60 has probability 0.05.
    assert stats.binom.cdf(1, 60, false_positive_bound(60, 1)) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="`models`"):
        false_positive_bound(0)


def test_the_null_rate_is_the_largest_upper_bound():
    assert null_rate_bound([(0, 30)] * 20) == pytest.approx(1 - 0.05 ** (1 / 30))
    assert null_rate_bound([(0, 30), (3, 30)]) == pytest.approx(stats.beta.ppf(0.95, 4, 27))
    assert null_rate_bound([(0, 300)], floor=0.1) == 0.1
    assert null_rate_bound([(5, 5)]) == 1
    assert null_rate_bound([(2, 30)], 0.99) > null_rate_bound([(2, 30)], 0.95)


@pytest.mark.parametrize("queries", [10, 60])
def test_the_next_model_hardly_exceeds_the_null_rate(queries):
    rng = np.random.default_rng(1)
    trials, models, exceeded = 4000, 12, 0
    rates = rng.beta(0.5, 5, (trials, models + 1))
    hits = rng.binomial(queries, rates[:, 1:])
    bounds = stats.beta.ppf(0.95, hits + 1, queries - hits).max(axis=1)
    for row in range(20):  # the same numbers from the function
        counts = [(int(k), queries) for k in hits[row]]
        assert null_rate_bound(counts) == pytest.approx(bounds[row])
    exceeded = np.mean(rates[:, 0] > bounds)
    assert exceeded <= 1 / (models + 1) + 0.05


def test_families_count_once():
    maxima = family_maxima([0.1, 0.4, 0.2, 0.3], ["a", "b", "a", "b"])
    assert maxima.tolist() == [0.2, 0.4]
    with pytest.raises(ValueError, match="same length"):
        family_maxima([0.1], ["a", "b"])


def test_relatives_of_innocents_do_not_make_false_evidence(uniform_or_larger):
    rng = np.random.default_rng(2)
    p_values, naive = [], []
    for _ in range(2500):
        base = rng.normal(size=11)
        copies = base[:10, None] + 0.1 * rng.normal(size=(10, 5))
        suspect = base[10] + 0.1 * rng.normal()
        families = np.repeat(np.arange(10), 5)
        p_values.append(conformal_p_value(suspect, family_maxima(copies.ravel(), families)))
        naive.append(conformal_p_value(suspect, copies.ravel()))
    uniform_or_larger(p_values)
    # What counting every copy would do: far more than 2 % of p-values at 0.02.
    assert np.mean(np.array(naive) <= 0.02) > 0.05


@pytest.mark.parametrize("bad", [[], [3], [(3, 2)], [(-1, 2)], [(1, 0)], [(0.5, 3)], [(1, 2, 3)]])
def test_impossible_innocents_are_refused(bad):
    with pytest.raises(ValueError, match="`innocents`|`hits`|`queries`"):
        null_rate_bound(bad)
