"""`ewe_tf.verify`: is there evidence that a suspect carries a key's mark?"""

import time

import numpy as np

from ewe_tf.verification import calibration
from ewe_tf.verification import verdict as verdicts
from ewe_tf.verification.binomial import binomial_p_value
from ewe_tf.verification.binomial import clopper_pearson
from ewe_tf.verification.contrast import ContrastEProcess
from ewe_tf.verification.innocents import conformal_p_value
from ewe_tf.verification.innocents import false_positive_bound
from ewe_tf.verification.paired import mcnemar_p_value
from ewe_tf.verification.sequential import EProcess
from ewe_tf.verification.verdict import Verdict

PARTS = ("keys", "held_out")


def verify(
    key,
    suspect,
    *,
    alpha=1e-3,
    max_queries=None,
    sequential=True,
    triggers="keys",
    commitment=None,
    seed=0,
):
    """Asks a suspect the key's triggers and their controls, and weighs the answers.

    Two hypotheses must both fall before the decision is "evidence": that the suspect answers
    triggers no more often than the null rate (innocent models), and no more often than their
    matched controls (a suspect that gives the target to anything strange). The larger p-value
    decides. Triggers and controls are asked in pairs, in an order drawn from `seed` before the
    first answer.

    Args:
        key: a `TriggerKey`, best calibrated (`ewe_tf.verification.calibrate`).
        suspect: anything that `ewe_tf.Oracle` takes, or an `Oracle` (with its own budget).
        alpha: level of the decision, in (0, 1).
        max_queries: most rows to send; `None` for all triggers and controls once.
        sequential: whether to stop as soon as the evidence suffices (e-values, valid at every
            stopping time), or to ask everything and use the exact fixed-size tests.
        triggers: `"keys"`, those that were selected for a verdict, or `"held_out"`, those of
            the rule that nothing was selected on.
        commitment: the commitment that was published; the key must match it.
        seed: of the order of the queries.

    Returns:
        A `Verdict`.

    Raises:
        TypeError, ValueError: before the first query, for arguments out of range, a suspect of
            another input shape, or a key that does not match `commitment`.
    """
    images, labels, controls = _material(key, triggers)
    if not 0 < alpha < 1:
        raise ValueError(f"`alpha` must be in (0, 1). Received: {alpha!r}")
    if max_queries is not None and (int(max_queries) != max_queries or max_queries < 2):
        raise ValueError(f"`max_queries` must be an integer >= 2. Received: {max_queries!r}")
    if commitment is not None and commitment != key.commitment():
        raise ValueError(
            f"The key does not match `commitment`. Its own is {key.commitment()}; received: "
            f"{commitment!r}"
        )
    oracle = _oracle(suspect)
    if oracle.input_shape is not None and tuple(oracle.input_shape) != key.input_shape:
        raise ValueError(
            f"`suspect` takes inputs of shape {tuple(oracle.input_shape)}, the key's triggers "
            f"have {key.input_shape}"
        )
    null_rate, null_source = calibration.null_rate_of(key, triggers)
    pairs = len(images) if max_queries is None else min(len(images), max_queries // 2)
    order = np.random.default_rng(seed).permutation(len(images))[:pairs]
    start, before = time.monotonic(), oracle.ledger.queries
    answers = _ask(oracle, images, controls, labels, order, null_rate, alpha, sequential)
    trigger, control, refused = answers
    tests = _sequential_tests if sequential else _fixed_tests
    p_values, e_value, interval, path = tests(trigger, control, null_rate)
    p_value = max(p_values.values())
    decision, reason = _decide(p_values, alpha, refused, trigger, null_rate)
    conformal, bound = _innocents(key, triggers, trigger, null_rate)
    return Verdict(
        decision=decision,
        reason=reason,
        alpha=alpha,
        p_value=p_value,
        p_values=p_values,
        e_value=e_value,
        hits=int(trigger.sum()),
        asked=len(trigger),
        rate=float(trigger.mean()),
        interval=interval,
        control_hits=int(control.sum()),
        controls=len(control),
        refused=refused,
        null_rate=null_rate,
        null_source=null_source,
        conformal_p_value=conformal,
        false_positive_bound=bound,
        queries=oracle.ledger.queries - before,
        seconds=time.monotonic() - start,
        assumptions=_assumptions(key),
        evidence_path=path,
        scheme=key.scheme,
        commitment=key.commitment(),
        suspect=_described(suspect),
        versions=dict(key.versions),
    )


def _material(key, triggers):
    if triggers not in PARTS:
        raise ValueError(f"`triggers` must be one of {PARTS}. Received: {triggers!r}")
    if triggers == "keys":
        return key.triggers, key.labels, key.controls
    return key.held_out, key.held_out_labels, key.held_out_controls


def _oracle(suspect):
    from ewe_tf.oracle import Oracle

    return suspect if isinstance(suspect, Oracle) else Oracle(suspect, answers="label")


def _ask(oracle, images, controls, labels, order, null_rate, alpha, sequential):
    """Answers to triggers and controls `(pairs,)` bool, and the number of refused rows."""
    trigger, control, refused = [], [], 0
    rate, contrast = EProcess(null_rate), ContrastEProcess()
    # One pair at a time where stopping early is possible.
    step = 1 if sequential else len(order)
    for first in range(0, len(order), step):
        rows = order[first : first + step]
        x = np.stack([images[rows], controls[rows]], axis=1).reshape(-1, *images.shape[1:])
        got, lost = _labels(oracle.predict(x))
        got, lost = got.reshape(-1, 2), lost.reshape(-1, 2)
        trigger.append(got[:, 0] == labels[rows])
        # A refused control counts against the owner.
        control.append((got[:, 1] == labels[rows]) | lost[:, 1])
        refused += int(lost.sum())
        if sequential:
            rate.update(trigger[-1])
            contrast.update(trigger[-1], control[-1])
            if min(rate.log_e_value, contrast.log_e_value) >= -np.log(alpha):
                break
    return np.concatenate(trigger), np.concatenate(control), refused


def _labels(answers):
    """Top-1 labels `(n,)` and which rows were refused, of answers of any form."""
    if answers.ndim == 1:
        return answers, answers < 0
    lost = ~np.all(np.isfinite(answers), axis=1)
    return np.where(lost, -1, np.argmax(np.nan_to_num(answers, nan=-1.0), axis=1)), lost


def _sequential_tests(trigger, control, null_rate):
    rate, contrast = EProcess(null_rate), ContrastEProcess()
    rate.update(trigger)
    contrast.update(trigger, control)
    # Both hypotheses must fall at the same time; the smaller e-value counts at each step.
    path = np.minimum(rate.log_e_values, contrast.log_e_values)
    p_values = {"null rate": rate.p_value, "controls": contrast.p_value}
    interval = rate.confidence_sequence(0.05)
    e_value = float(np.exp(min(path[-1], 700.0)))
    return p_values, e_value, (interval.low, interval.high), tuple(path.tolist())


def _fixed_tests(trigger, control, null_rate):
    hits, asked = int(trigger.sum()), len(trigger)
    p_values = {
        "null rate": float(binomial_p_value(hits, asked, null_rate)),
        "controls": float(mcnemar_p_value(trigger, control)),
    }
    interval = clopper_pearson(hits, asked, 0.95)
    return p_values, None, (float(interval.low), float(interval.high)), ()


def _decide(p_values, alpha, refused, trigger, null_rate):
    name = max(p_values, key=p_values.get)
    p_value = p_values[name]
    if p_value <= alpha:
        return verdicts.EVIDENCE, (
            f"both hypotheses of innocence are refuted; the weaker evidence is against the "
            f"{name} one, p = {p_value:.2g}"
        )
    if refused > len(trigger):
        return verdicts.UNDECIDED, f"the suspect gave no usable answer to {refused} rows"
    if null_rate ** len(trigger) > alpha:
        return verdicts.UNDECIDED, (
            f"{len(trigger)} triggers cannot reach the level, even if all were hits: raise "
            "`max_queries`"
        )
    return verdicts.NO_EVIDENCE, f"the {name} hypothesis stands, p = {p_value:.2g}"


def _innocents(key, part, trigger, null_rate):
    if key.calibration is None:
        return None, None
    rates = [hits / asked for hits, asked in (r[part] for r in key.calibration["innocents"])]
    above = sum(rate >= null_rate for rate in rates)
    return (
        float(conformal_p_value(float(trigger.mean()), rates)),
        float(false_positive_bound(len(rates), above)),
    )


def _assumptions(key):
    lines = [
        "triggers are independent draws of the key's generator, given the suspect",
        "an innocent model answers them no more often than the null rate",
    ]
    if key.calibration is not None:
        lines.append("the suspect, if innocent, is of the kind of the innocent models asked")
    return tuple(lines)


def _described(suspect):
    name = getattr(suspect, "name", None)
    if isinstance(suspect, str):
        return suspect
    return f"{type(suspect).__name__} {name}" if isinstance(name, str) else type(suspect).__name__
