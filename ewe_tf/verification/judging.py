"""From a key and a transcript to a verdict: a pure function, which anybody can repeat."""

import dataclasses

import numpy as np

from ewe_tf.verification import calibration
from ewe_tf.verification import verdict as verdicts
from ewe_tf.verification.binomial import clopper_pearson
from ewe_tf.verification.findings import HYPOTHESES
from ewe_tf.verification.findings import SequentialEvidence
from ewe_tf.verification.findings import deciding
from ewe_tf.verification.findings import findings_of
from ewe_tf.verification.findings import fixed_p_values
from ewe_tf.verification.innocents import conformal_p_value
from ewe_tf.verification.innocents import false_positive_bound
from ewe_tf.verification.random_effects import random_effects_p_value
from ewe_tf.verification.rank_tests import rank_p_values
from ewe_tf.verification.verdict import Verdict

# What the sequential test of the controls assumes and the exact McNemar test does not.
NOT_OPPOSED = (
    "an innocent suspect's answers to a trigger and its control are not negatively correlated (of "
    "suspects that toss a coin which one of each pair gets the target, 2 % are accused at 1e-3); "
    "sequential=False does without this"
)


def judge(key, settings, transcript):
    """What a transcript says about a key, by the rules of `ewe_tf.verify`.

    Args:
        key: a `TriggerKey`.
        settings: the `Settings` that the suspect was asked by.
        transcript: the `Transcript`.

    Returns:
        A `Verdict`.
    """
    _, labels, _ = settings.material(key)
    order = settings.order(key)
    null_rate, null_source = calibration.null_rate_of(key)
    findings = findings_of(key)
    if key.marks is not None:
        of_marks = [f"{one.null_rate:.1%} of class {one.target}" for one in findings[1:]]
        null_source += f"; of the marks by themselves {', '.join(of_marks)}"
    trigger, control, lost = transcript.outcomes(order, labels)
    asked, refused = len(trigger), int(lost.sum())
    expected = labels[order[:asked]]
    p_values, e_value, interval, path = _course(settings, findings, trigger, control, expected)
    p_value = deciding(p_values, findings)[1]
    if settings.scores:
        ranks = _rank_tests(key, settings, transcript, order, labels)
        p_value = min(1.0, 2 * min(p_value, max(ranks.values(), default=1.0)))
        p_values = {**p_values, **ranks}
    decision, reason = _decide(
        settings,
        transcript,
        (trigger, control, lost, expected),
        findings,
        key.calibration is not None,
        p_value,
        p_values,
    )
    conformal, bound, model_level = _innocents(key, settings.part, order[:asked], trigger)
    return Verdict(
        decision=decision,
        reason=reason,
        alpha=settings.alpha,
        p_value=p_value,
        p_values=p_values,
        e_value=e_value,
        hits=int(trigger.sum()),
        asked=asked,
        rate=float(trigger.mean()) if asked else 0.0,
        interval=interval,
        control_hits=int(control.sum()),
        controls=len(control),
        refused=refused,
        null_rate=null_rate,
        null_source=null_source,
        conformal_p_value=conformal,
        false_positive_bound=bound,
        queries=len(transcript.exchanges),
        seconds=transcript.seconds,
        assumptions=_assumptions(key, settings),
        evidence_path=path,
        scheme=key.scheme,
        commitment=key.commitment(),
        suspect=transcript.suspect,
        versions=dict(key.versions),
        triggers=settings.part,
        refusals=dict(transcript.refusals),
        random_effects_p_value=model_level,
    )


def _p_values(settings, findings, trigger, control, expected):
    """P-values of the hypotheses of innocence, from the top answers."""
    if settings.sequential:
        return _evidence(findings, trigger, control, expected).p_values
    return fixed_p_values(findings, trigger, control, expected)


def _course(settings, findings, trigger, control, expected):
    """P-values, e-value, interval of the rate, and the evidence over the triggers."""
    if settings.sequential:
        evidence = _evidence(findings, trigger, control, expected)
        interval = evidence.interval(0.05)
        e_value = float(np.exp(min(evidence.log_e_value, 700.0)))
        path = tuple(evidence.path(expected).tolist())
        return evidence.p_values, e_value, (interval.low, interval.high), path
    p_values = fixed_p_values(findings, trigger, control, expected)
    if not len(trigger):
        return p_values, None, (0.0, 1.0), ()
    interval = clopper_pearson(int(trigger.sum()), len(trigger), 0.95)
    return p_values, None, (float(interval.low), float(interval.high)), ()


def _evidence(findings, trigger, control, expected):
    evidence = SequentialEvidence(findings)
    evidence.update(trigger, control, expected)
    return evidence


