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


def test_a_suspect_that_fails_or_is_not_there_cannot_tell(defended):
    _, marked = defended

    def broken(x):
        raise OSError("gone\naway")

    verdict = ewe_tf.verify(marked.key, broken)
    assert (verdict.decision, verdict.reason) == ("could not tell", "OSError: gone away")
    remote = ewe_tf.oracle.Remote("http://127.0.0.1:9/v1/models/none", attempts=1)
    verdict = ewe_tf.verify(marked.key, remote, max_queries=20)
    assert verdict.decision == "could not tell"
    assert verdict.reason == "no usable answer (connection failed: 20 rows)"


def test_what_is_only_for_triggers_is_refused(defended, tmp_path):
    model, marked = defended
    for argument in ({"bundle": tmp_path / "b.zip"}, {"triggers": "held_out"}):
        with pytest.raises(ValueError, match="are for keys with triggers"):
            ewe_tf.verify(marked.key, model, **argument)
    with pytest.raises(ValueError, match="takes inputs of shape"):
        ewe_tf.verify(marked.key, keras.Sequential([keras.Input((7,)), keras.layers.Dense(3)]))


def test_something_else_is_no_key():
    with pytest.raises(TypeError, match="`key` must be a key"):
        ewe_tf.verify("key.npz", lambda x: x)
