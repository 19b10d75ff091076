import math

import numpy as np
import pytest
from scipy import integrate

from ewe_tf.verification import average_e_values
from ewe_tf.verification import e_to_p_value
from ewe_tf.verification import p_to_e_value
from ewe_tf.verification import product_of_e_values


def test_combinations_by_hand():
    assert average_e_values([1, 4, 7]) == 4
    assert product_of_e_values([2, 0.5, 8]) == pytest.approx(8)
    assert product_of_e_values([0, 1e9]) == 0
    assert math.isfinite(product_of_e_values([1e300, 1e300]))
    assert e_to_p_value(20) == 0.05 and e_to_p_value(0.3) == 1


def test_the_calibrator_is_an_e_value_for_uniform_p_values():
    mean, _ = integrate.quad(lambda x: p_to_e_value(math.exp(-x)) * math.exp(-x), 0, 700)
    # The tail from 0 to exp(-700) holds 1 / 700 of the mean.
    assert mean == pytest.approx(1 - 1 / 700, abs=1e-3)
    grid = np.geomspace(1e-12, 1, 200)
    values = [p_to_e_value(p) for p in grid]
    assert np.all(np.diff(values) < 0) and values[-1] == pytest.approx(0.5)
    assert p_to_e_value(1e-3) == pytest.approx((1 - 1e-3 - 6.907755e-3) / (1e-3 * 47.717083))


def test_combined_nulls_keep_their_level():
    rng = np.random.default_rng(0)
    values = np.array([p_to_e_value(p) for p in rng.random(8000)]).reshape(4000, 2)
    for combine in (average_e_values, product_of_e_values):
        p_values = np.array([e_to_p_value(combine(row)) for row in values])
        assert np.mean(p_values <= 0.05) <= 0.05


def test_what_is_no_e_value_is_refused():
    for bad in ([-1], [], [np.inf], [[1, 2]], ["a"]):
        with pytest.raises(ValueError, match="`e_values`"):
            average_e_values(bad)
    with pytest.raises(ValueError, match="`p_value`"):
        p_to_e_value(0)
