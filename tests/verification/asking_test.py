"""Suspects that fail, stay silent or are asked under cover."""

import collections
import http.server
import json
import threading
import time

import numpy as np
import pytest

import ewe_tf
from ewe_tf.oracle import Remote
from ewe_tf.verification import Cover
from ewe_tf.verification import calibrate
from ewe_tf.verification import check_bundle
from ewe_tf.verification.asking import PATIENCE


@pytest.fixture
def key(make_key, suspect):
    return calibrate(make_key(), [suspect(0.0), suspect(0.01), suspect(0.02)])


def test_a_suspect_that_raises_gives_no_traceback(key):
    def broken(x):
        raise ConnectionError("no route\nto the model")

    verdict = ewe_tf.verify(key, broken)
    assert verdict.decision == "could not tell"
    assert verdict.reason == "ConnectionError: no route to the model"
    assert verdict.asked == 0 and verdict.p_value == 1.0
    assert ewe_tf.verify(key, broken, sequential=False).decision == "could not tell"


def test_a_suspect_that_breaks_half_way_keeps_what_it_said(key):
    calls = []

    def tires(x):
        calls.append(len(x))
        if len(calls) > 5:
            return np.zeros((len(x), 3, 3))
        return np.full(len(x), 5)

    verdict = ewe_tf.verify(key, tires)
    assert verdict.decision == "could not tell" and verdict.asked == 5
    assert "must answer" in verdict.reason


@pytest.mark.parametrize(
    "garbage",
    [
        lambda x: None,
        lambda x: "3",
        lambda x: [[0.5], [0.5, 0.5]],
        lambda x: np.array([{}] * len(x)),
        lambda x: np.full(len(x), np.nan),
        lambda x: np.full((len(x), 10), np.inf),
        lambda x: np.full(len(x), 2**62),
        lambda x: np.full(len(x), 0.5),
        lambda x: np.full(len(x), 3j),
        lambda x: np.zeros((len(x) + 1, 10)),
        lambda x: np.zeros((0, 10)),
        lambda x: 1 / 0,
        lambda x: {}["answer"],
    ],
)
@pytest.mark.parametrize("form", ["label", "probabilities"])
def test_garbage_gives_no_traceback_and_no_evidence(key, garbage, form, tmp_path):
    path = tmp_path / "b.zip"
    verdict = ewe_tf.verify(key, ewe_tf.Oracle(garbage, answers=form), bundle=path)
    assert verdict.decision in ("no evidence", "could not tell")
    found = check_bundle(path)
    assert found.holds and found.decision == verdict.decision


def test_a_silent_suspect_is_left_after_a_few_pairs(key):
    verdict = ewe_tf.verify(key, lambda x: np.full(len(x), -1))
    assert (verdict.decision, verdict.asked) == ("could not tell", PATIENCE)
    assert verdict.refusals == {"no label": 2 * PATIENCE}
    assert "no usable answer" in verdict.reason and "no label: 6 rows" in verdict.reason


def test_a_server_that_is_not_there_gives_the_reason(key):
    remote = Remote("http://127.0.0.1:9/v1/models/none", attempts=1, connect_timeout=1)
    verdict = ewe_tf.verify(key, remote)
    assert verdict.decision == "could not tell"
    assert verdict.refusals == {"connection failed": 2 * PATIENCE}
    assert "connection failed" in str(verdict)


def test_what_a_server_says_is_passed_on(key):
    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"error": "no such model here"}'
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1/models/toy"
        verdict = ewe_tf.verify(key, url)
        server.shutdown()
    assert verdict.decision == "could not tell" and verdict.suspect == url
    assert "HTTP 404" in verdict.reason and "no such model here" in verdict.reason


