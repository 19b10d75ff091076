"""Tests of Knockoff Nets with its random policy."""

import numpy as np
import pytest

from ewe_tf.extraction import Knockoff
from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Oracle


def test_sends_its_budget_of_different_rows_of_the_pool(teacher, queries, make_student):
    attack = Knockoff(budget=100, epochs=1)
    assert attack.queries_needed(len(queries)) == 100
    attack.run(Oracle(teacher, budget=100), make_student(), queries)
    sent = {row.tobytes() for row in np.concatenate(teacher.asked)}
    assert len(sent) == teacher.rows == 100
    assert sent <= {row.tobytes() for row in queries}
    assert sent != {row.tobytes() for row in queries[:100]}


def test_copies_from_a_pool_of_another_distribution(teacher, fresh, make_student):
    """Random pixels say enough about a linear teacher."""
    pool = np.random.default_rng(5).uniform(size=(3000, 64)).astype(np.float32) ** 2
    attack = Knockoff(epochs=20, batch_size=64, learning_rate=0.02)
    assert attack.queries_needed(len(pool)) == 3000
    copy = attack.run(Oracle(teacher), make_student(hidden=0), pool)
    wanted = np.argmax(teacher.probabilities(fresh), axis=1)
    assert np.mean(np.argmax(copy.predict(fresh, verbose=0), axis=1) == wanted) > 0.85


def test_a_budget_that_does_not_fit_is_refused(teacher, queries, make_student):
    with pytest.raises(ValueError, match="at most the number of queries, 600"):
        Knockoff(budget=601).run(Oracle(teacher), make_student(), queries)
    with pytest.raises(BudgetExceeded):
        Knockoff(budget=101).run(Oracle(teacher, budget=100), make_student(), queries)
    assert teacher.rows == 0
