"""The second test: not only the top answer, but how near to the top the target is.

After hard fine-tuning the target may have lost the first place and kept the second. The
statistic of a model is its mean `target_rank` over the triggers: ranks, unlike probabilities,
stay as they are when a suspect's answers are softened or sharpened by a temperature, which an
innocent model may be trained or served with.
"""

import numpy as np

from ewe_tf.verification.random_effects import predictive_p_value
from ewe_tf.verification.scores import wilcoxon_p_value

LEAST_FAMILIES = 3


def rank_p_values(trigger_ranks, control_ranks, innocent_means, innocent_deviations):
    """P-values of two hypotheses of innocence about the target's rank; both must fall.

    Args:
        trigger_ranks, control_ranks: `(n,)` ranks in [0, 1] of the suspect, pair by pair.
        innocent_means: `(M,)` mean trigger rank of each innocent family, `M >= 3`.
        innocent_deviations: `(M,)` standard deviations of the ranks within each.

    Returns:
        Dict: `"innocent ranks"`, the suspect's mean rank is that of one more innocent model
        (`predictive_p_value` on the logit scale, with what `n` triggers alone scatter as its
        least spread); and `"control ranks"`, triggers rank no higher than their controls
        (`wilcoxon_p_value`).

    What to expect: innocent models' mean ranks have heavy tails (on Fashion-MNIST .57 to .72, or
    .33 to .40 with two of twenty at .50 and .52), so that few of them flatter the first p-value:
    .003 with five became .02 with twenty for one fine-tuned copy. It leans on their kind: over
    260 innocent pairs of the MNIST and Fashion-MNIST benchmarks, calibrated without one of the
    three architectures, it was below 0.05 in 9.6 %, below 0.01 in 0.4 % and never below 1e-3. Of
    56 pairs with a key whose triggers innocent models rank higher than its controls 7 were
    below 0.01, and one was accused: with such keys ranks are not tested (`family_ranks`).
    """
    n = len(trigger_ranks)
    innocents = np.array([_shrunk(mean, n) for mean in innocent_means])
    # What n triggers alone would scatter an innocent model's logit, at its widest.
    scatter = np.array(innocent_deviations) / np.sqrt(n) / (innocents * (1 - innocents))
    return {
        "innocent ranks": predictive_p_value(
            _logit(_shrunk(np.mean(trigger_ranks), n)), _logit(innocents), float(scatter.max())
        ),
        "control ranks": wilcoxon_p_value(trigger_ranks, control_ranks),
    }


def _shrunk(mean, n):
    """A mean rank, kept off 0 and 1 by half a trigger at each end."""
    return (mean * n + 0.5) / (n + 1)


def _logit(rank):
    return np.log(rank) - np.log1p(-rank)
