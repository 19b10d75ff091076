"""What the check of an evidence bundle found, and when two verdicts are the same."""

import dataclasses
import math

from ewe_tf.verification import verdict as verdicts

# Other versions of SciPy may differ in the last digits.
_TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class BundleCheck:
    """What a check found.

    Attributes:
        decision: what may be concluded: `"evidence"`, `"no evidence"`, or `"could not tell"` if
            a check failed, or nobody asked innocent models.
        reason: one sentence.
        checks: tuple of `(what, holds, detail)`.
        verdict: the `Verdict` (or `SignalVerdict`) as worked out again, with the innocent models
            of the one who checks, if there were any.
        open: what the bundle cannot show by itself.
    """

    decision: str
    reason: str
    checks: tuple
    verdict: object
    open: tuple

    @property
    def holds(self):
        """Whether every check holds."""
        return all(holds for _, holds, _ in self.checks)

    def __str__(self):
        given = ", given what is open below" if self.decision == verdicts.EVIDENCE else ""
        lines = [f"bundle  {self.decision} at level {self.verdict.alpha:g}{given}: {self.reason}"]
        lines += [f"{'yes' if holds else 'NO ':<6}  {what}: {d}" for what, holds, d in self.checks]
        return "\n".join([*lines, *(f"open    {line}" for line in self.open)])

    @classmethod
    def of(cls, checks, verdict, unshown):
        """The conclusion from the checks, and from the verdict as worked out again."""
        failed = [what for what, holds, _ in checks if not holds]
        decision, reason = verdict.decision, verdict.reason
        if failed:
            decision, reason = verdicts.UNDECIDED, f"does not hold: {', '.join(failed)}"
        return cls(decision, reason, tuple(checks), verdict, tuple(unshown))


def same_commitment(own, stated):
    """`(same, detail)`: whether a published commitment is that of the key."""
    same = stated.strip().lower() == own
    return same, own if same else f"the key's is {own}"


def same_verdict(stated, again):
    """`(same, detail)`: whether a stated verdict is the one that was worked out again."""
    different = _differences(stated, again)
    if different:
        return False, f"{', '.join(different)} come out otherwise"
    return True, "comes out the same"


def _differences(stated, again):
    """Names of the fields in which two verdicts differ."""
    stated, again = (dataclasses.asdict(v) for v in (stated, again))
    return [name for name in again if not _alike(stated[name], again[name])]


def _alike(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=1e-300)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_alike(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return set(a) == set(b) and all(_alike(a[name], b[name]) for name in a)
    return type(a) is type(b) and a == b
