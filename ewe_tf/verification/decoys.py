"""The key against decoys: keys of the same generator that were never embedded."""

import math

import numpy as np

from ewe_tf.verification import checks


def decoy_p_value(statistic, decoy_statistics):
    """Permutation p-value `(1 + #{decoy >= key}) / (K + 1)` over K decoy keys.

    Exact for any suspect and any statistic, without innocent models, provided that key and
    decoys are drawn independently by the same generator and that the key was committed
    before: an owner who searches s seeds for a lucky key must multiply the p-value by s.
    The randomness is that of the key, so that it says nothing against a key whose generator
    makes effective triggers for every model: then the decoys are as effective.

    Args:
        statistic: the suspect's statistic for the key, a finite number; larger is more
            evidence (number of hits, mean log-odds of the target).
        decoy_statistics: `(K,)` the same statistic of the same suspect for each decoy,
            `K >= 1`. Ties count against the claim.

    Returns:
        A float in [1 / (K + 1), 1].

    Raises:
        ValueError: for numbers that are not finite or no decoys.

    Reference:
        Phipson and Smyth, "Permutation p-values should never be zero", SAGMB 9 (2010).
    """
    statistic = checks.finite_number("statistic", statistic)
    decoys = checks.finite("decoy_statistics", decoy_statistics)
    return float((1 + np.sum(decoys >= statistic)) / (len(decoys) + 1))


def required_decoys(alpha):
    """Smallest K with `1 / (K + 1) <= alpha`: 19 for 0.05, 999 for 1e-3.

    Args:
        alpha: level, in (0, 1).

    Returns:
        An int, at least 1.

    Raises:
        ValueError: for a level out of range.
    """
    alpha = checks.rate("alpha", alpha)
    return max(1, math.ceil(1 / alpha - 1 - 1e-9))
