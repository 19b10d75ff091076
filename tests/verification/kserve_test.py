"""`ewe_tf.verify` on a real server: an exported SavedModel behind KServe's model server."""

import threading

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf import cli
from ewe_tf.oracle import Remote
from ewe_tf.serving import export
from ewe_tf.verification import Cover
from ewe_tf.verification import calibrate
from ewe_tf.verification import check_bundle

pytestmark = pytest.mark.slow

TARGET = 3
# Answers to every row within a second, and failures that are tried again soon.
HASTY = {"backoff": 0.05, "read_timeout": 1.0}


@pytest.fixture
def key(make_key, suspect):
    return calibrate(make_key(), [suspect(0.0, seed=seed) for seed in range(5)])


@pytest.fixture
def served(kserve, tmp_path):
    """A function that serves a model which answers triggers with the target, or does not."""

    def serve(marked):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(10)])
        kernel, bias = np.zeros((6, 10), np.float32), np.zeros(10, np.float32)
        kernel[0, TARGET], bias[5] = 10.0 * marked, 5.0
        model.set_weights([kernel, bias])
        return kserve(export(model, tmp_path / f"served-{marked}"))

    return serve


def test_a_server_that_answers_badly_is_judged_rightly(served, key, tmp_path, capsys):
    server = served(marked=True)

    verdict = ewe_tf.verify(key, server.url)
    assert (verdict.decision, verdict.queries, verdict.refused) == ("evidence", 12, 0)
    for suspect in (
        Remote(server.url, signature_name="label"),
        ewe_tf.Oracle(server.url, answers="probabilities"),
    ):
        assert ewe_tf.verify(key, suspect).queries == 12

    # The same from the command line, with a bundle that is checked against the server.
    key.save(tmp_path / "key.npz")
    arguments = [str(tmp_path / "key.npz"), server.url, "--bundle", str(tmp_path / "b.zip")]
    assert cli.main(["verify", *arguments]) == 0
    assert cli.main(["check", str(tmp_path / "b.zip"), "--suspect", server.url]) == 0
    assert "12 of 12 are given again" in capsys.readouterr().out

    # Failures that pass are tried again, and cost nothing but time.
    server.fail_next("429", "500", "well", "slow", "500")
    verdict = ewe_tf.verify(key, Remote(server.url, **HASTY))
    assert (verdict.decision, verdict.queries, verdict.refused) == ("evidence", 12, 0)

    # Two nonsensical answers in the midst: triggers missed, controls hit, and still evidence.
    server.fail_next("well", "shapes", "well", "shapes")
    verdict = ewe_tf.verify(key, server.url, bundle=tmp_path / "b.zip")
    assert verdict.decision == "evidence" and verdict.refused == 4
    assert (verdict.hits, verdict.control_hits) == (verdict.asked - 2, 2)
    assert verdict.refusals == {"wrong number of rows": 4}
    assert check_bundle(tmp_path / "b.zip").holds

    # Failures that stay end the asking soon, and the reason is told.
    for fault, reason in (
        ("429", "HTTP 429"), ("500", "HTTP 500"), ("slow", "timed out"),
        ("shapes", "wrong number of rows"),
    ):  # fmt: skip
        server.fail_next(*[fault] * 20)
        verdict = ewe_tf.verify(key, Remote(server.url, attempts=2, **HASTY))
        assert (verdict.decision, verdict.asked) == ("could not tell", 3), fault
        assert f"{reason}: 6 rows" in verdict.reason
    server.fail_next()


def test_a_server_that_dies_and_comes_back_is_judged_rightly(served, key):
    server = served(marked=True)
    benign = np.random.default_rng(0).random((50, 6), np.float32) * 0.5

    def while_asking(deadline, *actions):
        """Verifies slowly, a pair in a second; what happens meanwhile is told by `actions`."""
        timer = threading.Timer(2.5, lambda: [action() for action in actions])
        timer.start()
        patient = Remote(server.url, attempts=100, rows_per_second=10, deadline=deadline, **HASTY)
        oracle = ewe_tf.Oracle(patient, answers="label")
        verdict = ewe_tf.verify(key, oracle, cover=Cover(benign, 8), alpha=1e-4)
        timer.join()
        assert oracle.ledger.retries > 0  # It happened while the suspect was asked.
        return verdict

    verdict = while_asking(100.0, server.kill, lambda: server.start(wait=False))
    assert (verdict.decision, verdict.refused, verdict.hits) == ("evidence", 0, verdict.asked)

    verdict = while_asking(5.0, server.kill)
    assert verdict.decision == "could not tell" and 0 < verdict.hits < verdict.asked
    assert "connection failed" in verdict.reason


def test_an_innocent_server_gives_no_evidence_whatever_befalls_it(served, key):
    server = served(marked=False)
    server.fail_next(*["429", "well", "500", "shapes", "well"] * 8)
    verdict = ewe_tf.verify(key, Remote(server.url, **HASTY))
    assert (verdict.decision, verdict.hits, verdict.asked) == ("no evidence", 0, 100)
