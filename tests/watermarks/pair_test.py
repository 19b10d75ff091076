import keras
import numpy as np
import pytest

from ewe_tf.watermarks import innocents
from ewe_tf.watermarks import source as sources
from ewe_tf.watermarks import task_data
from ewe_tf.watermarks.attribute_source import AttributeSource
from ewe_tf.watermarks.in_house import margins
from ewe_tf.watermarks.pair import choose_by
from ewe_tf.watermarks.pair import ranked_pairs
from ewe_tf.watermarks.pair import target_choices

LIMITS = ((0.005, 0.02), (0.02, 0.05), (0.05, 0.05))


def choose_pair(answers, choices, target, limits=LIMITS, fine_tuned=()):
    if target != "auto":
        choices = {label: [target] for label in choices}
    return ranked_pairs(answers, fine_tuned, choices, limits)[0]


def answers(rates, second=None, rows=100):
    """Log-probabilities of `rows` inputs with the given share of top answers for each class.

    `second` is the class that comes second wherever it is not first.
    """
    z = np.full((rows, len(rates)), -5.0)
    counts = np.round(np.array(rates) * rows).astype(int)
    assert counts.sum() == rows
    z[np.arange(rows), np.repeat(np.arange(len(rates)), counts)] = -0.1
    if second is not None:
        z[:, second] = np.maximum(z[:, second], -1.0)
    return z


def test_margins_by_hand():
    z = np.array([[-1.0, -3.0, -2.0], [-4.0, -0.5, -4.0]])
    np.testing.assert_allclose(margins(z), [[1.0, -2.0, -1.0], [-3.5, 3.5, -3.5]])


def test_the_nearest_target_that_nobody_answers():
    model = {0: answers([1.0, 0, 0, 0], second=2)}
    assert (choose_pair([model], {0: [1, 2, 3]}, "auto").target) == 2


def test_a_target_that_one_model_answers_too_often_is_passed_over():
    fine = {0: answers([1.0, 0, 0, 0], second=2)}
    bad = {0: answers([0.9, 0.02, 0.08, 0], second=2)}
    pair = choose_pair([fine, bad], {0: [1, 2]}, "auto")
    assert (pair.source, pair.target, pair.null_rate) == (0, 1, pytest.approx(0.02))


@pytest.mark.parametrize(("rate", "accepted"), [(0.03, True), (0.05, True), (0.06, False)])
def test_the_limits(rate, accepted):
    model = {4: answers([1 - rate, rate, 0])}
    if accepted:
        assert choose_pair([model], {4: [1]}, 1).null_rate == pytest.approx(rate)
    else:
        with pytest.raises(ValueError, match=r"source 4 and target 1, on 6% .*accepted: 5%"):
            choose_pair([model], {4: [1]}, 1)


def test_a_pair_that_nobody_answers_goes_before_a_rarely_answered_one():
    model = {0: answers([0.98, 0.02, 0, 0], second=1)}
    assert choose_pair([model], {0: [1, 2, 3]}, "auto").null_rate == 0


def test_within_stricter_limits_one_trigger_is_too_much_as_long_as_there_are_other_pairs():
    one_of_290 = [{0: answers([289 / 290, 0, 1 / 290, 0], second=2, rows=290)}]
    assert choose_pair(one_of_290, {0: [1, 2, 3]}, "auto").target == 2
    strict = AttributeSource.limits
    assert choose_pair(one_of_290, {0: [1, 2, 3]}, "auto", strict).target != 2
    assert choose_pair(one_of_290, {0: [2]}, "auto", strict).null_rate == pytest.approx(1 / 290)


