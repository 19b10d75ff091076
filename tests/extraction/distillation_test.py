"""Tests of soft-label extraction."""

import keras
import numpy as np
import pytest

from ewe_tf.extraction import Distillation
from ewe_tf.oracle import Oracle


@pytest.mark.parametrize("temperature, logits", [(1.0, False), (1.0, True), (4.0, False)])
def test_exact_probabilities_recover_a_linear_teacher(temperature, logits):
    """The only minimum is the teacher: its weights come back, up to a constant of each input."""
    random = np.random.default_rng(3)
    weights, bias = random.normal(size=(6, 4)), random.normal(size=4)
    queries = random.normal(size=(512, 6)).astype(np.float32)

    def victim(x):
        scores = np.exp(x @ weights + bias)
        return scores / scores.sum(axis=1, keepdims=True)

    head = keras.layers.Dense(4, None if logits else "softmax")
    student = keras.Sequential([keras.Input((6,)), head])
    oracle = Oracle(victim)
    Distillation(
        epochs=60,
        batch_size=64,
        learning_rate=0.05,
        late_rate=0.1,
        temperature=temperature,
        floor=1e-9,
    ).run(oracle, student, queries)
    stolen_weights, stolen_bias = student.get_weights()
    for stolen, wanted in ((stolen_weights, weights), (stolen_bias, bias)):
        centred = wanted - wanted.mean(axis=-1, keepdims=True)
        np.testing.assert_allclose(stolen - stolen.mean(axis=-1, keepdims=True), centred, atol=0.02)
    assert oracle.ledger.queries == len(queries)


@pytest.mark.parametrize("form", [dict(answers="rounded", decimals=1), dict(answers="top_k")])
@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_rounded_and_top_k_answers(teacher, queries, fresh, make_student, form, temperature):
    attack = Distillation(epochs=15, batch_size=32, learning_rate=1e-2, temperature=temperature)
    copy = attack.run(Oracle(teacher, **form), make_student(), queries)
    outputs = copy.predict(fresh, verbose=0)
    assert np.isfinite(outputs).all()
    assert np.mean(np.argmax(outputs, 1) == np.argmax(teacher.probabilities(fresh), 1)) > 0.9


def test_labels_are_refused_before_anything_is_sent(teacher, queries, make_student):
    oracle = Oracle(teacher, answers="label")
    with pytest.raises(ValueError, match="use LabelOnly"):
        Distillation().run(oracle, make_student(), queries)
    assert oracle.ledger.queries == 0


@pytest.mark.parametrize("field, value", [("temperature", 0), ("floor", 0), ("floor", 1)])
def test_bad_fields_are_named(field, value):
    with pytest.raises(ValueError, match=f"`{field}` must be"):
        Distillation(**{field: value})
