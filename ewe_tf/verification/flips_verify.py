"""Verification by a `FlipKey`: a client's queries are asked, and the labels held against coins."""

import numpy as np

from ewe_tf.verification import signal_session
from ewe_tf.verification.sequential import EProcess
from ewe_tf.verification.signal_settings import SignalSettings
from ewe_tf.verification.signal_verdict import decided

_BLOCK = 50
_NONE_COUNTS = "The suspect answered none of the chosen queries with one of its two classes"


def verify_flips(
    key,
    suspect,
    *,
    alpha=1e-3,
    max_queries=None,
    sequential=True,
    commitment=None,
    bundle=None,
    name=None,
):
    """Asks a suspect the queries of a client's log, and tests its labels against the coins.

    A suspect that always says the undefended model's label agrees with half of the coins; one
    that learned the flipped labels agrees with more. The sequential form sends 50 queries at a
    time and stops when the bets on the coins have won enough.

    Args:
        key: a `FlipKey`.
        suspect: anything that `ewe_tf.Oracle` takes, or an `Oracle`; labels are enough.
        alpha: level of the decision, in (0, 1).
        max_queries: most queries to send; `None` for all.
        sequential: whether to stop as soon as the evidence suffices.
        commitment: the commitment that was published; the key must match it.
        bundle: path of an evidence bundle to write (`ewe_tf.verification.check_bundle`).
        name: what the verdict calls the suspect.

    Returns:
        A `SignalVerdict`. Where the logs of several clients are tried on one suspect, correct
        the p-values (`ewe_tf.verification.holm`).

    Raises:
        ValueError: before the first query, for arguments out of range, a suspect of another input
            shape or number of classes, or a key that does not match `commitment`.
        OSError: if `bundle` cannot be written.
    """
    settings = SignalSettings.of(key, len(key.queries), alpha, max_queries, sequential, commitment)
    return signal_session.held(METHOD, key, settings, suspect, name, bundle)


def _findings(key, settings, questions):
    from ewe_tf.oracle.answers import labels as labels_of

    process, labels, path = EProcess(0.5), np.full(len(key.queries), -1), []
    step = _BLOCK if settings.sequential else max(settings.rows, 1)
    for first in range(0, settings.rows, step):
        rows = slice(first, min(first + step, settings.rows))
        answers = questions.ask(key.queries[rows])
        if answers is None:
            break
        labels[rows] = labels_of(answers)
        agreed, counts = (part[rows] for part in key.agreement(labels))
        process.update(agreed[counts])
        path.append((questions.queries, float(process.log_e_value)))
        if settings.sequential and process.p_value <= settings.alpha:
            break
    _, counts = key.agreement(labels)
    found = {
        "p_value": float(process.p_value if settings.sequential else key.p_value(labels)),
        "test": f"by {'bets on ' if settings.sequential else ''}fair coins",
        "clients": {},
        "probes": int(counts.sum()),
        "evidence_path": tuple(path) if settings.sequential else (),
    }
    obstacle = questions.failure or ("" if counts.any() else _NONE_COUNTS)
    return decided(found, settings.alpha, obstacle)


METHOD = signal_session.Method(
    "label",
    _findings,
    (
        "the coins follow from a master key that was committed to before the suspect existed "
        "(`FlipKey.follows` checks it)",
        "an innocent suspect's labels do not depend on the coins; no innocent model is needed",
        "queries, and the two classes of each, are the log of what this client was answered",
    ),
)
