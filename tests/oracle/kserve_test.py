"""The remote client against a real server: an exported SavedModel behind KServe."""

import threading

import keras
import numpy as np
import pytest

from ewe_tf.oracle import Oracle
from ewe_tf.oracle import Remote
from ewe_tf.serving import export

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(11)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )


def test_kserve_answers_fails_dies_and_comes_back(model, kserve, tmp_path):
    server = kserve(export(model, tmp_path / "served"))
    x = np.random.default_rng(3).normal(size=(40, 6, 6, 1)).astype(np.float32)
    expected = Oracle(model).predict(x)

    oracle = Oracle(server.url, batch_size=16)
    np.testing.assert_allclose(oracle.predict(x), expected, atol=1e-5)
    assert (oracle.num_classes, oracle.ledger.queries) == (5, 40)

    labels = Oracle(Remote(server.url, signature_name="label"), answers="label")
    np.testing.assert_array_equal(labels.predict(x), expected.argmax(axis=1))

    settings = {"backoff": 0.05, "read_timeout": 1.0, "concurrency": 2}
    for faults in (["429"], ["500"], ["slow"], ["429", "500", "slow"]):
        server.fail_next(*faults)
        oracle = Oracle(Remote(server.url, **settings), batch_size=16)
        np.testing.assert_allclose(oracle.predict(x), expected, atol=1e-5)
        # A slow answer holds up whatever KServe was asked after it, so there may be more.
        assert oracle.ledger.retries >= len(faults)
        assert oracle.ledger.refusals == {}

    server.fail_next("shapes")
    oracle = Oracle(Remote(server.url), answers="label", batch_size=10)
    answers = oracle.predict(x)
    np.testing.assert_array_equal(answers[:10], -1)
    np.testing.assert_array_equal(answers[10:], expected[10:].argmax(axis=1))
    assert oracle.ledger.refusals == {"wrong number of rows": 10}

    # Killed while rows are under way, restarted while the client waits.
    patient = Remote(server.url, attempts=100, rows_per_second=20, read_timeout=60.0)
    oracle = Oracle(patient, batch_size=1)

    def kill_and_restart():
        server.kill()
        server.start(wait=False)

    timer = threading.Timer(0.7, kill_and_restart)
    timer.start()
    answers = oracle.predict(x)
    timer.join()
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    assert oracle.ledger.retries > 0
    assert oracle.ledger.queries == 40
