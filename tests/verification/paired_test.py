import math

import numpy as np
import pytest

from ewe_tf.verification import mcnemar_p_value
from ewe_tf.verification import paired_counts


def pairs(trigger_only, control_only, both=0, neither=0):
    trigger = [1] * trigger_only + [0] * control_only + [1] * both + [0] * neither
    control = [0] * trigger_only + [1] * control_only + [1] * both + [0] * neither
    return np.array(trigger, bool), np.array(control, bool)


def test_counts_and_hand_values():
    trigger, control = pairs(8, 2, both=5, neither=3)
    assert paired_counts(trigger, control) == (8, 2, 5, 3)
    # (C(10,8) + C(10,9) + C(10,10)) / 2^10
    assert mcnemar_p_value(trigger, control) == pytest.approx(56 / 1024)
    assert mcnemar_p_value(*pairs(10, 0)) == pytest.approx(2.0**-10)
    assert mcnemar_p_value(*pairs(0, 0, both=4)) == 1
    assert mcnemar_p_value(*pairs(0, 7)) == 1


def test_agreement_changes_nothing_and_order_neither():
    base = mcnemar_p_value(*pairs(9, 3))
    trigger, control = pairs(9, 3, both=20, neither=7)
    shuffled = np.random.default_rng(0).permutation(len(trigger))
    assert mcnemar_p_value(trigger[shuffled], control[shuffled]) == pytest.approx(base)
    values = [mcnemar_p_value(*pairs(k, 12 - k)) for k in range(13)]
    assert np.all(np.diff(values) < 0)


def test_the_level_holds_where_triggers_are_answered_as_controls_are(uniform_or_larger):
    rng = np.random.default_rng(1)
    p_values = []
    for _ in range(2500):
        # Pairs of very different difficulty, as images are.
        difficulty = rng.beta(0.5, 1, 40)
        p_values.append(mcnemar_p_value(rng.random(40) < difficulty, rng.random(40) < difficulty))
    uniform_or_larger(p_values)


def test_the_far_tail_is_exact():
    assert mcnemar_p_value(*pairs(900, 0)) == pytest.approx(math.exp(-900 * math.log(2)))


def test_what_is_not_paired_is_refused():
    with pytest.raises(ValueError, match="same length"):
        mcnemar_p_value([1, 0], [1])
    with pytest.raises(ValueError, match="same length, at least 1"):
        mcnemar_p_value([], [])
    with pytest.raises(ValueError, match="`trigger` must be"):
        mcnemar_p_value([0.3], [1])
    with pytest.raises(ValueError, match="`control` must be"):
        mcnemar_p_value([1], ["yes"])
