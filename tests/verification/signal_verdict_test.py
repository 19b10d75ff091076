import json

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.verification import SignalVerdict
from ewe_tf.verification import verify_signal


@pytest.fixture(scope="module")
def defended():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((6,)), *layers])
    rows = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
    return model, ewe_tf.DynaMarks("static").wrap(model, rows, seed=1)


def test_the_defended_answers_are_evidence_and_other_answers_are_not(defended):
    model, marked = defended
    fixed = {"commitment": marked.key.commitment(), "sequential": False}
    verdict = ewe_tf.verify(marked.key, marked.model, **fixed)
    assert isinstance(verdict, SignalVerdict)
    assert verdict.decision == "evidence" and verdict.p_value < 1e-6
    assert verdict.queries == len(marked.key.probes) and verdict.evidence_path == ()
    twin = ewe_tf.DynaMarks("static").wrap(model, marked.key.probes, seed=2)
    for sequential in (True, False):
        verdict = ewe_tf.verify(marked.key, twin.model, sequential=sequential)
        assert verdict.decision == "no evidence" and verdict.queries == len(marked.key.probes)


@pytest.mark.parametrize("carrier", ["static", "dynamic"])
def test_sequential_evidence_stops_early(defended, carrier):
    model, marked = defended
    if carrier == "dynamic":
        marked = ewe_tf.DynaMarks("dynamic").wrap(model, marked.key.probes, seed=1)
    verdict = ewe_tf.verify(marked.key, marked.model, alpha=1e-3)
    assert verdict.decision == "evidence" and verdict.p_value <= 1e-3
    assert verdict.queries < 0.7 * len(marked.key.probes)
    sent, wealth = zip(*verdict.evidence_path, strict=True)
    assert sent[-1] == verdict.queries and verdict.p_value == pytest.approx(np.exp(-max(wealth)))
    # The whole path is the one that the evidence of all answers has.
    answers = marked.model.predict(marked.key.probes, verbose=0)
    whole = marked.key.evidence(answers, resamples=99).log_e_values
    np.testing.assert_allclose(wealth, whole[: len(wealth)], rtol=1e-6)
    assert json.loads(verdict.to_json())["evidence_path"][-1][0] == verdict.queries


def test_the_model_itself_holds_nothing(defended):
    model, marked = defended
    for sequential in (True, False):
        verdict = ewe_tf.verify(marked.key, model, sequential=sequential)
        assert verdict.decision == "could not tell" and "undefended model" in verdict.reason


def test_labels_alone_cannot_tell(defended):
    _, marked = defended
    suspect = ewe_tf.Oracle(marked.model, answers="label")
    verdict = ewe_tf.verify(marked.key, suspect, max_queries=50, sequential=False)
    assert (verdict.decision, verdict.queries) == ("could not tell", 50)
    assert "hold no information" in verdict.reason and "hard channel" in verdict.reason
    # One class's probes are enough to see it.
    verdict = ewe_tf.verify(marked.key, suspect)
    assert verdict.decision == "could not tell" and verdict.queries < 400
    assert "hold no information" in verdict.reason


def test_clients_are_named(defended):
    model, marked = defended
    scheme = ewe_tf.DynaMarks(shared=0.5)
    key = scheme.wrap(model, marked.key.probes, seed=1).key
    names = [f"client {i}" for i in range(5)]
    served = [scheme.wrap(model, key=key, client=name).model for name in names[:2]]
    verdict = ewe_tf.verify(key, served[0], clients=names)
    assert verdict.decision == "evidence" and verdict.named == ("client 0",)
    assert verdict.queries == len(key.probes) and "client client 0" in str(verdict)

    def collusion(x):
        return np.mean([one.predict(x, verbose=0) for one in served], axis=0)

    verdict = ewe_tf.verify(key, collusion, clients=names, alpha=0.01)
    assert verdict.decision == "evidence" and set(verdict.named) <= set(names[:2])
    with pytest.raises(ValueError, match="`clients` must be empty"):
        ewe_tf.verify(marked.key, model, clients=["alice"])


def test_one_client_alone_is_no_sequence_of_names(defended):
    model, marked = defended
    key = ewe_tf.DynaMarks(shared=0.5).wrap(model, marked.key.probes, seed=1).key

    def never(x):
        raise AssertionError("the suspect was asked")

    for ask in (ewe_tf.verify, verify_signal):
        with pytest.raises(TypeError, match="`clients` must be a sequence .*'alice'"):
            ask(key, never, clients="alice")
    with pytest.raises(TypeError, match="`clients` must be a sequence"):
        key.evidence(key.reference, clients="alice")


def test_a_suspect_that_fails_or_is_not_there_cannot_tell(defended):
    _, marked = defended

    def broken(x):
        raise OSError("gone\naway")

    verdict = ewe_tf.verify(marked.key, broken)
    assert (verdict.decision, verdict.reason) == ("could not tell", "OSError: gone away")
    remote = ewe_tf.oracle.Remote("http://127.0.0.1:9/v1/models/none", attempts=1)
    verdict = ewe_tf.verify(marked.key, remote, max_queries=20, sequential=False)
    assert verdict.decision == "could not tell"
    assert verdict.reason == "no usable answer (connection failed: 20 rows)"
    verdict = ewe_tf.verify(marked.key, remote, max_queries=20)
    assert verdict.decision == "could not tell" and "connection failed" in verdict.reason


def test_what_is_only_for_triggers_is_refused(defended):
    model, marked = defended
    for argument in ({"cover": np.zeros((9, 6), np.float32)}, {"triggers": "held_out"}):
        with pytest.raises(ValueError, match="are for keys with triggers"):
            ewe_tf.verify(marked.key, model, **argument)
    with pytest.raises(ValueError, match="takes inputs of shape"):
        ewe_tf.verify(marked.key, keras.Sequential([keras.Input((7,)), keras.layers.Dense(3)]))


def test_a_suspect_of_another_task_is_not_judged(defended):
    _, marked = defended
    other = keras.Sequential([keras.Input((6,)), keras.layers.Dense(7, "softmax")])
    with pytest.raises(ValueError, match="`suspect` must have 10 classes, .* 7 classes"):
        ewe_tf.verify(marked.key, other)
    for sequential in (True, False):
        answer = ewe_tf.Oracle(lambda x: other.predict(x, verbose=0))
        verdict = ewe_tf.verify(marked.key, answer, sequential=sequential)
        assert verdict.decision == "could not tell" and "must have 10 classes" in verdict.reason


def test_something_else_is_no_key():
    with pytest.raises(TypeError, match="`key` must be a key"):
        ewe_tf.verify("key.npz", lambda x: x)
