"""The verdict on a key whose mark lies in the answers' probabilities (`SignalKey`)."""

import collections
import dataclasses
import json
import time

import numpy as np

from ewe_tf.verification import checks
from ewe_tf.verification import verdict as verdicts
from ewe_tf.verification.asking import check_input_shape
from ewe_tf.verification.asking import failure_of

_ASSUMPTIONS = (
    "the key's secrets were drawn at random and committed to before the suspect existed",
    "an innocent suspect's answers do not depend on them; no innocent model is needed",
)


@dataclasses.dataclass(frozen=True)
class SignalVerdict:
    """What the answers of one suspect say about one `SignalKey`.

    Attributes:
        decision: `"evidence"`, `"no evidence"` or `"could not tell"`.
        reason: one sentence.
        alpha: the level that was asked for.
        p_value: exact, by re-keying; below its resolution the closed bound.
        clients: dict from client to p-value, corrected for their number.
        probes: probes that counted.
        queries: rows sent to the suspect.
        seconds: duration.
        assumptions: what must hold for the p-value to be right.
        scheme, commitment, suspect, versions: what was verified, against what, with what.
    """

    decision: str
    reason: str
    alpha: float
    p_value: float
    clients: dict
    probes: int
    queries: int
    seconds: float
    assumptions: tuple
    scheme: str
    commitment: str
    suspect: str
    versions: dict

    def __bool__(self):
        raise TypeError("A verdict is not a boolean: compare `verdict.decision` with a string")

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
            ("p-value", f"{self.p_value:.2g}, by re-keying"),
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
    key, suspect, *, alpha=1e-3, max_queries=None, commitment=None, clients=(), epoch="", name=None
):
    """Asks a suspect a `SignalKey`'s probes, and tests its answers by re-keying.

    Args:
        key: a `SignalKey`.
        suspect: anything that `ewe_tf.Oracle` takes, or an `Oracle`.
        alpha: level of the decision, in (0, 1).
        max_queries: most probes to send; `None` for all of the key's.
        commitment: the commitment that was published; the key must match it.
        clients: names of clients to tell apart.
        epoch: epoch of the secrets.
        name: what the verdict calls the suspect.

    Returns:
        A `SignalVerdict`.

    Raises:
        ValueError: before the first query, for arguments out of range, a suspect of another input
            shape, or a key that does not match `commitment`.
    """
    from ewe_tf.oracle import Oracle

    checks.rate("alpha", alpha)
    if max_queries is not None:
        checks.positive_int("max_queries", max_queries)
    if commitment is not None and str(commitment).strip().lower() != key.commitment():
        raise ValueError(f"The key does not match `commitment`. Its own is {key.commitment()}")
    start = time.monotonic()
    oracle = suspect if isinstance(suspect, Oracle) else Oracle(suspect)
    count = min(len(key.probes), max_queries or len(key.probes))
    asked = dataclasses.replace(
        key,
        probes=key.probes[:count],
        reference=key.reference[:count],
        features=key.features[:count],
    )
    check_input_shape(key, oracle)
    before = oracle.ledger.queries
    refused_before = collections.Counter(oracle.ledger.refusals)
    failure = None
    try:
        answers = np.asarray(oracle.predict(asked.probes))
    except Exception as error:  # Whatever a suspect does is a finding, not our failure.
        failure = failure_of(error)
    refusals = oracle.ledger.refusals - refused_before
    if failure is None and refusals.total() == count:
        failure = f"no usable answer ({', '.join(f'{r}: {n} rows' for r, n in refusals.items())})"
    if failure is not None:
        answers = np.full((count, key.num_classes), np.nan, np.float32)
    evidence = asked.evidence(answers, clients=clients, epoch=epoch)
    p_value = float(evidence.p_value) if evidence.informative else 1.0
    if failure is not None or not evidence.informative:
        decision, reason = verdicts.UNDECIDED, failure or evidence.reason
    elif p_value <= alpha:
        decision = verdicts.EVIDENCE
        reason = f"the answers follow the key's secrets, p = {p_value:.2g}"
    else:
        decision = verdicts.NO_EVIDENCE
        reason = f"fresh keys fit the answers as well, p = {p_value:.2g}"
    return SignalVerdict(
        decision=decision,
        reason=reason,
        alpha=float(alpha),
        p_value=p_value,
        clients={client: float(test.adjusted) for client, test in evidence.clients.items()},
        probes=int(evidence.probes),
        queries=oracle.ledger.queries - before,
        seconds=time.monotonic() - start,
        assumptions=_ASSUMPTIONS,
        scheme=key.scheme,
        commitment=key.commitment(),
        suspect=name or (suspect if isinstance(suspect, str) else type(suspect).__name__),
        versions=dict(key.versions),
    )
