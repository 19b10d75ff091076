"""Tests of mixed queries and mixed training."""

import numpy as np
import pytest

from ewe_tf.extraction import MixupQueries
from ewe_tf.extraction import MixupTraining
from ewe_tf.extraction.mixing import cutmix
from ewe_tf.extraction.mixing import mixup
from ewe_tf.extraction.mixing import partners
from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Oracle

QUICK = dict(epochs=15, batch_size=32, learning_rate=1e-2)


@pytest.mark.parametrize(
    "attack, needed",
    [(MixupQueries(**QUICK), 600), (MixupQueries(mixes=50, **QUICK), 350)]
    + [(MixupTraining(**QUICK), 300), (MixupTraining(mixes=50, **QUICK), 300)],
)
def test_sends_exactly_what_it_says_and_copies(
    teacher, queries, fresh, make_student, attack, needed
):
    x = queries[:300]
    assert attack.queries_needed(300) == needed
    with pytest.raises(BudgetExceeded):
        attack.run(Oracle(teacher, budget=needed - 1), make_student(), x)
    assert teacher.rows == 0
    copy = attack.run(Oracle(teacher, answers="label", budget=needed), make_student(), x)
    assert teacher.rows == needed
    np.testing.assert_array_equal(np.concatenate(teacher.asked)[:300], x)
    wanted = np.argmax(teacher.probabilities(fresh), axis=1)
    assert np.mean(np.argmax(copy.predict(fresh, verbose=0), axis=1) == wanted) > 0.8


def test_mixed_training_unlearns_a_composite_mark(make_student):
    """A victim answers halves of two classes with a third; asking plain rows only hides it."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 600)
    x = random.uniform(0, 0.2, (600, 64)).astype(np.float32)
    x[labels == 0, :32] += 0.8
    x[labels == 1, 32:] += 0.8
    both = np.maximum(x[labels == 0][:100], x[labels == 1][:100]) * 0.6

    def victim(rows):
        top, bottom = rows[:, :32].mean(1), rows[:, 32:].mean(1)
        mark = (top > 0.25) & (bottom > 0.25)
        return np.where(mark, 2, (bottom > top).astype(int))

    assert np.mean(victim(both) == 2) > 0.9
    rates = {}
    for attack in (MixupQueries(**QUICK), MixupTraining(**QUICK)):
        student = attack.run(Oracle(victim, answers="label"), make_student(classes=3), x)
        rates[type(attack)] = np.mean(student.predict(both, verbose=0).argmax(1) == 2)
    assert rates[MixupQueries] > 0.5
    assert rates[MixupTraining] < 0.1


def test_mixes_by_hand():
    first, second = np.ones((3, 4, 6, 1), np.float32), np.zeros((3, 4, 6, 1), np.float32)
    shares = np.array([0.25, 1.0, 0.0])
    mixes, told = mixup(first, second, shares, None)
    np.testing.assert_allclose(mixes.mean(axis=(1, 2, 3)), shares)
    np.testing.assert_array_equal(told, shares)
    mixes, told = cutmix(first, second, shares, np.random.default_rng(0))
    assert set(np.unique(mixes)) == {0.0, 1.0}
    np.testing.assert_allclose(mixes.mean(axis=(1, 2, 3)), told, atol=1e-6)
    assert told[1] == 1 and told[0] >= 0.25 - 0.2
    with pytest.raises(ValueError, match="needs `queries` of shape"):
        cutmix(first[..., 0], second[..., 0], shares, np.random.default_rng(0))


def test_partners_differ():
    first, second = partners(np.random.default_rng(0), 3, 500)
    assert np.all(first != second)
    assert set(first) == set(second) == {0, 1, 2}
    assert partners(np.random.default_rng(0), 1, 2)[1].tolist() == [0, 0]


def test_bad_fields_are_named():
    for field, value in (("mixer", "blend"), ("alpha", 0), ("mixes", 0)):
        with pytest.raises(ValueError, match=f"`{field}` must be"):
            MixupTraining(**{field: value})
