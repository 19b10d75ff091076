import numpy as np
import pytest

from ewe_tf.verification import decoy_p_value
from ewe_tf.verification import required_decoys


def test_hand_values():
    assert decoy_p_value(5, [1, 2, 5, 7]) == 3 / 5
    assert decoy_p_value(5, np.zeros(999)) == 1 / 1000
    assert decoy_p_value(0, np.zeros(999)) == 1


def test_enough_decoys_and_not_one_more():
    assert [required_decoys(a) for a in (0.5, 0.05, 0.01, 1e-3, 1e-6)] == [
        1,
        19,
        99,
        999,
        999_999,
    ]
    for alpha in (0.3, 0.007, 0.0011):
        decoys = required_decoys(alpha)
        assert decoy_p_value(1, np.zeros(decoys)) <= alpha < 1 / decoys


def test_the_level_holds_with_many_ties(uniform_or_larger):
    rng = np.random.default_rng(0)
    hits = rng.binomial(10, rng.beta(1, 4, (3000, 1)), (3000, 100))
    uniform_or_larger([decoy_p_value(row[0], row[1:]) for row in hits])


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="`decoy_statistics` must hold at least 1"):
        decoy_p_value(1, [])
    with pytest.raises(ValueError, match="`statistic` must be a finite number"):
        decoy_p_value(float("nan"), [1])
    with pytest.raises(ValueError, match="`alpha`"):
        required_decoys(0)