def test_a_server_that_fails_in_every_way_and_comes_back_is_verified(key):
    """Errors, nonsense, a death and a new birth on the same port, in mid-verification."""
    faults = [
        None, (500, b""), (429, b""), (200, b"nonsense"), None, "die", None, (503, b""), None,
        (200, b'{"predictions": [[1]]}'),
    ]  # fmt: skip
    servers = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
            fault = faults.pop(0) if faults else None
            if fault == "die":
                threading.Thread(target=restart, daemon=True).start()
                self.close_connection = True
                return
            answer = {"predictions": [3 if row[0] == 1 else 5 for row in rows]}
            status, body = fault or (200, json.dumps(answer).encode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    def start(port=0):
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        return servers[-1].server_address[1]

    def restart():
        servers[-1].shutdown()
        servers[-1].server_close()
        time.sleep(0.3)
        start(port)

    port = start()
    remote = Remote(f"http://127.0.0.1:{port}/v1/models/toy", backoff=0.2)
    verdict = ewe_tf.verify(key, remote)
    servers[-1].shutdown()
    servers[-1].server_close()
    assert verdict.decision == "evidence", str(verdict)
    # Two answers were nonsense: their triggers count as misses, their controls as hits.
    assert verdict.refused == 4 and verdict.hits == verdict.asked - 2 and len(servers) == 2


def test_a_suspect_that_refuses_triggers_only_is_asked_to_the_end(key):
    verdict = ewe_tf.verify(key, lambda x: np.where(x[:, 0] == 1, -1, 5))
    assert verdict.decision == "could not tell" and verdict.asked == 100
    assert "100 rows without a usable answer could have decided it" in verdict.reason


def test_the_budget_of_an_oracle_limits_the_pairs(key, suspect):
    oracle = ewe_tf.Oracle(suspect(0.0), answers="label", budget=7)
    verdict = ewe_tf.verify(key, oracle)
    assert (verdict.asked, oracle.ledger.queries) == (3, 6)
    oracle = ewe_tf.Oracle(suspect(0.0), answers="label", budget=1)
    assert "budget" in ewe_tf.verify(key, oracle).reason


def test_triggers_are_hidden_among_benign_rows(key):
    benign = np.full((5, 6), 0.5, np.float32) + np.arange(5)[:, None] / 100
    asked, positions = [], []

    def answer(x):
        asked.append(x)
        positions.append(int(np.flatnonzero(x[:, 0] == 1)[0]))
        return np.where(x[:, 0] == 1, 3, 5)

    verdict = ewe_tf.verify(key, answer, cover=Cover(benign, per_pair=4), alpha=1e-12)
    assert verdict.decision == "evidence"
    assert verdict.queries == 6 * verdict.asked == sum(len(x) for x in asked)
    # Trigger and control are anywhere in a block; with 1/6 for each place, all occur.
    assert set(positions) == set(range(6))
    used = collections.Counter(
        float(v) for x in asked for v in x[(x[:, 0] > 0) & (x[:, 0] < 1), 0].round(2)
    )
    assert max(used.values()) - min(used.values()) <= 1 and len(used) == 5


def test_cover_of_another_shape_is_refused_before_any_query(key):
    def never(x):
        raise AssertionError("the suspect was asked")

    with pytest.raises(ValueError, match="`cover` must hold rows of the triggers' shape"):
        ewe_tf.verify(key, never, cover=np.zeros((3, 7), np.float32))
    with pytest.raises(ValueError, match="`per_pair` must be a positive integer"):
        Cover(np.zeros((3, 6)), per_pair=0)


def test_the_order_follows_the_commitment(make_key):
    def order(key):
        rows = []

        def answer(x):
            rows.extend(x[:, 1].tolist())
            return np.full(len(x), 5)

        ewe_tf.verify(key, answer)
        return rows

    one, other = make_key(), make_key(seed=2)
    assert order(one) == order(one)
    assert order(one) != order(other)


def test_progress_is_told_on_stderr_if_it_takes_long(key, capsys, monkeypatch, suspect):
    clock = iter(range(10_000))
    monkeypatch.setattr("ewe_tf.verification.asking.time.monotonic", lambda: next(clock))
    ewe_tf.verify(key, suspect(0.0), verbose=True)
    assert "of 100 triggers, 0 hits" in capsys.readouterr().err
    ewe_tf.verify(key, suspect(0.0), verbose=False)
    assert capsys.readouterr().err == ""
