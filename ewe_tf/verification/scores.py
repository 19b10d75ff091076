"""More than the top answer: the target's probability and rank, where the suspect gives them.

The scores of a suspect's triggers are averaged to one number for the model, and that number is
judged against innocent models (`conformal_p_value`, `predictive_p_value`) or, trigger by
trigger, against the matched controls (`wilcoxon_p_value`, `sign_flip_p_value`).
"""

import numpy as np
from scipy import stats

from ewe_tf.verification import checks


def target_log_odds(probabilities, targets, clip=1e-6):
    """Log-odds of the target class for each answer.

    Args:
        probabilities: `(n, classes)` from 0 to 1, `n >= 1`, `classes >= 2`. Rows need not sum
            to 1 (rounded or top-k answers).
        targets: `(n,)` integers from 0 to `classes - 1`.
        clip: probabilities are kept within [clip, 1 - clip], so that a rounded 0 has a value:
            in (0, 0.5). The same for suspect, innocents and controls.

    Returns:
        `(n,)` float64, within `log((1 - clip) / clip)` of 0.

    Raises:
        ValueError: for anything out of range.

    Reference:
        The log-odds of a label as a membership statistic: Carlini et al., "Membership
        inference attacks from first principles", S&P 2022, section IV.
    """
    probabilities, targets = _answers(probabilities, targets)
    if isinstance(clip, bool) or not 0 < clip < 0.5:
        raise ValueError(f"`clip` must be in (0, 0.5). Received: clip={clip!r}")
    target = probabilities[np.arange(len(targets)), targets]
    target = np.clip(target, clip, 1 - clip)
    return np.log(target) - np.log1p(-target)


def target_rank(probabilities, targets):
    """Rank of the target class in each answer: 1 for the top, 0 for the last.

    The share of the other classes that are less probable; equal ones count one half, so that
    the many zeros of a rounded or top-k answer are neither first nor last. Does not change
    under temperature or any other monotone change of the probabilities.

    Args:
        probabilities, targets: as in `target_log_odds`.

    Returns:
        `(n,)` float64 in [0, 1].

    Raises:
        ValueError: for anything out of range.
    """
    probabilities, targets = _answers(probabilities, targets)
    rows = np.arange(len(targets))
    target = probabilities[rows, targets][:, None]
    below = np.sum(probabilities < target, axis=1)
    equal = np.sum(probabilities == target, axis=1) - 1
    return (below + equal / 2) / (probabilities.shape[1] - 1)


def wilcoxon_p_value(trigger_scores, control_scores):
    """One-sided signed-rank test: triggers score no higher than their controls.

    Exact for up to 50 pairs without ties, a normal approximation otherwise
    (`scipy.stats.wilcoxon`). Zero differences are ranked and then dropped (Pratt). Does not
    depend on the scale of the scores more than by their order.

    Assumption: pairs are independent given the suspect, and under the null hypothesis the
    differences are symmetric about 0 or below. What a control shows: see `mcnemar_p_value`.

    Args:
        trigger_scores, control_scores: `(n,)` finite numbers, `n >= 1`.

    Returns:
        A float in (0, 1]; 1 when all differences are 0.

    Raises:
        ValueError: for sequences of unequal length or numbers that are not finite.

    Reference:
        Wilcoxon, Biometrics Bulletin 1 (1945); Pratt, JASA 54 (1959).
    """
    triggers = checks.finite("trigger_scores", trigger_scores)
    controls = checks.finite("control_scores", control_scores)
    if len(triggers) != len(controls):
        raise ValueError(
            "`trigger_scores` and `control_scores` must have the same length. "
            f"Received: {len(triggers)} and {len(controls)}"
        )
    differences = triggers - controls
    if not differences.any():
        return 1.0
    result = stats.wilcoxon(differences, alternative="greater", zero_method="pratt")
    return float(np.clip(result.pvalue, checks.SMALLEST, 1.0))


def _answers(probabilities, targets):
    array = np.asarray(probabilities)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2 or array.dtype.kind != "f":
        raise ValueError(
            "`probabilities` must be a float array (n, classes) with n >= 1 and classes >= 2. "
            f"Received: shape={array.shape}, dtype={array.dtype}"
        )
    if not np.all((array >= 0) & (array <= 1 + 1e-5)):
        raise ValueError("`probabilities` must be between 0 and 1 (not logits), without NaN")
    targets = np.asarray(targets)
    if targets.shape != array.shape[:1] or targets.dtype.kind not in "iu":
        raise ValueError(
            f"`targets` must be {len(array)} integers, one for each answer. "
            f"Received: shape={targets.shape}, dtype={targets.dtype}"
        )
    if np.any(targets < 0) or np.any(targets >= array.shape[1]):
        raise ValueError(f"`targets` must be from 0 to {array.shape[1] - 1}")
    return array.astype(np.float64), targets.astype(np.int64)
