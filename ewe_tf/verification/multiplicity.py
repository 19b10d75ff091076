"""Several suspects, keys or statistics at once."""

import numpy as np
from scipy import stats

from ewe_tf.verification import checks


def holm(p_values):
    """Holm's adjusted p-values: claims at `adjusted <= alpha` are all true with 1 - alpha.

    For accusations. Valid for p-values that depend on each other in any way.

    Args:
        p_values: `(k,)` numbers from 0 to 1, `k >= 1`.

    Returns:
        `(k,)` float64 in the same order.

    Raises:
        ValueError: for anything else.

    Reference:
        Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    p_values = checks.p_values(p_values)
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def benjamini_hochberg(p_values):
    """Adjusted p-values that bound the share of false ones among the findings.

    For scanning many suspects before a closer look, not for accusations. Assumes p-values
    that are independent or positively dependent. `scipy.stats.false_discovery_control`.

    Args:
        p_values: `(k,)` numbers from 0 to 1, `k >= 1`.

    Returns:
        `(k,)` float64 in the same order.

    Raises:
        ValueError: for anything else.

    Reference:
        Benjamini and Hochberg, JRSS B 57 (1995).
    """
    return stats.false_discovery_control(checks.p_values(p_values), method="bh")


def intersection_union(p_values):
    """P-value of a claim that needs *every* one of several hypotheses to be false: the largest.

    For a verdict that rests on several tests all of which must agree; no correction is due,
    and the tests may depend on each other in any way.

    Args:
        p_values: `(k,)` numbers from 0 to 1, `k >= 1`.

    Returns:
        A float.

    Raises:
        ValueError: for anything else.

    Reference:
        Berger, Technometrics 24 (1982).
    """
    return float(checks.p_values(p_values).max())
