"""Verification by a `SignalKey`: its probes are asked, and the answers tested by re-keying."""

import math

import numpy as np

from ewe_tf.verification import checks
from ewe_tf.verification import signal_evidence
from ewe_tf.verification import signal_session
from ewe_tf.verification.sign_bets import SignBets
from ewe_tf.verification.signal_settings import SignalSettings
from ewe_tf.verification.signal_verdict import decided


def verify_signal(
    key,
    suspect,
    *,
    alpha=1e-3,
    max_queries=None,
    sequential=True,
    commitment=None,
    clients=(),
    epoch="",
    bundle=None,
    name=None,
):
    """Asks a suspect a `SignalKey`'s probes, and tests its answers by re-keying.

    The secrets of a class are one block of fair coins under the null hypothesis, however many
    probes measure them. The sequential form asks class after class, bets on each block
    (`SignBets`), and stops when the wealth suffices. The fixed form asks everything and has a
    smaller p-value in the end: exact by re-keying, below its resolution the closed bound.

    Args:
        key: a `SignalKey`.
        suspect: anything that `ewe_tf.Oracle` takes, or an `Oracle`.
        alpha: level of the decision, in (0, 1).
        max_queries: most probes to send; `None` for all of the key's.
        sequential: whether to stop as soon as the evidence suffices. With `clients` everything
            is asked, at fixed size.
        commitment: the commitment that was published; the key must match it.
        clients: names of clients to tell apart; needs a key with `shared` below 1.
        epoch: epoch of the secrets.
        bundle: path of an evidence bundle to write (`ewe_tf.verification.check_bundle`).
        name: what the verdict calls the suspect.

    Returns:
        A `SignalVerdict`.

    Raises:
        TypeError, ValueError: before the first query, for arguments out of range, a suspect of
            another input shape or number of classes, or a key that does not match `commitment`.
        OSError: if `bundle` cannot be written.
    """
    clients = checks.sequence("clients", clients)
    settings = SignalSettings.of(
        key, len(key.probes), alpha, max_queries, sequential, commitment, clients, epoch
    )
    signal_evidence.check_clients(key, clients)
    return signal_session.held(METHOD, key, settings, suspect, name, bundle)


def _findings(key, settings, questions):
    asked = key.first(settings.rows)
    if settings.sequential and not settings.clients:
        return _block_by_block(asked, questions, settings.alpha, settings.epoch)
    return _all_at_once(asked, questions, settings.alpha, settings.clients, settings.epoch)


def _all_at_once(key, questions, alpha, clients, epoch):
    answers = questions.ask(key.probes)
    if answers is None:
        answers = np.full((len(key.probes), key.num_classes), np.nan, np.float32)
    evidence = key.evidence(answers, clients=clients, epoch=epoch)
    found = {
        "p_value": float(evidence.p_value),
        "test": "by re-keying",
        "clients": {client: float(test.adjusted) for client, test in evidence.clients.items()},
        "probes": int(evidence.probes),
        "evidence_path": (),
    }
    return decided(found, alpha, questions.failure or evidence.reason)


def _block_by_block(key, questions, alpha, epoch):
    bets, path, probes, obstacle = SignBets(), [], 0, signal_evidence.NOTHING_BEYOND
    for label, rows in signal_evidence.class_order(key):
        if not len(rows):
            continue
        answers = questions.ask(key.probes[rows])
        if answers is None:
            obstacle = questions.failure
            break
        answers = np.asarray(answers)
        if answers.ndim == 1:
            obstacle = signal_evidence.LABELS_ONLY
            break
        signal_evidence.check_answers(answers, len(rows), key.num_classes)
        values = signal_evidence.of_class(key, answers, label, rows, epoch)
        if values.any():
            obstacle = ""
        kept = np.isfinite(answers).all(axis=1) & (answers.argmax(axis=1) == label)
        probes += int(kept.sum())
        path.append((questions.queries, bets.add(values)))
        if path[-1][1] >= -math.log(alpha):
            break
    largest = max((wealth for _, wealth in path), default=0.0)
    found = {
        "p_value": math.exp(-max(0.0, min(largest, 700.0))),
        "test": "by bets on each class's secrets, valid at every stopping time",
        "clients": {},
        "probes": probes,
        "evidence_path": tuple(path),
    }
    return decided(found, alpha, obstacle)


METHOD = signal_session.Method(
    "probabilities",
    _findings,
    (
        "the key's secrets were drawn at random and committed to before the suspect existed",
        "an innocent suspect's answers do not depend on them; no innocent model is needed",
        "the key's reference is what the undefended model says to its probes, as it came",
    ),
)
