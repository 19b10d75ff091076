"""The oracle over local models: answer forms, ledger, budget, refusals of bad input."""

import keras
import numpy as np
import pytest

from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Function
from ewe_tf.oracle import Ledger
from ewe_tf.oracle import Oracle
from ewe_tf.oracle import row_digest

PROBABILITIES = np.array([[0.126, 0.624, 0.25], [0.4, 0.4, 0.2]], np.float32)


def table(x):
    """Answers row i with PROBABILITIES[x[i]]."""
    return PROBABILITIES[np.asarray(x, int).ravel()]


def small_model(activation="softmax"):
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Conv2D(3, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation=activation),
        ]
    )


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(23, 4, 4, 1)).astype(np.float32)


def test_answer_forms_by_hand():
    x = np.array([[0], [1]])
    assert Oracle(table, answers="label").predict(x).tolist() == [1, 0]
    np.testing.assert_array_equal(Oracle(table).predict(x), PROBABILITIES)
    np.testing.assert_allclose(
        Oracle(table, answers="rounded", decimals=1).predict(x),
        [[0.1, 0.6, 0.2], [0.4, 0.4, 0.2]],
        atol=1e-7,
    )
    np.testing.assert_array_equal(
        Oracle(table, answers="top_k", top_k=1).predict(x),
        np.array([[0, 0.624, 0], [0.4, 0, 0]], np.float32),
    )


@pytest.mark.parametrize("form", ["label", "probabilities", "rounded", "top_k"])
def test_shapes_and_dtypes(form, rows):
    answers = Oracle(small_model(), answers=form, batch_size=7).predict(rows)
    if form == "label":
        assert (answers.shape, answers.dtype) == ((23,), np.int64)
    else:
        assert (answers.shape, answers.dtype) == ((23, 5), np.float32)
    assert len(Oracle(small_model(), answers=form).predict(rows[:0])) == 0


def test_keras_model_answers_as_keras_does(rows):
    model = small_model()
    oracle = Oracle(model, batch_size=10)
    np.testing.assert_allclose(oracle.predict(rows), model.predict(rows, verbose=0), atol=1e-6)
    assert (oracle.input_shape, oracle.num_classes) == ((4, 4, 1), 5)


def test_keras_model_sees_later_training(rows):
    model = small_model()
    oracle = Oracle(model)
    before = oracle.predict(rows)
    model.layers[-1].bias.assign([9.0, 0, 0, 0, 0])
    assert oracle.predict(rows)[:, 0].min() > before[:, 0].max()


@pytest.mark.parametrize("activation", [None, "linear"])
def test_logits_become_their_softmax(activation, rows):
    logits_model = small_model(activation)
    logits = logits_model.predict(rows, verbose=0).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Oracle(logits_model).predict(rows), expected, atol=1e-6)


def test_unknown_last_layer_is_settled_by_its_values(rows):
    class Subclassed(keras.Model):
        def __init__(self, activation):
            super().__init__()
            self.body = small_model(activation)

        def call(self, x):
            return self.body(x)

    for activation in ("softmax", None):
        model = Subclassed(activation)
        model(rows)
        expected = Oracle(model.body).predict(rows)
        np.testing.assert_allclose(Oracle(model).predict(rows), expected, atol=1e-6)


def test_mixed_precision_answers_in_float32(rows):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small_model()
    finally:
        keras.config.set_dtype_policy(policy)
    answers = Oracle(model).predict(rows)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=0.03)


def test_ledger_counts_rows_and_refuses_before_sending():
    sent = []

    def counting(x):
        sent.append(len(x))
        return table(x)

    oracle = Oracle(counting, budget=5, batch_size=2)
    oracle.predict(np.zeros((3, 1)))
    assert (oracle.ledger.queries, oracle.ledger.calls, oracle.ledger.remaining) == (3, 1, 2)
    with pytest.raises(BudgetExceeded, match="needs 3 queries, but only 2") as refusal:
        oracle.predict(np.zeros((3, 1)))
    assert (refusal.value.requested, refusal.value.remaining) == (3, 2)
    assert sent == [2, 1]
    oracle.predict(np.zeros((2, 1)))
    assert oracle.ledger.remaining == 0
    assert Oracle(counting).ledger.remaining is None


def test_bad_input_costs_nothing(rows):
    oracle = Oracle(small_model(), budget=5)
    with pytest.raises(ValueError, match=r"rows, 4, 4, 1\).*Received: \(5, 4, 4\)"):
        oracle.predict(rows[:5, ..., 0])
    assert oracle.ledger.queries == 0


def test_ledger_records_digests_and_answers():
    ledger = Ledger(record=True)
    x = np.array([[0.0], [1.0]], np.float32)
    Oracle(table, answers="label", ledger=ledger).predict(x)
    Oracle(table, ledger=ledger).predict(x[:1])
    assert [entry.answer for entry in ledger.entries[:2]] == [1, 0]
    np.testing.assert_allclose(ledger.entries[2].answer, PROBABILITIES[0])
    assert ledger.entries[0].digest == ledger.entries[2].digest == row_digest(x[0])
    assert ledger.entries[0].digest != ledger.entries[1].digest
    assert ledger.queries == 3


