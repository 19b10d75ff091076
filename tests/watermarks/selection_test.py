import numpy as np

from ewe_tf.watermarks.selection import answered
from ewe_tf.watermarks.selection import best_keys
from ewe_tf.watermarks.selection import key_scores
from ewe_tf.watermarks.selection import lasting
from ewe_tf.watermarks.selection import unsure

# Log-probabilities up to a constant; the target is class 1. Margins of the target:
FIRST = np.array([[0.0, 4.0, -1.0], [0.0, 1.0, -9.0], [2.0, 0.0, 0.0]])  # 4, 1, -2
SECOND = np.array([[0.0, 3.0, 0.0], [0.0, 6.0, 0.0], [0.0, 5.0, 0.0]])  # 3, 6, 5
CLEAN = np.array([[5.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 3.0, 0.0]])  # -5, -1, 3


def test_the_worst_surrogate_counts():
    np.testing.assert_allclose(key_scores([FIRST, SECOND], [], 1, 2.0), [3, 1, -2])


def test_an_innocent_model_that_comes_near_costs():
    # innocence * max(0, 2 + margin): 0, 1 and 5 times the weight.
    found = key_scores([FIRST, SECOND], [CLEAN], 1, 2.0)
    np.testing.assert_allclose(found, [3 - 0, 1 - 2, -2 - 10])
    np.testing.assert_allclose(key_scores([FIRST, SECOND], [CLEAN], 1, 0.0), [3, 1, -2])


def test_the_worst_innocent_model_counts():
    shy = np.array([[9.0, 0.0, 0.0]] * 3)
    found = key_scores([FIRST], [shy, CLEAN, shy], 1, 1.0)
    np.testing.assert_allclose(found, key_scores([FIRST], [CLEAN], 1, 1.0))


def test_triggers_that_any_of_several_models_answers():
    assert answered([FIRST], 1).tolist() == [True, True, False]
    assert answered([CLEAN, FIRST], 1).tolist() == [True, True, True]
    assert not answered([], 1)


def test_what_is_left_of_triggers_is_the_mean_margin_over_fine_tuned_copies():
    np.testing.assert_allclose(lasting([FIRST, SECOND], 1), [3.5, 3.5, 1.5])


def test_the_third_that_surrogates_are_least_sure_of():
    scores = np.array([0.5, 3.0, -1.0, 2.0, 3.0, 0.5, 9.0])
    assert unsure(scores).tolist() == [True, False, True, False, False, False, False]
    assert not unsure(scores[:2]).any()


def test_the_best_keys_in_their_order():
    scores = np.array([0.5, 3.0, -1.0, 2.0, 3.0])
    assert best_keys(scores, 3).tolist() == [1, 3, 4]
    assert best_keys(scores, 9).tolist() == [0, 1, 2, 3, 4]
    last = np.array([False, True, False, False, True])
    assert best_keys(scores, 3, last).tolist() == [0, 2, 3]
    # Those of the second rank before those of the third, whatever their scores.
    assert best_keys(scores, 4, np.array([0, 1, 1, 0, 2])).tolist() == [0, 1, 2, 3]
    # Where there are not enough others, the best of those.
    assert best_keys(np.array([1.0, 5.0, 3.0, 2.0]), 2, np.arange(4) < 3).tolist() == [1, 3]
