"""Tests of Knockoff Nets with its adaptive policy."""

import numpy as np
import pytest

from ewe_tf.extraction import AdaptiveKnockoff
from ewe_tf.extraction.adaptive_knockoff import GradientBandit
from ewe_tf.extraction.adaptive_knockoff import Rewards
from ewe_tf.extraction.adaptive_knockoff import cluster
from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Oracle


@pytest.mark.parametrize("answers", ["label", "probabilities"])
def test_sends_its_budget_and_copies(teacher, digits, queries, fresh, make_student, answers):
    groups = digits[1][600:1200]
    attack = AdaptiveKnockoff(budget=395, epochs=15, batch_size=32, learning_rate=1e-2)
    oracle = Oracle(teacher, answers=answers, budget=395)
    copy = attack.run(oracle, make_student(), (queries, groups))
    assert attack.queries_needed(600) == teacher.rows == oracle.ledger.queries == 395
    assert len({row.tobytes() for row in np.concatenate(teacher.asked)}) == 395
    wanted = np.argmax(teacher.probabilities(fresh), axis=1)
    assert np.mean(np.argmax(copy.predict(fresh, verbose=0), axis=1) == wanted) > 0.85


def test_whole_pool_without_groups(teacher, queries, make_student):
    """Groups run empty one after the other; nothing is sent twice or forgotten."""
    AdaptiveKnockoff(budget=600, groups=4, step_rows=50, epochs=1).run(
        Oracle(teacher, budget=600), make_student(), queries
    )
    sent = np.concatenate(teacher.asked)
    np.testing.assert_array_equal(np.sort(sent.sum(axis=1)), np.sort(queries.sum(axis=1)))


def test_prefers_the_group_that_teaches(teacher, queries, make_student):
    """Blank rows always get the same answer; real ones do not."""
    pool = np.concatenate([queries, np.zeros_like(queries)])
    groups = np.repeat([0, 1], 600)
    attack = AdaptiveKnockoff(budget=480, step_rows=4, epochs=1, learning_rate=1e-2)
    attack.run(Oracle(teacher), make_student(), (pool, groups))
    blank = np.mean(np.concatenate(teacher.asked).sum(axis=1) == 0)
    assert blank < 0.35


def test_bandit_steps_by_hand():
    """H(a) += advantage (1 - pi(a)) and H(other) -= advantage pi(other), over N(a)."""
    bandit = GradientBandit(2, window=25)
    bandit.reward(0, 0.5)  # Its own baseline: no step.
    np.testing.assert_allclose(bandit.preferences, [0, 0])
    bandit.reward(0, 0.9)  # 0.4 over the mean, second draw: 0.2 * (1 - 0.5).
    np.testing.assert_allclose(bandit.preferences, [0.1, -0.1])
    draws = [bandit.draw(np.random.default_rng(i), [False, True]) for i in range(5)]
    assert draws == [1] * 5


def test_rewards_by_hand():
    rewards = Rewards(num_classes=2, window=25)
    sure, unsure = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    assert rewards(sure, 3.0) == 0  # Nothing to compare with.
    assert rewards(unsure, 1.0) == 0  # Less certain, less diverse, less loss.
    assert rewards(1 - sure, 2.0) == pytest.approx((1 + 1 + 0.5) / 3)


def test_cluster_finds_separate_heaps():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 2)) + np.repeat([[0, 0], [50, 0], [0, 50]], 20, axis=0)
    found = cluster(x.astype(np.float32), 3, random)
    assert [len(set(found[i : i + 20])) for i in (0, 20, 40)] == [1, 1, 1]
    assert len(set(found)) == 3


def test_what_does_not_fit_is_refused(teacher, queries, make_student):
    with pytest.raises(ValueError, match="600 integers as groups"):
        AdaptiveKnockoff(budget=5).run(Oracle(teacher), make_student(), (queries, [1, 2]))
    with pytest.raises(BudgetExceeded):
        AdaptiveKnockoff(budget=11).run(Oracle(teacher, budget=10), make_student(), queries)
    with pytest.raises(ValueError, match="`step_rows` must be"):
        AdaptiveKnockoff(budget=5, step_rows=0)
    assert teacher.rows == 0
