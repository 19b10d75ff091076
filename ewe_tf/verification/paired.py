"""Trigger against matched control on the same suspect: the exact McNemar test."""

import typing

import numpy as np
from scipy import stats

from ewe_tf.verification import checks


class PairedCounts(typing.NamedTuple):
    """How often trigger and control of a pair are hits.

    Attributes:
        trigger_only, control_only: discordant pairs; what the test looks at.
        both, neither: concordant pairs.
    """

    trigger_only: int
    control_only: int
    both: int
    neither: int


def paired_counts(trigger, control):
    """Counts the pairs.

    Args:
        trigger: `(n,)` bool, `n >= 1`: whether each trigger is answered with its target.
        control: `(n,)` bool: whether the matched control is answered with the same target.

    Returns:
        `PairedCounts`.

    Raises:
        ValueError: for sequences of unequal length, empty, or not boolean.
    """
    trigger = checks.outcomes("trigger", trigger)
    control = checks.outcomes("control", control)
    if len(trigger) != len(control) or not len(trigger):
        raise ValueError(
            "`trigger` and `control` must have the same length, at least 1. "
            f"Received: {len(trigger)} and {len(control)}"
        )
    return PairedCounts(
        int(np.sum(trigger & ~control)),
        int(np.sum(~trigger & control)),
        int(np.sum(trigger & control)),
        int(np.sum(~trigger & ~control)),
    )


def mcnemar_p_value(trigger, control):
    """Exact one-sided p-value of "this suspect answers triggers as it answers their controls".

    Of the pairs in which exactly one is a hit, under the hypothesis at most half are hits of
    the trigger: a binomial tail at 1/2. A suspect's habit of taking the source for the target
    cancels. The smallest p-value of n pairs is `2 ** -n`: 10 pairs for 1e-3, 20 for 1e-6.

    Assumption: pairs are independent given the suspect. What is shown depends on the control:
    against the *unperturbed* source it is that the perturbation has an effect, which it may
    have on an innocent model too (a trigger optimised on the victim is an adversarial example
    that can transfer); against a source with a *decoy key's* perturbation it is that this
    key has an effect that others of its generator do not have.

    Args:
        trigger, control: as in `paired_counts`.

    Returns:
        A float in (0, 1]; 1 when no pair is discordant.

    Raises:
        ValueError: as `paired_counts`.

    Reference:
        McNemar, Psychometrika 12 (1947); exact form: Fay, Biostatistics 11 (2010).
    """
    counts = paired_counts(trigger, control)
    discordant = counts.trigger_only + counts.control_only
    p_value = stats.binom.sf(counts.trigger_only - 1, discordant, 0.5) if discordant else 1.0
    return float(np.clip(p_value, checks.SMALLEST, 1.0))
