"""Tests of adversarial queries."""

import numpy as np
import pytest

from ewe_tf.extraction import AdversarialQueries
from ewe_tf.extraction import LabelOnly
from ewe_tf.extraction.student import Student
from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Oracle


def test_sends_exactly_what_it_says(teacher, queries, make_student):
    attack = AdversarialQueries(rounds=2, per_round=9, steps=2, epochs=1, round_epochs=1)
    assert attack.queries_needed(30) == 48
    assert AdversarialQueries(rounds=2).queries_needed(30) == 90
    with pytest.raises(BudgetExceeded):
        attack.run(Oracle(teacher, budget=47), make_student(), queries[:30])
    assert teacher.rows == 0
    attack.run(Oracle(teacher, budget=48), make_student(), queries[:30])
    assert [len(rows) for rows in teacher.asked] == [30, 9, 9]


@pytest.mark.parametrize("logits", [False, True])
def test_rows_cross_the_boundary_within_the_ball(teacher, queries, make_student, logits):
    model = LabelOnly(epochs=15, batch_size=32, learning_rate=1e-2).run(
        Oracle(teacher), make_student(logits), queries
    )
    attack = AdversarialQueries(radius=0.3, steps=20)
    student = Student(model, queries[:1], attack)
    start = queries[:100]
    made = attack.cross(student, start, (0, 1), np.random.default_rng(0))
    assert np.abs(made - start).max() <= 0.3 + 1e-6
    assert made.min() >= 0 and made.max() <= 1
    before, after = student.probabilities(start), student.probabilities(made)
    assert np.mean(before.argmax(1) != after.argmax(1)) > 0.9
    margins = [np.diff(np.sort(p, axis=1)[:, -2:]).mean() for p in (before, after)]
    assert margins[1] < margins[0] / 2


def test_copies(teacher, queries, fresh, make_student):
    attack = AdversarialQueries(epochs=25, batch_size=32, learning_rate=1e-2, radius=0.2)
    copy = attack.run(Oracle(teacher, answers="label"), make_student(), queries[:150])
    wanted = np.argmax(teacher.probabilities(fresh), axis=1)
    assert np.mean(np.argmax(copy.predict(fresh, verbose=0), axis=1) == wanted) > 0.8
    with pytest.raises(ValueError, match="`radius` must be"):
        AdversarialQueries(radius=0)
