"""The verdict: what the evidence says, in words of evidence, with everything it rests on."""

import dataclasses
import json

EVIDENCE = "evidence"
NO_EVIDENCE = "no evidence"
UNDECIDED = "could not tell"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the answers of one suspect say about one key.

    Attributes:
        decision: `"evidence"`, `"no evidence"` or `"could not tell"` (with the reason).
        reason: one sentence: which p-value decided, or why nothing could be told.
        alpha: the level that was asked for.
        p_value: the deciding p-value, the largest of those in `p_values` that must all be small.
        p_values: dict from test to p-value.
        e_value: the smallest of the e-values (sequential verification; else `None`).
        hits, asked: expected answers among the triggers asked.
        rate, interval: their share and its 95 % interval (valid at every stopping time where
            the verification was sequential).
        control_hits, controls: the same among the matched controls.
        refused: rows without a usable answer: triggers among them count as misses, controls as
            hits.
        null_rate: the rate that the triggers' answers were tested against.
        null_source: where it comes from.
        conformal_p_value: share of innocent models (and the suspect) with a rate at least as
            large; `None` without calibration.
        false_positive_bound: upper 95 % bound on the share of innocent models at or above the
            null rate; `None` without calibration.
        queries: rows sent to the suspect.
        seconds: duration.
        assumptions: what must hold for the p-values to be right.
        evidence_path: e-values after each trigger asked, as natural logarithms.
        scheme, commitment, suspect, versions: what was verified, against what, with what.
    """

    decision: str
    reason: str
    alpha: float
    p_value: float
    p_values: dict
    e_value: float | None
    hits: int
    asked: int
    rate: float
    interval: tuple
    control_hits: int
    controls: int
    refused: int
    null_rate: float
    null_source: str
    conformal_p_value: float | None
    false_positive_bound: float | None
    queries: int
    seconds: float
    assumptions: tuple
    evidence_path: tuple
    scheme: str
    commitment: str
    suspect: str
    versions: dict

    def __bool__(self):
        raise TypeError(
            "A verdict is not a boolean: compare `verdict.decision` with 'evidence', "
            "'no evidence' or 'could not tell'"
        )

    def to_json(self, path=None):
        """The verdict as JSON text; also written to `path` if given."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        return text

    @classmethod
    def from_json(cls, text):
        """The verdict that `to_json` wrote."""
        fields = json.loads(text)
        for name in ("interval", "assumptions", "evidence_path"):
            fields[name] = tuple(fields[name])
        return cls(**fields)

    def rows(self):
        """The compact table as pairs (name, value)."""
        low, high = self.interval
        lines = [
            ("verdict", f"{self.decision} at level {self.alpha:g}"),
            ("because", self.reason),
            (
                "triggers",
                f"{self.hits} of {self.asked} answered as the key expects: {self.rate:.1%} "
                f"(95 % interval {low:.1%} to {high:.1%})",
            ),
            ("controls", f"{self.control_hits} of {self.controls}"),
            ("null rate", f"{self.null_rate:.1%}: {self.null_source}"),
            ("p-value", f"{self.p_value:.2g}" + self._tests()),
        ]
        if self.e_value is not None:
            lines.append(("e-value", f"{self.e_value:.3g}"))
        if self.conformal_p_value is not None:
            lines.append(
                (
                    "innocent models",
                    f"conformal p {self.conformal_p_value:.2g}; at most "
                    f"{self.false_positive_bound:.1%} of their kind reach the null rate "
                    "(95 % bound)",
                )
            )
        refused = f", {self.refused} without a usable answer" if self.refused else ""
        lines.append(("queries", f"{self.queries} in {self.seconds:.1f} s{refused}"))
        lines.append(("suspect", self.suspect))
        lines.append(("key", f"{self.scheme}, commitment {self.commitment[:16]}…"))
        lines += [("assumed", line) for line in self.assumptions]
        return lines

    def __str__(self):
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)

    def _tests(self):
        if len(self.p_values) < 2:
            return ""
        parts = ", ".join(f"{name} {p:.2g}" for name, p in self.p_values.items())
        return f" (the largest of: {parts})"
