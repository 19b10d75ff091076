"""Evidence for a signal key, on synthetic suspects."""

import numpy as np
import pytest
from scipy import stats

from ewe_tf.keys import SignalKey
from ewe_tf.keys import derivation
from ewe_tf.verification import signal_cells
from ewe_tf.verification.sign_bets import SignBets
from ewe_tf.verification.signal_evidence import class_order
from ewe_tf.verification.signal_evidence import of_class
from ewe_tf.verification.signal_evidence import signal_evidence

ROWS, CLASSES = 300, 10


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def make_key(carrier="static", shared=1.0, seed=0):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(ROWS, CLASSES))
    logits[np.arange(ROWS), rng.integers(CLASSES, size=ROWS)] += 6
    return SignalKey(
        master=np.frombuffer(derivation.master_key(seed), np.uint8).copy(),
        probes=np.zeros((ROWS, 1), np.float32),
        reference=softmax(logits).astype(np.float32),
        features=rng.normal(size=(ROWS, 5)).astype(np.float32),
        num_classes=CLASSES,
        scheme="DynaMarks",
        settings={"carrier": carrier, "shared": shared, "frequency": 1.5},
        victim="",
        versions={},
    )


def marked(key, strength, client="", noise=1.0, seed=2):
    """A suspect whose log-odds carry the key's tilt, with noise of its own."""
    rng = np.random.default_rng(seed)
    logits = np.log(key.reference.astype(np.float64))
    top = logits.argmax(axis=1)
    table = key.carrier.secrets(key.master_bytes, client)
    if key.settings["carrier"] == "static":
        tilt = table[top]
    else:
        v = key.carrier.direction(key.master_bytes, 5)
        r = 1.5 * (key.features @ v)[:, None]
        tilt = (table[0, top] * np.cos(r) - table[1, top] * np.sin(r)) / np.sqrt(2)
    tilt = np.where(np.arange(CLASSES) == top[:, None], 0, tilt)
    logits = logits + strength * tilt + noise * rng.normal(size=logits.shape)
    return softmax(logits)


@pytest.mark.parametrize("carrier", ["static", "dynamic"])
def test_a_marked_suspect_is_found_and_another_key_finds_nothing(carrier):
    key = make_key(carrier)
    answers = marked(key, 0.7)
    evidence = key.evidence(answers, resamples=9999)
    assert evidence.p_value < 1e-6
    assert evidence.owner.p_value == 1e-4
    assert evidence.log_e_values[-1] > np.log(1e4)
    other = make_key(carrier, seed=9).evidence(answers, resamples=9999)
    assert other.p_value > 1e-3


@pytest.mark.parametrize("carrier", ["static", "dynamic"])
def test_p_values_of_random_keys_are_uniform(carrier):
    """Whatever the suspect: here one that carries the mark of yet another key."""
    answers = marked(make_key(carrier, seed=77), 1.0)
    p_values = [
        make_key(carrier, seed=1000 + i).evidence(answers, resamples=499).owner.p_value
        for i in range(300)
    ]
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("carrier", ["static", "dynamic"])
def test_wealth_crosses_the_level_no_more_often_than_it_may(carrier):
    """At any of the looks; bits of one pair of classes share its secret, and are one bet."""
    answers = marked(make_key(carrier, seed=77), 1.0)
    crossed = []
    for i in range(400):
        key = make_key(carrier, seed=5000 + i)
        bets = SignBets()
        wealth = [bets.add(of_class(key, answers[rows], c, rows)) for c, rows in class_order(key)]
        crossed.append(max(wealth) >= np.log(20))
    assert stats.binomtest(sum(crossed), len(crossed), 0.05, "greater").pvalue > 1e-3


def test_colluding_clients_are_found_and_the_innocent_are_not():
    """Two clients average log-odds: each is left with half of his own signal."""
    key = make_key(shared=0.4)
    logs = [np.log(marked(key, 1.5, client, noise=0.5)) for client in ("alice", "bob")]
    names = ["alice", "bob", "carol", "dave", "erin"]
    evidence = key.evidence(softmax(np.mean(logs, axis=0)), clients=names, resamples=9999)
    assert evidence.p_value < 1e-3
    adjusted = {name: test.adjusted for name, test in evidence.clients.items()}
    assert adjusted["alice"] < 0.01 and adjusted["bob"] < 0.01
    assert min(adjusted[name] for name in names[2:]) > 0.05


