"""The verdict on a key whose mark lies in answers that a secret has changed."""

import dataclasses
import json
import math
import time

import numpy as np

from ewe_tf.verification import checks
from ewe_tf.verification import signal_evidence
from ewe_tf.verification import verdict as verdicts
from ewe_tf.verification.questions import Questions
from ewe_tf.verification.sign_bets import SignBets

_ASSUMPTIONS = (
    "the key's secrets were drawn at random and committed to before the suspect existed",
    "an innocent suspect's answers do not depend on them; no innocent model is needed",
)


@dataclasses.dataclass(frozen=True)
class SignalVerdict:
    """What the answers of one suspect say about one `SignalKey` or `FlipKey`.

    Attributes:
        decision: `"evidence"`, `"no evidence"` or `"could not tell"`.
        reason: one sentence.
        alpha: the level that was asked for.
        p_value: of the fixed-size test; 1 over the largest e-value after a sequential one.
        test: where the p-value comes from.
        clients: dict from client to p-value, corrected for their number (Holm).
        probes: probes that counted.
        queries: rows sent to the suspect.
        seconds: duration.
        evidence_path: pairs (rows sent, natural logarithm of the e-value) after each look of a
            sequential verification; else empty.
        assumptions: what must hold for the p-value to be right.
        scheme, commitment, suspect, versions: what was verified, against what, with what.
    """

    decision: str
    reason: str
    alpha: float
    p_value: float
    test: str
    clients: dict
    probes: int
    queries: int
    seconds: float
    evidence_path: tuple
    assumptions: tuple
    scheme: str
    commitment: str
    suspect: str
    versions: dict

    def __bool__(self):
        raise TypeError("A verdict is not a boolean: compare `verdict.decision` with a string")

    @property
    def named(self):
        """Clients whose p-value is at most `alpha`: a copy of one, or of several in collusion."""
        return tuple(name for name, p in self.clients.items() if p <= self.alpha)

    def to_json(self, path=None):
        """The verdict as JSON text; also written to `path` if given."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        return text

    def rows(self):
        """The compact table as pairs (name, value)."""
        return [
            ("verdict", f"{self.decision} at level {self.alpha:g}"),
            ("because", self.reason),
            ("p-value", f"{self.p_value:.2g}, {self.test}"),
            *((f"client {name}", f"p {p:.2g}") for name, p in self.clients.items()),
            ("probes", f"{self.probes} counted; {self.queries} queries in {self.seconds:.1f} s"),
            ("suspect", self.suspect),
            ("key", f"{self.scheme}, commitment {self.commitment[:16]}…"),
            *(("assumed", line) for line in self.assumptions),
        ]

    def __str__(self):
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


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
        name: what the verdict calls the suspect.

    Returns:
        A `SignalVerdict`.

    Raises:
        ValueError: before the first query, for arguments out of range, a suspect of another input
            shape, or a key that does not match `commitment`.
    """
    count = checked(key, alpha, max_queries, commitment, len(key.probes))
    asked = key.first(count)
    signal_evidence.check_clients(key, clients)
    start = time.monotonic()
    questions = Questions(key, suspect, "probabilities")
    if sequential and not clients:
        found = _block_by_block(asked, questions, alpha, epoch)
    else:
        found = _all_at_once(asked, questions, alpha, clients, epoch)
    return SignalVerdict(
        alpha=float(alpha),
        queries=questions.queries,
        seconds=time.monotonic() - start,
        assumptions=_ASSUMPTIONS,
        suspect=name or (suspect if isinstance(suspect, str) else type(suspect).__name__),
        **found,
        **described(key),
    )


def checked(key, alpha, max_queries, commitment, rows):
    """Checks what all verifications by secret signs take; the number of rows to send."""
    checks.rate("alpha", alpha)
    if max_queries is not None:
        checks.positive_int("max_queries", max_queries)
    if commitment is not None and str(commitment).strip().lower() != key.commitment():
        raise ValueError(f"The key does not match `commitment`. Its own is {key.commitment()}")
    return min(rows, max_queries or rows)


def described(key):
    """What a verdict says of a key."""
    return {
        "scheme": key.scheme,
        "commitment": key.commitment(),
        "versions": dict(key.versions),
    }


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
        answers = questions.ask(key.probes[rows]) if len(rows) else None
        if answers is None:
            if questions.failure is None:
                continue
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


def decided(found, alpha, obstacle):
    """Adds the decision and its reason to what was found.

    Args:
        found: dict with `p_value`.
        alpha: the level.
        obstacle: why nothing can be told, or "".
    """
    p_value = found["p_value"]
    if p_value <= alpha:
        decision = verdicts.EVIDENCE
        reason = f"the answers follow the key's secrets, p = {p_value:.2g}"
    elif obstacle:
        decision, reason = verdicts.UNDECIDED, obstacle
    else:
        decision = verdicts.NO_EVIDENCE
        reason = f"fresh secrets would fit the answers as well, p = {p_value:.2g}"
    return {**found, "decision": decision, "reason": reason}
