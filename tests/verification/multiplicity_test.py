import numpy as np
import pytest

from ewe_tf.verification import benjamini_hochberg
from ewe_tf.verification import holm
from ewe_tf.verification import intersection_union

_P = [0.01, 0.04, 0.03, 0.005]


def test_hand_values():
    # Sorted .005 .01 .03 .04: times 4, 3, 2, 1, never decreasing.
    assert holm(_P) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # Times 4/rank, the smallest of those to the right.
    assert benjamini_hochberg(_P) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert holm([0.7, 0.9]).tolist() == [1, 1]
    assert intersection_union(_P) == 0.04


def test_the_order_of_claims_does_not_matter_and_adjusting_never_helps():
    p_values = np.random.default_rng(0).random(30) ** 3
    order = np.random.default_rng(1).permutation(30)
    for adjust in (holm, benjamini_hochberg):
        np.testing.assert_allclose(adjust(p_values)[order], adjust(p_values[order]))
        assert np.all(adjust(p_values) >= p_values)
    assert np.all(holm(p_values) >= benjamini_hochberg(p_values) - 1e-15)


def test_holm_keeps_the_familywise_level_with_dependent_p_values():
    rng = np.random.default_rng(2)
    shared = rng.random((4000, 1))
    p_values = np.where(rng.random((4000, 5)) < 0.5, shared, rng.random((4000, 5)))
    false = np.mean([holm(row).min() <= 0.05 for row in p_values])
    assert false <= 0.05 + 3 * np.sqrt(0.0475 / 4000)


def test_benjamini_hochberg_bounds_the_share_of_false_findings():
    rng = np.random.default_rng(3)
    shares = []
    for _ in range(1500):
        p_values = np.concatenate([rng.random(15), rng.random(5) * 1e-3])
        found = benjamini_hochberg(p_values) <= 0.1
        shares.append(found[:15].sum() / max(1, found.sum()))
    assert np.mean(shares) <= 0.1 * 15 / 20 + 0.01


def test_what_is_no_p_value_is_refused():
    for function in (holm, benjamini_hochberg, intersection_union):
        for bad in ([], [1.2], [-0.1], [np.nan], [[0.1]]):
            with pytest.raises(ValueError, match="`p_values`"):
                function(bad)