def test_temperature_and_confidence_change_nothing():
    key = make_key()
    answers = marked(key, 0.3)
    hot = softmax(np.log(answers) / 3)
    expected = key.evidence(answers, resamples=999).owner.statistic
    assert key.evidence(hot, resamples=999).owner.statistic == pytest.approx(expected)


def test_labels_hold_nothing_and_the_reason_says_so():
    key = make_key()
    evidence = signal_evidence(key, np.argmax(marked(key, 2.0), axis=1))
    assert not evidence.informative
    assert evidence.p_value == 1
    assert "labels" in evidence.reason and "no evidence of innocence" in evidence.reason


def test_one_hot_answers_hold_nothing_either():
    key = make_key()
    answers = np.eye(CLASSES)[marked(key, 2.0).argmax(axis=1)]
    evidence = key.evidence(answers)
    assert not evidence.informative and evidence.p_value == 1


def test_rounded_answers_still_tell():
    key = make_key()
    answers = softmax(np.log(marked(key, 1.0)) / 2)
    assert key.evidence(np.round(answers, 2), resamples=999).p_value < 1e-6


def test_refused_and_contradicting_rows_are_left_out():
    key = make_key()
    answers = marked(key, 1.0, noise=0.1)
    answers[:50] = np.nan
    top = key.reference.argmax(axis=1)
    answers[50:90] = np.eye(CLASSES)[(top[50:90] + 1) % CLASSES]
    evidence = key.evidence(answers, resamples=999)
    assert evidence.probes <= ROWS - 90
    assert evidence.p_value < 1e-6


def test_clients_are_told_apart():
    key = make_key(shared=0.5)
    evidence = key.evidence(marked(key, 1.0, "bob"), clients=["alice", "bob"], resamples=9999)
    assert evidence.p_value < 1e-3
    assert evidence.clients["bob"].adjusted < 1e-3
    assert evidence.clients["alice"].adjusted > 1e-2
    # Holm: the smaller p-value counts twice, the other one once (and not below the first).
    assert evidence.clients["bob"].adjusted == 2 * evidence.clients["bob"].best
    assert evidence.clients["alice"].adjusted == evidence.clients["alice"].best


def test_clients_of_a_key_that_does_not_tell_them_apart():
    key = make_key()
    with pytest.raises(ValueError, match="`clients` must be empty"):
        key.evidence(key.reference, clients=["alice"])


def test_answers_must_fit_the_probes():
    with pytest.raises(ValueError, match="`answers` must be the suspect's"):
        make_key().evidence(np.zeros((ROWS, CLASSES + 1)))


def test_residuals_of_the_victim_itself_are_nothing():
    reference = make_key().reference
    values, top = signal_cells.residuals(np.sqrt(reference), reference)
    np.testing.assert_allclose(values, 0)
    np.testing.assert_array_equal(top, reference.argmax(axis=1))


def test_dynamic_cells_by_hand():
    values = np.array([[0, 2.0, 4.0], [0, 4.0, 2.0], [1.0, 0, 3.0]])
    cells = signal_cells.dynamic_cells(values, np.array([0, 0, -1]), np.array([0, np.pi / 2, 1]))
    root = np.sqrt(2)
    np.testing.assert_allclose(cells[0, 0] * root, [0, 2 / 7, 4 / 7], atol=1e-12)
    np.testing.assert_allclose(cells[1, 0] * root, [0, -4 / 7, -2 / 7], atol=1e-12)
    assert not cells[:, 1:].any()


def test_static_cells_by_hand():
    values = np.array([[0, 2.0, 4.0], [0, 4.0, 2.0], [1.0, 0, 3.0]])
    cells = signal_cells.static_cells(values, np.array([0, 0, -1]))
    np.testing.assert_allclose(cells, [[0, 6 / 7, 6 / 7], [0, 0, 0], [0, 0, 0]])
