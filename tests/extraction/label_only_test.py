"""Tests of label-only extraction."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.extraction import LabelOnly
from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Oracle

QUICK = dict(epochs=15, batch_size=32, learning_rate=1e-2)


def agreement(student, teacher, x):
    wanted = np.argmax(teacher.probabilities(x), axis=1)
    return np.mean(np.argmax(student.predict(x, verbose=0), axis=1) == wanted)


@pytest.mark.parametrize("logits", [False, True])
def test_copy_agrees_with_teacher_on_fresh_rows(teacher, queries, fresh, make_student, logits):
    oracle = Oracle(teacher, answers="label", budget=len(queries))
    student = make_student(logits)
    copy = LabelOnly(**QUICK).run(oracle, student, queries)
    assert copy is student
    assert agreement(copy, teacher, fresh) > 0.9
    assert oracle.ledger.queries == oracle.ledger.budget == teacher.rows == len(queries)
    wanted = np.argmax(teacher.probabilities(fresh), axis=1)
    told = copy.evaluate(fresh, wanted, verbose=0, return_dict=True)["accuracy"]
    assert told == pytest.approx(agreement(copy, teacher, fresh), abs=1e-6)


def test_probabilities_change_nothing(teacher, queries, make_student):
    """An oracle that tells more gives the same copy: only its labels are used."""
    copies = [
        LabelOnly(epochs=2).run(Oracle(teacher, answers=form), make_student(), queries)
        for form in ("label", "probabilities")
    ]
    for one, other in zip(copies[0].get_weights(), copies[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_budget_is_checked_before_anything_is_sent(teacher, queries, make_student):
    oracle = Oracle(teacher, answers="label", budget=len(queries) - 1)
    with pytest.raises(BudgetExceeded, match="600 queries, but only 599"):
        LabelOnly().run(oracle, make_student(), queries)
    assert teacher.rows == oracle.ledger.queries == 0


def test_global_seed_does_not_matter(teacher, queries, make_student):
    copies = []
    for global_seed in (1, 2):
        student = make_student()
        keras.utils.set_random_seed(global_seed)
        copies.append(LabelOnly(epochs=2, seed=7).run(Oracle(teacher), student, queries))
    other = LabelOnly(epochs=2, seed=8).run(Oracle(teacher), make_student(), queries)
    weights = [copy.get_weights()[0] for copy in (*copies, other)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 0


def test_every_epoch_is_one_pass_over_the_rows(teacher, queries, make_student):
    seen = []

    class Spy(keras.layers.Layer):
        def call(self, x, training=False):
            tf.py_function(lambda rows: seen.append(rows.numpy()), [x], [])
            return x

    LabelOnly(epochs=2, batch_size=64, augmentation=Spy()).run(
        Oracle(teacher), make_student(), queries
    )
    rows = np.concatenate(seen[1:])[: 2 * len(queries)]  # The first batch was a trial.
    first, second = rows[: len(queries)], rows[len(queries) :]
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(epoch.sum(1)), np.sort(queries.sum(1)))
    assert np.any(first != second)


def test_augmentation_sends_no_queries(teacher, queries, make_student):
    attack = LabelOnly(epochs=1, augmentation=lambda x: x[:, ::-1])
    attack.run(Oracle(teacher), make_student(), queries)
    np.testing.assert_array_equal(np.concatenate(teacher.asked), queries)


def test_refused_rows_are_left_out(teacher, queries, fresh, make_student):
    def half_blind(x):
        answers = np.argmax(teacher.probabilities(x), axis=1)
        return np.where(np.arange(len(x)) % 2, answers, -1)

    oracle = Oracle(half_blind, answers="label")
    copy = LabelOnly(**QUICK).run(oracle, make_student(), queries)
    assert oracle.ledger.refusals.total() == 300
    assert agreement(copy, teacher, fresh) > 0.85
    with pytest.raises(ValueError, match="answered none of 600 queries"):
        LabelOnly().run(
            Oracle(lambda x: np.full(len(x), -1), answers="label"), make_student(), queries
        )


def test_validation_split_keeps_the_best_epoch(teacher, queries, make_student):
    attack = LabelOnly(epochs=8, batch_size=8, learning_rate=0.3, validation_split=0.25)
    student = make_student()
    attack.run(Oracle(teacher), student, queries)
    losses = student.history.history["val_loss"]
    held_back = np.random.default_rng(0).permutation(600)[:150]
    x = queries[held_back]
    labels = np.argmax(teacher.probabilities(x), axis=1)
    assert len(losses) == 8 and min(losses) < losses[-1]
    loss = student.evaluate(x, labels, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(min(losses), rel=1e-4, abs=1e-5)


def test_optimizer_and_late_rate(teacher, queries, make_student):
    sgd = keras.optimizers.serialize(keras.optimizers.SGD(0.5, momentum=0.9))
    cases = (
        (dict(optimizer=sgd), keras.optimizers.SGD, 0.5),
        (dict(optimizer="rmsprop", learning_rate=0.02), keras.optimizers.RMSprop, 0.02),
        (dict(learning_rate=0.04, late_rate=0.25), keras.optimizers.Adam, 0.01),
    )
    for settings, kind, rate in cases:
        copy = LabelOnly(epochs=4, **settings).run(Oracle(teacher), make_student(), queries)
        assert isinstance(copy.optimizer, kind)
        assert float(copy.optimizer.learning_rate) == pytest.approx(rate)


def test_schedule_and_late_rate_are_refused_together():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    config = keras.optimizers.serialize(keras.optimizers.SGD(schedule))
    assert isinstance(LabelOnly(optimizer=config).make_optimizer(), keras.optimizers.SGD)
    with pytest.raises(ValueError, match="`late_rate` must be 1"):
        LabelOnly(optimizer=config, late_rate=0.25)


def test_compiled_subclassed_and_unbuilt_students(teacher, queries, fresh, make_student):
    class Subclassed(keras.Model):
        def __init__(self, activation):
            super().__init__()
            self.head = keras.layers.Dense(10, activation)

        def call(self, x):
            return self.head(x)

    compiled = make_student()
    compiled.compile("sgd", "mse")
    unbuilt = keras.Sequential([keras.layers.Dense(10)])
    for student in (compiled, unbuilt, Subclassed("softmax"), Subclassed(None)):
        copy = LabelOnly(**QUICK).run(Oracle(teacher, answers="label"), student, queries)
        assert agreement(copy, teacher, fresh) > 0.85


@pytest.mark.parametrize(
    "field, value",
    [
        ("epochs", 0),
        ("batch_size", 2.5),
        ("learning_rate", float("nan")),
        ("late_rate", 0),
        ("validation_split", 1),
        ("seed", -1),
        ("augmentation", "flip"),
        ("optimizer", 3),
        ("optimizer", {"learning_rate": 1.0}),
    ],
)
def test_bad_fields_are_named(field, value):
    with pytest.raises(ValueError, match=f"`{field}` must be"):
        LabelOnly(**{field: value})


def test_what_does_not_fit_is_refused_before_anything_is_sent(teacher, queries, make_student):
    victim = make_student()
    oracle = Oracle(victim, answers="label")
    relu = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "relu")])
    cases = [
        (make_student(classes=9), queries, "`student` must have 10 classes"),
        (make_student(), queries[:, :32], r"`queries` must have shape \(rows, 64\)"),
        (keras.Sequential([keras.Input((3,)), keras.layers.Dense(10)]), queries, "take the quer"),
        (make_student(), queries[:0], "at least one row"),
        (make_student(), np.where(np.arange(64) == 3, np.nan, queries), "`queries` must be finite"),
        (relu, queries, "activation 'relu'"),
        (keras.Sequential([keras.Input((64,)), keras.layers.Reshape((8, 8))]), queries, "classif"),
    ]
    for student, x, message in cases:
        with pytest.raises(ValueError, match=message):
            LabelOnly().run(oracle, student, x)
    with pytest.raises(ValueError, match="`augmentation` must keep"):
        LabelOnly(augmentation=lambda x: x[:, :9]).run(oracle, make_student(), queries)
    with pytest.raises(TypeError, match="keras.Model"):
        LabelOnly().run(oracle, teacher, queries)
    with pytest.raises(TypeError, match=r"`oracle` must be .*Oracle\(model\).*: Sequential"):
        LabelOnly().run(victim, make_student(), queries)
    assert oracle.ledger.queries == 0
    with pytest.raises(ValueError, match="a class for every label"):
        LabelOnly().run(Oracle(teacher, answers="label"), make_student(classes=5), queries)
