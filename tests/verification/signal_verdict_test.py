import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.verification import SignalVerdict


@pytest.fixture(scope="module")
def defended():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((6,)), *layers])
    rows = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
    return model, ewe_tf.DynaMarks("static").wrap(model, rows, seed=1)


def test_the_defended_answers_are_evidence_and_other_answers_are_not(defended):
    model, marked = defended
    verdict = ewe_tf.verify(marked.key, marked.model, commitment=marked.key.commitment())
    assert isinstance(verdict, SignalVerdict)
    assert verdict.decision == "evidence" and verdict.p_value < 1e-6
    assert verdict.queries == len(marked.key.probes)
    twin = ewe_tf.DynaMarks("static").wrap(model, marked.key.probes, seed=2)
    assert ewe_tf.verify(marked.key, twin.model).decision == "no evidence"
    assert str(verdict).startswith("verdict") and '"decision": "evidence"' in verdict.to_json()


def test_labels_alone_cannot_tell(defended):
    _, marked = defended
    suspect = ewe_tf.Oracle(marked.model, answers="label")
    verdict = ewe_tf.verify(marked.key, suspect, max_queries=50)
    assert (verdict.decision, verdict.queries) == ("could not tell", 50)
    assert "labels only" in verdict.reason


def test_something_else_is_no_key():
    with pytest.raises(TypeError, match="`key` must be a key"):
        ewe_tf.verify("key.npz", lambda x: x)
