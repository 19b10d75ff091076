import numpy as np
import pytest

from ewe_tf.verification import conformal_p_value
from ewe_tf.verification import predictive_p_value
from ewe_tf.verification import target_log_odds
from ewe_tf.verification import target_rank
from ewe_tf.verification import wilcoxon_p_value


def test_log_odds_and_ranks_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.2, 0.5, 0.3]])
    odds = target_log_odds(probabilities, [0, 2, 2], clip=1e-4)
    assert odds == pytest.approx(np.log([0.7 / 0.3, 1e-4 / (1 - 1e-4), 0.3 / 0.7]))
    # In the second row the target shares the last place with another class.
    assert target_rank(probabilities, [0, 2, 2]).tolist() == [1, 0.25, 0.5]


def test_ranks_do_not_feel_temperature():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(50, 10)), rng.integers(0, 10, 50)
    warm, cold = (np.exp(logits / t) / np.exp(logits / t).sum(1, keepdims=True) for t in (3, 0.5))
    assert np.array_equal(target_rank(warm, targets), target_rank(cold, targets))
    relabel = rng.permutation(10)
    shuffled = np.empty_like(warm)
    shuffled[:, relabel] = warm
    assert np.array_equal(target_rank(shuffled, relabel[targets]), target_rank(warm, targets))


def test_a_mark_below_the_top_answer_is_seen():
    # No trigger is answered with the target, but the target is second: fine-tuning's rest.
    rng = np.random.default_rng(1)
    targets = np.zeros(40, int)

    def answers(pull):
        logits = rng.normal(size=(40, 10))
        logits[:, 0] += pull
        logits[:, 5] += 9
        return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)

    innocents = [answers(rng.normal(scale=0.3)) for _ in range(20)]
    suspect, control = answers(2.5), answers(0.0)
    assert not np.any(suspect.argmax(1) == 0)
    for score in (target_log_odds, target_rank):
        null = [score(model, targets).mean() for model in innocents]
        statistic = score(suspect, targets).mean()
        assert conformal_p_value(statistic, null) == 1 / 21
        assert predictive_p_value(statistic, null) < 1e-3
        assert wilcoxon_p_value(score(suspect, targets), score(control, targets)) < 1e-4


def test_signed_ranks_by_hand():
    # All five differences positive: one of 2^5 sign patterns.
    assert wilcoxon_p_value([1, 2, 3, 4, 5.5], [0, 0, 0, 0, 0]) == pytest.approx(1 / 32)
    # Ranks 1 and 5 negative: the number of subsets of 1..5 with a sum of at least 9 is 10.
    assert wilcoxon_p_value([-1, 2, 3, 4, -5.0], [0] * 5) == pytest.approx(13 / 32)
    assert wilcoxon_p_value([0.5, 0.5], [0.5, 0.5]) == 1


def test_the_level_holds_for_triggers_like_controls(uniform_or_larger):
    rng = np.random.default_rng(2)
    p_values = []
    for _ in range(2000):
        difficulty = rng.normal(0, 3, 40)
        p_values.append(
            wilcoxon_p_value(difficulty + rng.standard_t(3, 40), difficulty + rng.standard_t(3, 40))
        )
    uniform_or_larger(p_values)


@pytest.mark.parametrize("score", [target_log_odds, target_rank])
def test_what_is_no_answer_is_refused(score):
    good = np.full((2, 3), 1 / 3)
    for bad, targets, message in (
        (good * 9, [0, 1], "`probabilities` must be between"),
        (good * np.nan, [0, 1], "`probabilities` must be between"),
        (good[0], [0, 1], "`probabilities` must be a float array"),
        (np.zeros((2, 3), int), [0, 1], "`probabilities` must be a float array"),
        (good, [0], "`targets` must be 2 integers"),
        (good, [0, 3], "`targets` must be from 0 to 2"),
        (good, [0.0, 1.0], "`targets` must be 2 integers"),
    ):
        with pytest.raises(ValueError, match=message):
            score(bad, targets)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="`clip`"):
        target_log_odds(np.full((1, 2), 0.5), [0], clip=0.5)
    with pytest.raises(ValueError, match="same length"):
        wilcoxon_p_value([1.0], [1.0, 2.0])
