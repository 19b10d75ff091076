"""The verdict: what the evidence says, in words of evidence, with everything it rests on."""

import dataclasses
import json

from ewe_tf.keys.digest import json_digest

EVIDENCE = "evidence"
NO_EVIDENCE = "no evidence"
UNDECIDED = "could not tell"
DECISIONS = (EVIDENCE, NO_EVIDENCE, UNDECIDED)


class VerdictError(ValueError):
    """A text that is no verdict, or one that was edited."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the answers of one suspect say about one key.

    Attributes:
        decision: `"evidence"`, `"no evidence"` or `"could not tell"` (with the reason).
        reason: one sentence: which p-value decided, or why nothing could be told.
        alpha: the level that was asked for.
        p_value: the deciding p-value: the larger of those of the two hypotheses. Of a key of m
            marks the smallest of twice that of all triggers and 2m times that of each mark; where
            the ranks were tested as well, twice the smaller one of this and the ranks' larger one.
        p_values: dict from hypothesis to p-value.
        e_value: the smaller of the two hypotheses' e-values (sequential verification; else
            `None`): evidence that may be multiplied with that of another key's verdict. Of a key
            of m marks half of that of all triggers and half of the marks' mean.
        hits, asked: expected answers among the triggers asked.
        rate, interval: their share and its 95 % interval (valid at every stopping time where
            the verification was sequential).
        control_hits, controls: the same among the matched controls.
        refused: rows without a usable answer: triggers among them count as misses, controls as
            hits.
        null_rate: the rate that the triggers' answers were tested against. (Those of one of
            several marks are tested against its own, which `null_source` states; what follows
            on innocent models is of all triggers.)
        null_source: where it comes from.
        conformal_p_value: share of innocent models (and the suspect) with a rate at least as
            large; after sequential stopping it is a description only, because the rates are
            compared on triggers whose number the suspect's answers chose. It does not decide.
            `None` without calibration.
        false_positive_bound: upper 95 % bound on the share of innocent models at or above the
            null rate; `None` without calibration.
        queries: rows sent to the suspect, benign ones included.
        seconds: duration.
        assumptions: what must hold for the p-values to be right.
        evidence_path: 1 divided by the p-value after each trigger asked, as natural logarithms
            (sequential verification; else empty).
        scheme, commitment, suspect, versions: what was verified, against what, with what.
        triggers: the part of the key that was asked, `"keys"` or `"held_out"`.
        refusals: dict from reason to the number of rows without a usable answer.
        random_effects_p_value: of "the suspect is one more innocent model", which assumes that
            the logits of innocent models' rates follow a t distribution; after sequential
            stopping it is a description only. It does not decide. `None` with fewer than three
            independent innocent models.
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
    triggers: str = "keys"
    refusals: dict = dataclasses.field(default_factory=dict)
    random_effects_p_value: float | None = None

    def __bool__(self):
        raise TypeError(
            "A verdict is not a boolean: compare `verdict.decision` with 'evidence', "
            "'no evidence' or 'could not tell'"
        )

    def to_json(self, path=None):
        """The verdict as JSON text, with a digest of itself; also written to `path` if given."""
        fields = json.loads(json.dumps(dataclasses.asdict(self), allow_nan=False))
        text = json.dumps({**fields, "sha256": json_digest(fields)}, indent=1)
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        return text

    @classmethod
    def from_json(cls, text):
        """The verdict that `to_json` wrote.

        Raises:
            VerdictError: for any other text, and for one that does not match its digest.
        """
        try:
            fields = json.loads(text)
            stated = fields.pop("sha256")
            if stated != json_digest(fields):
                raise VerdictError("The verdict was edited: it does not match its own digest")
            for name in ("interval", "assumptions", "evidence_path"):
                fields[name] = tuple(fields[name])
            verdict = cls(**fields)
        except VerdictError:
            raise
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise VerdictError(
                f"This is no verdict of ewe_tf ({type(error).__name__}: {str(error)[:100]})"
            ) from None
        if verdict.decision not in DECISIONS:
            raise VerdictError(f"There is no decision {verdict.decision!r}")
        return verdict

    def plot(self, path):
        """Draws the evidence over the triggers asked, as an SVG file.

        Raises:
            ValueError: for a verdict of fixed size, which has one p-value and no path.
        """
        from ewe_tf.verification.evidence_plot import draw

        text = draw(self)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def rows(self):
        """The compact table as pairs (name, value)."""
        low, high = self.interval
        lines = [
            ("verdict", f"{self.decision} at level {self.alpha:g}"),
            ("because", self.reason),
            (
                "keys" if self.triggers == "keys" else "held out",
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
        if self.random_effects_p_value is not None:
            lines.append(
                (
                    "as one more model",
                    f"p {self.random_effects_p_value:.2g}, if logits of innocent models' rates "
                    "follow a t distribution (not deciding)",
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
        parts = ", ".join(f"{name} {p:.2g}" for name, p in self.p_values.items())
        marks = sum(name.startswith("null rate, ") for name in self.p_values)
        ranks = "innocent ranks" in self.p_values
        found = "the larger one"
        if marks:
            found = f"twice the larger one of all triggers, or {2 * marks} times that of a mark"
        if ranks:
            found = f"twice the smaller of: {found}, and the larger one of the ranks"
        return f" ({found}: {parts})"
