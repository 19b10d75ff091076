"""What can be evidence by itself: all triggers of a key, or those of one of several marks.

A thief's fine-tuning may erase one mark of a model and leave another. So of a key with several
marks not only all triggers together are tested, but those of each mark as well: half of the level
is for all together, the other half is shared out among the marks (Bonferroni's correction, with
weights), which holds however the tests depend on one another.
"""

import dataclasses

import numpy as np

from ewe_tf.verification import calibration
from ewe_tf.verification.binomial import binomial_p_value
from ewe_tf.verification.contrast import ContrastEProcess
from ewe_tf.verification.paired import mcnemar_p_value
from ewe_tf.verification.sequential import EProcess

HYPOTHESES = ("null rate", "controls")


@dataclasses.dataclass(frozen=True)
class Finding:
    """A group of triggers, and what is needed for evidence.

    Attributes:
        target: the target class of the mark; `None` for all triggers.
        weight: its share of the level, in (0, 1].
        null_rate: the rate that innocent models are granted.
    """

    target: int | None
    weight: float
    null_rate: float

    def named(self, hypothesis):
        """What a verdict calls the p-value of one of the `HYPOTHESES`."""
        return hypothesis if self.target is None else f"{hypothesis}, class {self.target}"

    def rows(self, labels):
        """Which of the triggers asked, by their expected answers `(n,)`, belong to it: bool."""
        return np.ones(len(labels), bool) if self.target is None else labels == self.target


def findings_of(key):
    """The `Finding`s of a `TriggerKey`: all triggers first, then those of each mark."""
    null_rate, _ = calibration.null_rate_of(key)
    if key.marks is None:
        return [Finding(None, 1.0, null_rate)]
    share = 0.5 / len(key.marks)
    marks = [Finding(mark, share, calibration.null_rate_of(key, mark)[0]) for mark in key.marks]
    return [Finding(None, 0.5, null_rate), *marks]


def deciding(p_values, findings):
    """`(finding, p)`: the one with the strongest evidence, and its p-value for the whole key.

    Of each finding the larger of its two p-values counts, divided by its share of the level.

    Args:
        p_values: dict from name to p-value, as `fixed_p_values` gives it.
        findings: list of `Finding`.
    """
    found = [
        (min(1.0, max(p_values[one.named(h)] for h in HYPOTHESES) / one.weight), i)
        for i, one in enumerate(findings)
    ]
    p_value, which = min(found)
    return findings[which], p_value


def fixed_p_values(findings, trigger, control, labels):
    """P-values of a verification of fixed size, by name.

    Args:
        findings: list of `Finding`.
        trigger, control: `(n,)` bool: which of them got the expected answer.
        labels: `(n,)` expected answers.
    """
    found = {}
    for finding in findings:
        rows = finding.rows(labels)
        hits, n = int(trigger[rows].sum()), int(rows.sum())
        values = (
            (
                binomial_p_value(hits, n, finding.null_rate),
                mcnemar_p_value(trigger[rows], control[rows]),
            )
            if n
            else (1.0, 1.0)
        )
        for hypothesis, value in zip(HYPOTHESES, values, strict=True):
            found[finding.named(hypothesis)] = float(value)
    return found


class SequentialEvidence:
    """Evidence of each finding that may be looked at after every pair of answers.

    Args:
        findings: list of `Finding`.
    """

    def __init__(self, findings):
        self._findings = findings
        self._processes = [(EProcess(one.null_rate), ContrastEProcess()) for one in findings]

    def update(self, trigger, control, labels):
        """Takes pairs of answers `(n,)` bool, in the order of asking, and the expected answers."""
        for finding, (rate, contrast) in zip(self._findings, self._processes, strict=True):
            rows = finding.rows(labels)
            rate.update(trigger[rows])
            contrast.update(trigger[rows], control[rows])

    @property
    def p_values(self):
        """P-values of all hypotheses, by name."""
        return {
            finding.named(hypothesis): process.p_value
            for finding, pair in zip(self._findings, self._processes, strict=True)
            for hypothesis, process in zip(HYPOTHESES, pair, strict=True)
        }

    @property
    def p_value(self):
        """That of the whole key, as `deciding` has it."""
        return deciding(self.p_values, self._findings)[1]

    @property
    def log_e_value(self):
        """Of each finding the smaller of its two e-values counts by its share of the level: the
        natural logarithm of their mean so weighed."""
        logs = [min(rate.log_e_value, contrast.log_e_value) for rate, contrast in self._processes]
        return float(np.logaddexp.reduce(np.add(logs, np.log([f.weight for f in self._findings]))))

    @property
    def hits(self):
        """Number of triggers that got the expected answer."""
        return self._processes[0][0].hits

    def interval(self, alpha):
        """The confidence sequence of the rate over all triggers: an `Interval`."""
        return self._processes[0][0].confidence_sequence(alpha)

    def path(self, labels):
        """`(n,)` float64: minus the logarithm of `p_value` after each pair, as it was then.

        Args:
            labels: `(n,)`: the expected answers of all pairs, in the order of asking.
        """
        best = np.zeros(len(labels))
        for finding, (rate, contrast) in zip(self._findings, self._processes, strict=True):
            rows = finding.rows(labels)
            own = np.maximum(rate.p_values, contrast.p_values) / finding.weight
            after = np.concatenate([[1.0], own])[np.cumsum(rows)]
            best = np.maximum(best, -np.log(np.minimum(after, 1.0)))
        return best