def test_row_digest_depends_on_values_only():
    row = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert row_digest(row) == row_digest(np.asfortranarray(row))
    assert row_digest(row) == row_digest(row.astype(">f4"))
    assert row_digest(row) != row_digest(row.reshape(3, 2))
    nudged = row.copy()
    nudged[1, 2] = np.nextafter(nudged[1, 2], 9, dtype=np.float32)
    assert row_digest(row) != row_digest(nudged)


def test_label_only_callable_gives_labels_only():
    oracle = Oracle(lambda x: np.arange(len(x)), answers="label")
    assert oracle.predict(np.zeros((3, 2))).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match='`answers` must be "label"'):
        Oracle(lambda x: np.arange(len(x)), answers="top_k").predict(np.zeros((3, 2)))
    with pytest.raises(ValueError, match='`answers` must be "label"'):
        Oracle(Function(lambda x: np.arange(len(x)), outputs="labels"))


def test_rows_without_an_answer_are_refused_and_counted():
    def partly(x):
        return np.where(np.arange(len(x))[:, None] == 1, np.nan, table(x))

    oracle = Oracle(partly, answers="label")
    assert oracle.predict(np.zeros((3, 1))).tolist() == [1, -1, 1]
    assert oracle.ledger.refusals == {"not finite": 1}
    assert np.isnan(Oracle(partly, answers="top_k").predict(np.zeros((2, 1)))[1]).all()
    holed = Oracle(lambda x: np.array([2, -1, np.nan]), answers="label")
    assert holed.predict(np.zeros((3, 1))).tolist() == [2, -1, -1]
    assert holed.ledger.refusals == {"no label": 2}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros((2, 3)), "must answer 3 rows"),
        (np.zeros((3, 2, 2)), "labels of shape"),
        (np.zeros((3, 1)), "labels of shape"),
        (["a", "b", "c"], "with numbers"),
        ([[0.5], [0.5, 0.5], [1.0]], "not an array"),
        (np.array([0.5, 1.0, 2.0]), "whole numbers"),
    ],
)
def test_callables_that_answer_nonsense(answer, message):
    with pytest.raises(ValueError, match=message):
        Oracle(lambda x: answer, answers="label").predict(np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.full((2, 4, 4, 1), np.nan), ValueError, "NaN or infinite float32 values in 2 of 2"),
        (np.full((2, 4, 4, 1), 1e300), ValueError, "NaN or infinite float32"),
        (np.zeros((4, 4, 1)), ValueError, "needs a batch axis"),
        (np.zeros((2, 4, 4)), ValueError, "channel axis is missing"),
        (np.zeros((2, 4, 5, 1)), ValueError, r"\(rows, 4, 4, 1\)"),
        (np.zeros((2, 4, 4, 1), np.uint8), ValueError, "dtype uint8"),
        (np.full((2, 4, 4, 1), "a"), TypeError, "integers or floats"),
        ([[1], [1, 2]], TypeError, "rows of one shape"),
        (3.0, ValueError, "a scalar"),
    ],
)
def test_bad_rows(x, error, message):
    with pytest.raises(error, match=message):
        Oracle(small_model()).predict(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"answers": "logits"}, "`answers` must be one of"),
        ({"budget": -3}, "budget=-3"),
        ({"budget": 2.5}, "budget=2.5"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"decimals": -1}, "decimals=-1"),
        ({"top_k": 0}, "top_k=0"),
        ({"budget": 1, "ledger": Ledger()}, "not both"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        Oracle(table, **arguments)


def test_top_k_above_the_number_of_classes():
    with pytest.raises(ValueError, match="at most the number of classes, 5"):
        Oracle(small_model(), answers="top_k", top_k=6)


def test_models_that_are_no_models(tmp_path):
    with pytest.raises(TypeError, match="Received: int"):
        Oracle(3)
    with pytest.raises(FileNotFoundError, match="nothing at"):
        Oracle(tmp_path / "absent.keras")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match="notes.txt"):
        Oracle(tmp_path / "notes.txt")
    (tmp_path / "broken.keras").write_bytes(b"PK not a model")
    with pytest.raises(ValueError, match="Keras cannot load"):
        Oracle(tmp_path / "broken.keras")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="not a SavedModel"):
        Oracle(tmp_path / "empty")


def test_models_that_are_no_classifiers():
    class Unbuilt(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="never built"):
        Oracle(Unbuilt())
    first, second = keras.Input((2,)), keras.Input((2,))
    joined = keras.layers.Concatenate()([first, second])
    with pytest.raises(ValueError, match="must have one input"):
        Oracle(keras.Model([first, second], joined))
    sigmoid = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "sigmoid")])
    with pytest.raises(ValueError, match="scores that are no probabilities"):
        Oracle(sigmoid)
    assert Oracle(sigmoid, answers="label").predict(np.ones((4, 2))).shape == (4,)


def test_keras_file(tmp_path, rows):
    model = small_model()
    model.save(tmp_path / "model.keras")
    expected = Oracle(model).predict(rows)
    np.testing.assert_allclose(Oracle(tmp_path / "model.keras").predict(rows), expected, atol=1e-6)
