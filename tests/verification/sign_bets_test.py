"""Bets on signs: fair over all keys, and seldom lucky."""

import itertools

import numpy as np
import pytest
from scipy import stats

from ewe_tf.verification.sign_bets import SignBets
from ewe_tf.verification.sign_bets import log_cosh


def path(blocks):
    bets = SignBets()
    return [bets.add(block) for block in blocks]


def test_bets_are_fair():
    """Over all keys the mean wealth is exactly 1 at every look."""
    sizes = [np.array([1.0, 2.0, 0.3]), np.array([0.7, 0.1, 5.0])]
    paths = [
        path([key[:3] * sizes[0], key[3:] * sizes[1]])
        for key in np.array(list(itertools.product([-1, 1], repeat=6)))
    ]
    np.testing.assert_allclose(np.mean(np.exp(paths), axis=0), 1)


def test_wealth_crosses_the_level_no_more_often_than_it_may():
    rng = np.random.default_rng(5)
    crossed = []
    for _ in range(1000):
        values = rng.exponential(size=(10, 9)) * rng.choice([-1, 1], (10, 9))
        crossed.append(max(path(values)) >= np.log(20))
    assert stats.binomtest(sum(crossed), 1000, 0.05, "greater").pvalue > 1e-3


def test_one_sign_by_hand():
    # A block of one has size 1 after scaling, so each stake s gives exp(s) / cosh(s).
    stakes = np.array([0.25, 0.5, 1.0, 2.0])
    expected = np.mean(np.exp(stakes) / np.cosh(stakes))
    assert SignBets().add([3.0]) == pytest.approx(np.log(expected))


def test_blocks_without_anything_change_nothing():
    bets = SignBets()
    assert bets.add([]) == bets.add([0.0, 0.0]) == bets.log_e_value == 0
    with pytest.raises(ValueError, match="`values`"):
        bets.add([np.nan])


def test_log_cosh():
    np.testing.assert_allclose(log_cosh(np.array([-0.1, 2.0])), np.log(np.cosh([0.1, 2.0])))
    assert log_cosh(1e4) == pytest.approx(1e4 - np.log(2))
