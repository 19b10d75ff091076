import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.triggers.alternating import AlternatingSteps


def moved(steps, rate, inputs, partners=None, value_range=(-100.0, 100.0), rows=2):
    """On a line: a step away goes down by 1, a step towards the partners goes to them."""
    run = steps.compiled(
        lambda x: tf.reduce_sum(x),
        rate,
        lambda partners: -partners,
        lambda x, partners: -tf.reduce_sum(tf.abs(x + partners)),
        (rows, 1),
        value_range,
    )
    partners = np.full_like(inputs, 1000.0) if partners is None else partners
    return run(inputs, partners)


def test_counts_the_steps_that_the_code_makes():
    inputs = np.array([[0.0], [5.0]], np.float32)
    # Nobody answers with the target: 10 steps up, 5 down.
    x = moved(AlternatingSteps(step_size=1.0), lambda x: 0.0, inputs)
    np.testing.assert_allclose(x, inputs + 10 - 5)
    # Everybody always does: 50 down in the first round, then 10 up, then 5 down.
    x = moved(AlternatingSteps(step_size=1.0), lambda x: 1.0, inputs)
    np.testing.assert_allclose(x, inputs - 50 + 10 - 5)


def test_steps_away_stop_at_the_threshold():
    inputs = np.array([[3.0], [5.0]], np.float32)
    steps = AlternatingSteps(rounds=1, step_size=1.0, threshold=0.5, last_away=0)
    # Down until no more than half is above 1: (1, 3) after two steps; then one step up.
    x = moved(steps, lambda x: tf.reduce_mean(tf.cast(x > 1, tf.float32)), inputs)
    np.testing.assert_allclose(x, [[2.0], [4.0]])


def test_values_stay_in_range_and_every_row_is_moved():
    inputs = np.linspace(0.2, 0.8, 5, dtype=np.float32)[:, None]
    steps = AlternatingSteps(rounds=3, step_size=0.5, last_away=0)
    x = moved(steps, lambda x: 0.0, inputs, value_range=(0.0, 1.0))
    np.testing.assert_allclose(x, np.ones((5, 1)))


def test_batches_have_their_partners_in_turn():
    inputs = np.zeros((6, 1), np.float32)
    partners = np.array([[1.0], [1.0], [-1.0], [-1.0]], np.float32)
    steps = AlternatingSteps(rounds=1, step_size=1.0, last_away=0)
    x = moved(steps, lambda x: 0.0, inputs, partners)
    np.testing.assert_allclose(x[:, 0], [1, 1, -1, -1, 1, 1])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"rounds": -1}, "`rounds` must be an integer of at least 0"),
        ({"step_size": 0.0}, r"`step_size` must be a number in \(0, inf\)"),
        ({"threshold": 2.0}, r"`threshold` must be a number in \[0, 1\]"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        AlternatingSteps(**arguments)