def test_fine_tuned_models_may_rule_a_pair_out_and_never_speak_for_one():
    model = {0: answers([1.0, 0, 0, 0], second=2)}
    tuned = {0: np.log([[0.9, 0.01, 0.04, 0.05]] * 100)}
    assert choose_pair([model], {0: [1, 2, 3]}, "auto").target == 2
    # Class 2 is nearest to the model as it is, and 3 to the other: both have more than .02 there.
    pair = choose_pair([model], {0: [1, 2, 3]}, "auto", fine_tuned=[tuned])
    assert (pair.target, pair.null_rate) == (1, pytest.approx(0.01))
    only = choose_pair([model], {0: [2]}, "auto", fine_tuned=[tuned])
    assert only.null_rate == pytest.approx(0.04)
    far = {0: np.log([[0.93, 0.01, 0.06, 0.0001]] * 100)}
    with pytest.raises(ValueError, match="source 0 and target 2, on 6% .*accepted: 5%"):
        choose_pair([model], {0: [2]}, "auto", fine_tuned=[tuned, far])


def test_a_welcome_pair_goes_before_a_nearer_usable_one():
    model = {0: answers([0.95, 0, 0.05, 0], second=2)}
    assert choose_pair([model], {0: [1, 2, 3]}, "auto").target != 2
    # With no other choice, up to 5 % will do.
    assert choose_pair([model], {0: [2]}, "auto").target == 2


def test_a_fixed_target_leaves_the_source_to_choose():
    model = {0: answers([1.0, 0, 0], second=1), 5: answers([1.0, 0, 0], second=2)}
    assert choose_pair([model], {0: [1, 2], 5: [1, 2]}, 2).source == 5


def test_only_allowed_targets_are_chosen():
    model = {0: answers([1.0, 0, 0, 0], second=2)}
    assert choose_pair([model], {0: [1, 3]}, "auto").target in (1, 3)


def test_the_scale_of_a_models_logits_does_not_matter():
    near_1 = answers([1.0, 0, 0], second=1)
    near_2 = 100.0 * answers([1.0, 0, 0], second=2)
    slightly_1 = answers([1.0, 0, 0], second=1)
    pair = choose_pair([{0: near_1}, {0: near_2}, {0: slightly_1}], {0: [1, 2]}, "auto")
    assert pair.target == 1


def source_of(rows):
    """The task's own classes as the source, with some rows of each, and the data."""
    x = np.random.default_rng(1).random((sum(rows), 5)).astype(np.float32)
    data = task_data.from_arrays(x, np.repeat(np.arange(len(rows)), rows), len(rows), 10, 0)
    return sources.resolve(None, data, (5,)), data


def test_a_target_that_no_source_goes_with_is_named():
    source, data = source_of([30, 5, 5])
    with pytest.raises(ValueError, match=r"`target` must differ .*target=0, and sources of class"):
        target_choices(source, 0, data)
    assert target_choices(source, 2, data) == {0: [2]}


def test_without_innocent_models_the_only_source_that_goes_with_the_target_is_taken():
    source, data = source_of([30, 30])
    choices = target_choices(source, 0, data)
    assert [(p.source, p.target) for p in choose_by([], [], source, choices, 1)] == [(1, 0)]


@pytest.mark.parametrize(("learned", "answered"), [(0, 50), (10, 60), (30, 100), (45, 50)])
def test_a_model_is_asked_about_inputs_that_it_was_not_trained_on(learned, answered):
    # Class 2 for the 30 rows of class 0 whose first value is 0, their own for the 30 where it is 1.
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.set_weights([np.eye(5, 3, dtype=np.float32) * [9, 0, 0], np.float32([0, -5, 1])])
    x = np.random.default_rng(0).random((80, 5)).astype(np.float32)
    x[:30, 0], x[30:60, 0] = 1, 0
    data = task_data.from_arrays(x, np.repeat([0, 1], [60, 20]), 3, 10, 0)
    source = sources.resolve(0, data, (5,))
    known = innocents.given([(model, x[:learned])])
    # Of 45 learned ones 15 are left, which are too few: all 60 are asked.
    with pytest.raises(ValueError, match=f"source 0 and target 2, on {answered}% of the inputs"):
        choose_by(known, [], source, {0: [2]}, 1)
