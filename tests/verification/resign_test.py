"""Re-keying: exact where it can be enumerated, bounds that bound, bets that are fair."""

import itertools

import numpy as np
import pytest
from scipy import stats

from ewe_tf.verification import resign


def all_sums(magnitudes):
    signs = np.array(list(itertools.product([-1, 1], repeat=len(magnitudes))))
    return signs @ np.asarray(magnitudes)


def test_signs_equal_the_enumeration_of_all_keys():
    magnitudes = np.array([3.0, 1.0, 2.0, 0.5, 1.5])
    added = magnitudes * [1, 1, 1, -1, 1]
    expected = np.mean(all_sums(magnitudes) >= added.sum() - 1e-9)
    assert resign.resign_p_value(added, magnitudes, "sign") == expected


def test_one_phase_has_the_arc_cosine_law():
    p = resign.resign_p_value([1.2], [2.0], "phase", resamples=200_000)
    assert p == pytest.approx(np.arccos(0.6) / np.pi, abs=0.005)


@pytest.mark.parametrize("law", resign.LAWS)
def test_bounds_lie_above_the_p_value_and_in_order(law):
    rng = np.random.default_rng(3)
    magnitudes = rng.exponential(size=15)
    for share in (0.2, 0.4, 0.6):
        added = share * magnitudes
        p = resign.resign_p_value(added, magnitudes, law, resamples=40_000)
        chernoff = resign.chernoff_bound(added.sum(), magnitudes, law)
        hoeffding = resign.hoeffding_bound(added.sum(), magnitudes)
        assert p <= 1.05 * chernoff <= 1.05 * hoeffding


def test_hoeffding_by_hand():
    # T = 3, sum of squares = 5: exp(-9 / 10).
    assert resign.hoeffding_bound(3.0, [1.0, 2.0]) == pytest.approx(np.exp(-0.9))


def test_chernoff_of_unanimous_equal_signs_is_the_exact_p_value():
    # All n coins agree: the best exponential bound of 2^-n is 2^-n itself.
    bound = resign.chernoff_bound(20.0, np.ones(20), "sign")
    assert bound == pytest.approx(2.0**-20, rel=1e-3)


def test_no_agreement_is_no_evidence():
    assert resign.chernoff_bound(-1.0, [1.0, 2.0], "phase") == 1
    assert resign.hoeffding_bound(0.0, [1.0, 2.0]) == 1
    assert resign.resign_p_value([0.0, 0.0], [0.0, 0.0], "sign") == 1


def test_log_moments_by_integration():
    u = 2 * np.pi * (np.arange(4000) + 0.5) / 4000
    for x in (0.1, 1.0, 30.0):
        integral = np.log(np.mean(np.exp(x * np.cos(u))))
        assert resign.log_moment(x, "phase") == pytest.approx(integral, rel=1e-6)
        assert resign.log_moment(x, "sign") == pytest.approx(np.log(np.cosh(x)), rel=1e-9)


def test_bets_are_fair():
    """Over all keys the mean wealth is exactly 1 at every look."""
    sizes = [np.array([1.0, 2.0, 0.3]), np.array([0.7, 0.1, 5.0])]
    paths = [
        resign.sequential_e_values([key[:3] * sizes[0], key[3:] * sizes[1]], sizes, "sign")
        for key in np.array(list(itertools.product([-1, 1], repeat=6)))
    ]
    np.testing.assert_allclose(np.mean(paths, axis=0), 1)


def test_wealth_crosses_the_level_no_more_often_than_it_may():
    rng = np.random.default_rng(5)
    crossed = []
    for _ in range(1000):
        sizes = rng.exponential(size=(10, 9))
        added = sizes * np.cos(2 * np.pi * rng.random((10, 9)))
        crossed.append(resign.sequential_e_values(added, sizes, "phase").max() >= 20)
    assert stats.binomtest(sum(crossed), 1000, 0.05, "greater").pvalue > 1e-3


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (([1.0], [1.0], "coin"), "law"),
        (([1.0], [-1.0], "sign"), "magnitudes"),
        (([np.nan], [1.0], "sign"), "contributions"),
        (([1.0], [1.0], "sign", 0), "resamples"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        resign.resign_p_value(*arguments)
