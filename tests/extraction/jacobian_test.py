"""Tests of Jacobian-based augmentation."""

import keras
import numpy as np
import pytest

from ewe_tf.extraction import JacobianAugmentation
from ewe_tf.extraction import LabelOnly
from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Oracle


@pytest.mark.parametrize(
    "settings, needed",
    [
        (dict(rounds=2), 7 * 4),
        (dict(rounds=3, reservoir_after=1, reservoir=5), 7 * 2 + 5 + 5),
        (dict(rounds=1, reservoir_after=0, reservoir=100), 7 * 2),
    ],
)
def test_sends_exactly_what_it_says(teacher, queries, make_student, settings, needed):
    attack = JacobianAugmentation(**settings, round_epochs=1, epochs=1)
    assert attack.queries_needed(7) == needed
    with pytest.raises(BudgetExceeded):
        attack.run(Oracle(teacher, budget=needed - 1), make_student(), queries[:7])
    assert teacher.rows == 0
    attack.run(Oracle(teacher, budget=needed), make_student(), queries[:7])
    assert teacher.rows == needed


def test_rows_move_along_the_sign_of_the_gradient(teacher, queries):
    """For two classes and a linear student the sign is that of a difference of weights."""
    student = keras.Sequential([keras.Input((64,)), keras.layers.Dense(2)])
    weights = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    student.set_weights([weights, np.zeros(2, np.float32)])
    asked = []

    def victim(x):
        asked.append(np.array(x))
        return (x[:, 20] > x[:, 30]).astype(np.int64)

    attack = JacobianAugmentation(
        rounds=2, step=0.25, period=1, bounds=(-9, 9), learning_rate=1e-9, round_epochs=1, epochs=1
    )
    attack.run(Oracle(victim, answers="label"), student, queries[:5])
    first, second, third = asked
    labels = (first[:, 20] > first[:, 30]).astype(int)
    towards = np.sign(weights[:, labels] - weights[:, 1 - labels]).T
    np.testing.assert_allclose(second, first + 0.25 * towards, atol=1e-6)
    labels = (second[:, 20] > second[:, 30]).astype(int)
    towards = np.sign(weights[:, labels] - weights[:, 1 - labels]).T
    np.testing.assert_allclose(third[5:], second - 0.25 * towards, atol=1e-6)


def test_grown_rows_stay_within_the_bounds_and_help(teacher, queries, fresh, make_student):
    settings = dict(epochs=30, batch_size=16, learning_rate=1e-2)
    seeds = queries[:40]
    wanted = np.argmax(teacher.probabilities(fresh), axis=1)

    def agreement(attack):
        copy = attack.run(Oracle(teacher, answers="label"), make_student(), seeds)
        return np.mean(np.argmax(copy.predict(fresh, verbose=0), axis=1) == wanted)

    plain = agreement(LabelOnly(**settings))
    grown = agreement(JacobianAugmentation(rounds=3, step=0.2, **settings))
    sent = np.concatenate(teacher.asked)
    assert sent.min() >= seeds.min() and sent.max() <= seeds.max()
    assert grown > 0.6 and grown > plain - 0.02


def test_integers_are_refused(teacher, queries, make_student):
    with pytest.raises(ValueError, match="`queries` must be floats"):
        JacobianAugmentation().run(Oracle(teacher), make_student(), (queries * 16).astype(int))
    with pytest.raises(ValueError, match="`bounds` must be a pair"):
        JacobianAugmentation(bounds=(1, 0))
    assert teacher.rows == 0
