"""E-values of several tests made into one, and the road between e-values and p-values.

An e-value is a non-negative number whose mean is at most 1 under the null hypothesis.
"""

import numpy as np

from ewe_tf.verification import checks


def average_e_values(e_values):
    """One e-value of e-values that may depend on each other in any way: their mean.

    Args:
        e_values: `(k,)` finite, non-negative, `k >= 1`.

    Returns:
        A float.

    Raises:
        ValueError: for anything else.

    Reference:
        Vovk and Wang, "E-values: calibration, combination and applications", Annals of
        Statistics 49 (2021), Proposition 3.1: no other symmetric rule is better.
    """
    return float(np.mean(_e_values(e_values)))


def product_of_e_values(e_values):
    """One e-value of independent e-values: their product, at most 1.8e308.

    Valid too for e-values obtained one after the other, each an e-value given the earlier
    ones. Arguments, errors and reference as for `average_e_values`.
    """
    values = _e_values(e_values)
    if np.any(values == 0):
        return 0.0
    return float(np.exp(min(np.log(values).sum(), 709.0)))


def e_to_p_value(e_value):
    """The p-value `min(1, 1 / e_value)`, by Markov's inequality.

    Args:
        e_value: finite, non-negative.

    Returns:
        A float in (0, 1].

    Raises:
        ValueError: for anything else.
    """
    value = float(_e_values([e_value])[0])
    return 1.0 if value <= 1 else 1 / value


def p_to_e_value(p_value):
    """An e-value of a p-value that was computed without looking at the data before.

    `(1 - p + p log p) / (p (log p)^2)`, the average over k in (0, 1) of `k p^(k - 1)`; 1/2 at
    p = 1. About `1 / (p (log p)^2)` for small p: the price of the freedom to go on.

    Args:
        p_value: in (0, 1].

    Returns:
        A float, at least 0.5.

    Raises:
        ValueError: for anything else.

    Reference:
        Vovk and Wang (2021), equation (2); Sellke, Bayarri and Berger, The American
        Statistician 55 (2001).
    """
    p_value = float(checks.p_values([p_value])[0])
    if p_value == 0:
        raise ValueError("`p_value` must be larger than 0. Received: p_value=0")
    log_p = np.log(p_value)
    if log_p > -1e-4:
        return 0.5 - log_p / 6
    return float((np.expm1(-log_p) + log_p) / log_p**2)


def _e_values(value):
    array = checks.finite("e_values", value)
    if np.any(array < 0):
        raise ValueError(f"`e_values` must not be negative. Received: e_values={value!r}")
    return array