def _rank_tests(key, settings, transcript, order, labels):
    """The p-values of the ranks; none unless every planned trigger was asked."""
    innocents = calibration.family_ranks(key, settings.part)
    ranks = transcript.ranks(order, labels, key.num_classes) if len(order) else None
    if ranks is None or not innocents:
        return {}
    return rank_p_values(*ranks, *zip(*innocents, strict=True))


def _decide(settings, transcript, outcomes, findings, calibrated, p_value, p_values):
    finding, of_labels = deciding(p_values, findings)
    weaker = max(HYPOTHESES, key=lambda hypothesis: p_values[finding.named(hypothesis)])
    found = f"p = {of_labels:.2g}"
    if finding.target is not None:
        found = f"{found}, {1 / finding.weight:g} times that of the mark of class {finding.target}"
    if p_value <= settings.alpha and not calibrated:
        return verdicts.UNDECIDED, (
            f"no innocent model was asked, so a p-value of {p_value:.2g} against an assumed null "
            "rate is worth nothing in a dispute: calibrate(key, innocent_models) first"
        )
    if p_value <= settings.alpha:
        if of_labels > settings.label_level:
            return verdicts.EVIDENCE, (
                "the target's rank in the answers refutes both hypotheses of innocence (the top "
                f"answers alone do not), p = {p_value:.2g}"
            )
        alone = "" if finding.target is None else f"by the mark of class {finding.target} alone, "
        return verdicts.EVIDENCE, (
            f"{alone}both hypotheses of innocence are refuted; the weaker evidence is against the "
            f"{weaker} one, {found}"
        )
    if transcript.failure is not None:
        return verdicts.UNDECIDED, transcript.failure + _reasons(transcript)
    trigger, control, lost, expected = outcomes
    asked = len(trigger)
    if not asked:
        return verdicts.UNDECIDED, (
            "nothing was asked: the budget does not allow for one trigger and its control"
        )

    def could_reach(trigger, control, findings=findings):
        p_values = _p_values(settings, findings, trigger, control, expected)
        return deciding(p_values, findings)[1] <= settings.label_level

    if not could_reach(np.ones(asked, bool), np.zeros(asked, bool)):
        return verdicts.UNDECIDED, (
            f"{asked} triggers cannot reach the level, even if all were hits: raise "
            "`max_queries`, or use a key with more triggers"
        )
    if could_reach(trigger | lost[0], control & ~lost[1]):
        return verdicts.UNDECIDED, (
            f"the {int(lost.sum())} rows without a usable answer could have decided it"
            f"{_reasons(transcript)}"
        )
    granted = [dataclasses.replace(one, null_rate=calibration.FLOOR) for one in findings]
    if not calibrated and could_reach(trigger, control, granted):
        return verdicts.UNDECIDED, (
            "no innocent model was asked, and the assumed null rate decides: "
            "calibrate(key, innocent_models) first"
        )
    return verdicts.NO_EVIDENCE, f"the {weaker} hypothesis stands, {found}"


def _reasons(transcript):
    counts = sorted(transcript.refusals.items(), key=lambda item: -item[1])
    parts = [f"{reason}: {rows} rows" for reason, rows in counts[:4]]
    if transcript.server_said:
        parts.append(f"the server said {transcript.server_said[:150]!r}")
    return f" ({', '.join(parts)})" if parts else ""


def _innocents(key, part, numbers, trigger):
    """Conformal p, bound of the share accused, and the p-value of the random-effects model."""
    if key.calibration is None or not len(trigger):
        return None, None, None
    null_rate, _ = calibration.null_rate_of(key)
    counts = calibration.family_counts(key, part, numbers)
    rates = [hits / asked for hits, asked in counts]
    above = sum(rate >= null_rate for rate in rates)
    model_level = None
    if len(counts) >= 3:
        model_level = float(random_effects_p_value(int(trigger.sum()), len(trigger), counts))
    return (
        float(conformal_p_value(float(trigger.mean()), rates)),
        float(false_positive_bound(len(rates), above)),
        model_level,
    )


def _assumptions(key, settings):
    lines = [
        "triggers are independent draws of the key's generator, given the suspect",
        "an innocent model answers them no more often than the null rate",
    ]
    if key.calibration is None:
        lines.append(
            "the key was made as it says: without innocent models, nothing here tells a mark "
            "from inputs that every model answers alike"
        )
    else:
        lines.append("the suspect, if innocent, is of the kind of the innocent models asked")
    if settings.sequential:
        lines.append(NOT_OPPOSED)
    if settings.part == "keys":
        lines.append(
            "keys were selected for being answered by copies; the triggers whose randomness can "
            "be proved are the held-out ones"
        )
    return tuple(lines)
