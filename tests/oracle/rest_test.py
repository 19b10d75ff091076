"""The remote client against a server that does everything wrong, one thing at a time."""

import json
import random
import threading

import numpy as np
import pytest

from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Ledger
from ewe_tf.oracle import Oracle
from ewe_tf.oracle import Remote
from ewe_tf.oracle.patience import Deadline
from ewe_tf.oracle.patience import RateLimit
from ewe_tf.oracle.serving_json import Refusal
from ewe_tf.oracle.serving_json import decode
from ewe_tf.oracle.serving_json import encode

X = np.array([[1, 3], [1, 1], [9, 1], [0, 5], [2, 8]], np.float32)
ANSWERS = np.array([[0.25, 0.75], [0.5, 0.5], [0.9, 0.1], [0, 1], [0.2, 0.8]], np.float32)
LABELS = [1, 0, 0, 1, 1]


def reply(status, body=b"", **headers):
    def fault(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return fault


def answer(predictions):
    return reply(200, json.dumps({"predictions": predictions}).encode())


def drop(handler):
    handler.close_connection = True
    handler.connection.close()


def cut_short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"predictions": [')
    handler.close_connection = True


def remote(script, **settings):
    return Remote(script.url, **{"backoff": 0.01, "deadline": 20.0, **settings})


@pytest.mark.parametrize("request_form", ["instances", "inputs"])
def test_probabilities_and_labels(script, request_form):
    oracle = Oracle(remote(script, request=request_form, batch_size=2))
    np.testing.assert_allclose(oracle.predict(X), ANSWERS, atol=1e-6)
    assert oracle.num_classes == 2
    assert [len(request[request_form]) for request in script.requests] == [2, 2, 1]
    assert script.requests[0]["path"] == "/v1/models/toy:predict"
    assert Oracle(script.url, answers="label").predict(X).tolist() == LABELS
    assert oracle.ledger.refusals == {}


def test_versions_signatures_and_named_inputs(script):
    url = script.url + "/versions/3:predict"
    box = Remote(url, signature_name="label", input_name="image")
    script.faults = [answer([1, 0, 0, 1, 1])]
    assert Oracle(box, answers="label").predict(X).tolist() == LABELS
    request = script.requests[0]
    assert request["path"] == "/v1/models/toy/versions/3:predict"
    assert request["signature_name"] == "label"
    assert request["instances"][0] == {"image": [1, 3]}
    assert box.url == script.url + "/versions/3"


def test_rows_arrive_bit_for_bit(script):
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    Oracle(remote(script)).predict(x)
    np.testing.assert_array_equal(np.float32(script.requests[0]["instances"]), x)


def test_label_only_server(script):
    script.model = lambda rows: rows.argmax(axis=1).tolist()
    oracle = Oracle(remote(script), answers="label")
    assert oracle.predict(X).tolist() == LABELS
    with pytest.raises(ValueError, match='`answers` must be "label"'):
        Oracle(remote(script)).predict(X)


def test_logits_are_given_as_probabilities(script):
    script.model = lambda rows: np.log(ANSWERS + 1e-9).tolist()
    np.testing.assert_allclose(Oracle(remote(script)).predict(X), ANSWERS, atol=1e-6)


@pytest.mark.parametrize(
    "fault",
    [
        reply(500),
        reply(502),
        reply(503, Retry_After="0"),
        reply(504),
        reply(429, Retry_After="0.01"),
        reply(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
        drop,
        cut_short,
    ],
)
def test_passing_faults_are_overcome(script, fault):
    script.faults = [fault, fault]
    oracle = Oracle(remote(script))
    np.testing.assert_allclose(oracle.predict(X), ANSWERS, atol=1e-6)
    assert (oracle.ledger.queries, oracle.ledger.retries) == (5, 2)
    assert oracle.ledger.refusals == {}


def test_slow_answers_time_out_and_are_asked_again(script):
    release = threading.Event()
    script.faults = [lambda handler: release.wait(20)]
    oracle = Oracle(remote(script, read_timeout=0.2))
    np.testing.assert_allclose(oracle.predict(X), ANSWERS, atol=1e-6)
    release.set()
    assert oracle.ledger.retries == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (reply(400, b'{"error": "bad"}'), "HTTP 400"),
        (reply(302, Location="http://127.0.0.1:9/"), "HTTP 302"),
        (reply(200, b"<html>"), "invalid JSON"),
        (reply(200, b"[" * 100_000), "invalid JSON"),
        (reply(200, b'{"error": "no"}'), "no predictions"),
        (reply(200, b'{"predictions": {"a": 1, "b": 2}}'), "no predictions"),
        (answer([[0.5, 0.5]]), "wrong number of rows"),
        (answer([["cat", "dog"]] * 5), "malformed row"),
        (answer([None] * 5), "malformed row"),
        (answer([True] * 5), "malformed row"),
        (answer([float("nan")] * 5), "malformed row"),
        (answer([-1] * 5), "malformed row"),
        (answer([[float("nan"), 0.5]] * 5), "not finite"),
        (answer([[1e300, 0.5]] * 5), "not finite"),
        (answer([[10**400, 0.5]] * 5), "malformed row"),
    ],
)
def test_unusable_answers_refuse_the_rows_and_not_the_run(script, fault, reason):
    script.faults = [fault]
    oracle = Oracle(remote(script), answers="label", budget=10)
    assert oracle.predict(X).tolist() == [-1] * 5
    assert oracle.ledger.refusals == {reason: 5}
    assert (oracle.ledger.queries, oracle.ledger.retries) == (5, 0)
    assert oracle.predict(X).tolist() == LABELS
    with pytest.raises(BudgetExceeded):
        oracle.predict(X)
    assert len(script.requests) == 2


def test_only_the_bad_rows_are_refused(script):
    script.faults = [answer([[0.25, 0.75], [0.5], [0.9, 0.1, 0.0], 1, [0.2, 0.8]])]
    oracle = Oracle(remote(script), ledger=Ledger(record=True))
    answers = oracle.predict(X)
    np.testing.assert_allclose(answers[[0, 4]], ANSWERS[[0, 4]], atol=1e-6)
    assert np.isnan(answers[1:4]).all()
    assert oracle.ledger.refusals == {
        "malformed row": 1,
        "wrong number of classes": 1,
        "a label in place of scores": 1,
    }
    assert [entry.reason for entry in oracle.ledger.entries][::4] == [None, None]
    assert oracle.ledger.entries[1].answer is None


def test_answers_by_name(script):
    rows = [{"probabilities": row.tolist(), "label": 1} for row in ANSWERS]
    script.faults = [answer(rows), answer(rows)]
    np.testing.assert_allclose(Oracle(remote(script)).predict(X), ANSWERS, atol=1e-6)
    chosen = Oracle(remote(script, output_name="label"), answers="label")
    assert chosen.predict(X).tolist() == [1] * 5


def test_refusals_only(script):
    script.faults = [reply(403)] * 2
    assert Oracle(remote(script)).predict(X).shape == (5, 0)
    known = Oracle(remote(script, num_classes=2)).predict(X)
    assert known.shape == (5, 2)
    assert np.isnan(known).all()


def test_server_that_is_not_there(script):
    script.stop()
    oracle = Oracle(remote(script, attempts=3, batch_size=1), answers="label")
    assert oracle.predict(X).tolist() == [-1] * 5
    assert oracle.ledger.refusals == {"connection failed": 5}
    assert oracle.ledger.retries == 2, "after the first give-up each row is tried once"


def test_server_killed_and_restarted_in_mid_run(script):
    def die(handler):
        drop(handler)
        threading.Thread(target=restart).start()

    def restart():
        script.stop()
        threading.Event().wait(0.2)
        script.start()

    script.faults = [answer(ANSWERS[:1].tolist()), die]
    oracle = Oracle(remote(script, batch_size=1, attempts=12, backoff=0.05))
    np.testing.assert_allclose(oracle.predict(X), ANSWERS, atol=1e-6)
    assert oracle.ledger.retries > 0


def test_deadline_ends_a_call_whatever_the_server_does(script):
    release = threading.Event()

    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not release.wait(0.05):
            handler.wfile.write(b" ")

    script.faults = [drip]
    oracle = Oracle(remote(script, deadline=0.5), answers="label")
    assert oracle.predict(X).tolist() == [-1] * 5
    release.set()
    assert oracle.ledger.refusals == {"deadline passed": 5}


def test_a_wait_past_the_deadline_is_not_waited_for(script):
    script.faults = [reply(429, Retry_After="86400")]
    oracle = Oracle(remote(script), answers="label")
    assert oracle.predict(X).tolist() == [-1] * 5
    assert oracle.ledger.refusals == {"HTTP 429": 5}


def test_retry_after_is_waited_for_by_all_threads(script, monkeypatch):
    slept, paused = [], []
    monkeypatch.setattr(Deadline, "sleep", lambda self, seconds: slept.append(seconds) or True)
    monkeypatch.setattr(RateLimit, "pause", lambda self, seconds: paused.append(seconds))
    script.faults = [reply(429, Retry_After="7")]
    np.testing.assert_allclose(Oracle(remote(script)).predict(X), ANSWERS, atol=1e-6)
    assert max(slept) == 7
    assert paused == [7]


def test_concurrent_requests_keep_the_order(script):
    together = threading.Barrier(4)
    plain = script.model

    def model(rows):
        together.wait(10)  # Passes only if four requests are under way at a time.
        return plain(rows)

    script.model = model
    x = np.random.default_rng(1).uniform(size=(8, 2)).astype(np.float32)
    answers = Oracle(remote(script, concurrency=4, batch_size=2)).predict(x)
    np.testing.assert_allclose(answers, x / x.sum(axis=1, keepdims=True), atol=1e-6)


def test_secrets_come_from_the_environment_and_stay_there(script, monkeypatch, caplog):
    secret = "Bearer s3cr3t-t0ken"
    monkeypatch.setenv("EWE_TF_TEST_TOKEN", secret)
    box = remote(script, header_env={"Authorization": "EWE_TF_TEST_TOKEN"})
    ledger = Ledger(record=True)
    oracle = Oracle(box, answers="label", ledger=ledger)
    script.faults = [reply(401, b'{"error": "s3cr3t-t0ken is not valid"}')]
    oracle.predict(X)
    assert script.headers[0]["Authorization"] == secret
    assert box.last_error == '{"error": "*** is not valid"}'
    told = [repr(oracle), repr(ledger), str(ledger.entries), repr(vars(box)), caplog.text]
    assert not any("s3cr3t" in text for text in told)
    assert "EWE_TF_TEST_TOKEN" in repr(vars(box)), "the search above looks at the right place"
    monkeypatch.delenv("EWE_TF_TEST_TOKEN")
    with pytest.raises(ValueError, match="'EWE_TF_TEST_TOKEN' .* is not set"):
        oracle.predict(X)
    monkeypatch.setenv("EWE_TF_TEST_TOKEN", "s3cr3t\r\nX: y")
    with pytest.raises(ValueError, match="printable") as refusal:
        oracle.predict(X)
    assert "s3cr3t" not in str(refusal.value)


def test_secrets_over_clear_text_are_warned_of(monkeypatch):
    monkeypatch.setenv("EWE_TF_TEST_TOKEN", "abcdef")
    with pytest.warns(UserWarning, match="without a verified TLS"):
        Remote(
            "http://model.invalid/v1/models/m",
            header_env={"Authorization": "EWE_TF_TEST_TOKEN"},
        )


@pytest.mark.parametrize(
    "url",
    [
        "http://host/v2/models/m",
        "http://host/v1/models/",
        "http://host/v1/models/a b",
        "http://host/v1/models/m/versions/x",
        "http://host:port/v1/models/m",
        "http:///v1/models/m",
        "ftp://host/v1/models/m",
    ],
)
def test_other_urls(url):
    with pytest.raises(ValueError, match="/v1/models/NAME"):
        Remote(url)


def test_credentials_in_the_url_are_refused_unseen():
    for url in ("http://me:hunter2@host/v1/models/m", "http://host/v1/models/m?key=hunter2"):
        with pytest.raises(ValueError, match="header_env") as refusal:
            Remote(url)
        assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"request": "rows"},
        {"outputs": "softmax"},
        {"batch_size": 0},
        {"concurrency": 65},
        {"attempts": 0},
        {"deadline": 0},
        {"read_timeout": float("inf")},
        {"rows_per_second": -1},
        {"requests_per_second": "fast"},
        {"backoff": 0},
    ],
)
def test_bad_settings(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        Remote("http://127.0.0.1:1/v1/models/m", **setting)


def test_missing_file_of_authorities():
    with pytest.raises(ValueError, match="`tls` must be"):
        Remote("https://127.0.0.1:1/v1/models/m", tls="/nowhere/authorities.pem")


def test_known_shape_is_checked_before_anything_is_sent(script):
    oracle = Oracle(remote(script, input_shape=(2,)))
    with pytest.raises(ValueError, match=r"\(rows, 2\)"):
        oracle.predict(np.zeros((3, 4)))
    assert (script.requests, oracle.ledger.queries) == ([], 0)


def test_encoding_by_hand():
    rows = np.array([[0.5], [2.0]], np.float32)
    assert json.loads(encode(rows)) == {"instances": [[0.5], [2.0]]}
    assert json.loads(encode(rows, "inputs", "s", "x")) == {
        "signature_name": "s",
        "inputs": {"x": [[0.5], [2.0]]},
    }


def test_random_edits_of_an_answer_never_raise():
    """2,000 damaged answers: each row is a label, scores, or a refusal with a reason."""
    good = json.dumps({"predictions": [[0.25, 0.75], {"label": 3}, 1, [0.5, 0.5]]}).encode()
    generator = random.Random(0)
    changed = 0
    for _ in range(2000):
        body = bytearray(good)
        for _ in range(generator.randint(1, 4)):
            place = generator.randrange(len(body))
            edit = generator.choice(("flip", "cut", "double", "insert"))
            if edit == "flip":
                body[place] ^= 1 << generator.randrange(8)
            elif edit == "cut":
                del body[place : place + generator.randint(1, 9)]
            elif edit == "double":
                body[place:place] = body[place : place + 20]
            else:
                body[place:place] = generator.choice((b"-", b"9" * 400, b"[", b"e999", b"NaN"))
        rows = decode(bytes(body), 4)
        assert len(rows) == 4
        for row in rows:
            assert isinstance(row, int | np.ndarray | Refusal)
        changed += any(isinstance(row, Refusal) for row in rows)
    assert changed > 1000
