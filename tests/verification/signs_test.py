import itertools
import math

import numpy as np
import pytest

from ewe_tf.verification import chernoff_bound
from ewe_tf.verification import rademacher_bound
from ewe_tf.verification import sign_flip_p_value


def test_few_values_are_enumerated():
    values = [0.3, 1.2, -0.1, 0.7, 2.0]
    total = sum(values)
    sums = [np.dot(signs, values) for signs in itertools.product((-1, 1), repeat=5)]
    assert sign_flip_p_value(values) == np.mean(np.array(sums) >= total - 1e-9)
    assert sign_flip_p_value([1.0] * 10) == 2.0**-10
    assert sign_flip_p_value([0.1] * 3 + [-0.1]) == (1 + 4) / 16


def test_many_values_agree_with_the_normal_limit():
    values = np.full(400, 1.0)
    values[:170] = -1  # 3 standard deviations
    p_value = sign_flip_p_value(values, resamples=20_000, seed=1)
    assert p_value == pytest.approx(0.0015, abs=0.0008)
    assert sign_flip_p_value(np.ones(400), resamples=999) == 1 / 1000


def test_the_bound_is_above_the_exact_value():
    rng = np.random.default_rng(2)
    for _ in range(50):
        values = rng.normal(0.6, 1, 12)
        assert rademacher_bound(values) >= sign_flip_p_value(values, resamples=5000)
    assert rademacher_bound([1.0] * 100) == pytest.approx(math.exp(-50))
    assert rademacher_bound([1e-200] * 100) == pytest.approx(math.exp(-50))
    assert rademacher_bound([-1, -2]) == rademacher_bound([0, 0]) == 1


def test_both_keep_the_level_for_measurements_of_any_size(uniform_or_larger):
    rng = np.random.default_rng(3)
    signed = rng.standard_t(2, (2500, 30)) * rng.choice([-1, 1], (2500, 30))
    uniform_or_larger(
        [sign_flip_p_value(row, resamples=199, seed=i) for i, row in enumerate(signed)]
    )
    uniform_or_larger([rademacher_bound(row) for row in signed])


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="`values`"):
        sign_flip_p_value([np.nan])
    with pytest.raises(ValueError, match="`resamples`"):
        sign_flip_p_value([1.0], resamples=0)
    with pytest.raises(ValueError, match="`values` must hold"):
        rademacher_bound([])


def test_bounds_lie_above_the_p_value_and_in_order():
    magnitudes = np.random.default_rng(3).exponential(size=15)
    keys = 2.0 * ((np.arange(2**15)[:, None] >> np.arange(15)) & 1) - 1
    for key in (keys[100], np.ones(15), np.where(np.arange(15) < 4, -1, 1)):
        values = key * magnitudes
        p = np.mean(keys @ magnitudes >= values.sum() - 1e-9)
        chernoff = chernoff_bound(values)
        assert p * (1 - 1e-9) <= chernoff <= rademacher_bound(values)


def test_chernoff_of_unanimous_equal_signs_is_the_exact_p_value():
    # All n coins agree: the best exponential bound of 2^-n is 2^-n itself.
    assert chernoff_bound(np.ones(20)) == pytest.approx(2.0**-20, rel=1e-3)


def test_chernoff_of_no_agreement_is_no_evidence():
    assert chernoff_bound([-1.0, 0.5]) == chernoff_bound([0.0, 0.0]) == 1
