"""The verdict on a key whose mark lies in answers that a secret has changed."""

import dataclasses
import json

from ewe_tf.verification import verdict as verdicts


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

    @classmethod
    def from_json(cls, text):
        """The verdict that `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: for any other text.
        """
        fields = json.loads(text)
        path = tuple(tuple(step) for step in fields["evidence_path"])
        return cls(**{**fields, "evidence_path": path, "assumptions": tuple(fields["assumptions"])})

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
