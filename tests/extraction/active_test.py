"""Tests of active extraction."""

import numpy as np
import pytest

from ewe_tf.extraction import ActiveQueries
from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Oracle


@pytest.mark.parametrize("strategy", ["margin", "entropy", "k_center"])
def test_sends_its_budget_and_copies(teacher, queries, fresh, make_student, strategy):
    attack = ActiveQueries(
        budget=203, strategy=strategy, rounds=3, epochs=25, batch_size=32, learning_rate=1e-2
    )
    oracle = Oracle(teacher, answers="label", budget=203)
    copy = attack.run(oracle, make_student(), queries)
    assert attack.queries_needed(600) == teacher.rows == oracle.ledger.queries == 203
    sent = {row.tobytes() for row in np.concatenate(teacher.asked)}
    assert len(sent) == 203 and sent <= {row.tobytes() for row in queries}
    assert [len(rows) for rows in teacher.asked] == [20, 61, 61, 61]
    wanted = np.argmax(teacher.probabilities(fresh), axis=1)
    assert np.mean(np.argmax(copy.predict(fresh, verbose=0), axis=1) == wanted) > 0.8


def test_margin_asks_about_harder_rows(teacher, queries, make_student):
    """The teacher itself is less sure about what was chosen than about the rest of the pool."""
    attack = ActiveQueries(budget=120, rounds=1, initial=0.5, round_epochs=20, learning_rate=1e-2)
    attack.run(Oracle(teacher), make_student(), queries)
    first, chosen = teacher.asked
    assert teacher.probabilities(chosen).max(1).mean() < teacher.probabilities(first).max(1).mean()


def test_more_rounds_than_rows(teacher, queries, make_student):
    attack = ActiveQueries(budget=4, rounds=9, initial=0.3, epochs=1, round_epochs=1)
    attack.run(Oracle(teacher), make_student(), queries)
    assert [len(rows) for rows in teacher.asked] == [1, 1, 1, 1]


def test_what_does_not_fit_is_refused(teacher, queries, make_student):
    with pytest.raises(BudgetExceeded):
        ActiveQueries(budget=100).run(Oracle(teacher, budget=99), make_student(), queries)
    with pytest.raises(ValueError, match="at most the number of queries, 600"):
        ActiveQueries(budget=601).run(Oracle(teacher), make_student(), queries)
    with pytest.raises(ValueError, match="`strategy` must be one of"):
        ActiveQueries(budget=1, strategy="guess")
    with pytest.raises(ValueError, match="`initial` must be"):
        ActiveQueries(budget=1, initial=1.5)
    assert teacher.rows == 0
