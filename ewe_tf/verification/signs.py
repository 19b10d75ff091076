"""Signals made of secret signs: re-keying by fresh coins, exactly and by closed bounds."""

import numpy as np
from scipy import optimize

from ewe_tf.verification import checks
from ewe_tf.verification.sign_bets import log_cosh

_BLOCK = 2**22


def sign_flip_p_value(values, resamples=9999, seed=0):
    """P-value of the sum of `values` against sums with fresh random signs.

    For a keyed signal `values[j] = sign_j * measurement_j`: fresh coins are new keys, so that
    this is the re-keying test. For paired scores `values = trigger - control`: the test that
    the differences are symmetric about 0.

    Assumption: under the null hypothesis the signs are independent fair coins given the
    magnitudes. A secret sign that enters several measurements is one coin: sum those
    measurements first.

    Args:
        values: `(n,)` finite numbers, `n >= 1`; larger sums are more evidence.
        resamples: random sign vectors, at least 1. The smallest p-value is
            `1 / (resamples + 1)`; all `2 ** n` vectors are used where they are fewer.
        seed: of the random signs.

    Returns:
        A float in (0, 1].

    Raises:
        ValueError: for values that are not finite or numbers out of range.

    Reference:
        Fisher, The Design of Experiments (1935); Phipson and Smyth, SAGMB 9 (2010).
    """
    values = checks.finite("values", values)
    resamples = checks.positive_int("resamples", resamples)
    seed = checks.positive_int("seed", seed, minimum=0)
    # Sums that are equal but for rounding are ties, and ties count against the claim.
    threshold = values.sum() - 1e-12 * np.abs(values).sum()
    if len(values) < 40 and 2 ** len(values) <= resamples + 1:
        bits = (np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1
        return float(np.mean((2 * bits - 1) @ values >= threshold))
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // len(values))
    as_large = 0
    for start in range(0, resamples, rows):
        shape = (min(rows, resamples - start), len(values))
        signs = 2.0 * rng.integers(0, 2, shape, dtype=np.int8) - 1
        as_large += int(np.sum(signs @ values >= threshold))
    return (1 + as_large) / (resamples + 1)


def rademacher_bound(values):
    """Upper bound of the sign-flip p-value in closed form: `exp(-sum^2 / (2 sum of squares))`.

    No resampling and no limit to how small it gets, at the price of being larger than the
    exact p-value (at 1e-6 by a factor of about 10). 1 for a sum that is not positive.

    Args:
        values: as in `sign_flip_p_value`.

    Returns:
        A float in (0, 1].

    Raises:
        ValueError: for values that are not finite.

    Reference:
        Hoeffding, JASA 58 (1963), Theorem 2.
    """
    values = checks.finite("values", values)
    largest = np.abs(values).max()
    if largest == 0 or values.sum() <= 0:
        return 1.0
    scaled = values / largest
    bound = np.exp(-(scaled.sum() ** 2) / (2 * np.sum(scaled**2)))
    return float(np.clip(bound, checks.SMALLEST, 1.0))


def chernoff_bound(values):
    """The tightest exponential bound of the sign-flip p-value: `min over s of exp(-s T) E(s)`.

    T is the sum of `values`, and `E(s)` the product of `cosh(s values)`. Never above
    `rademacher_bound`, and as rigorous at any s, so also where the minimum is found roughly.

    Args:
        values: as in `sign_flip_p_value`.

    Returns:
        A float in (0, 1]; 1 for a sum that is not positive.

    Raises:
        ValueError: for values that are not finite.

    Reference:
        Chernoff, Annals of Mathematical Statistics 23 (1952).
    """
    values = checks.finite("values", values)
    largest = np.abs(values).max()
    if largest == 0 or values.sum() <= 0:
        return 1.0
    unit = values / largest

    def exponent(log_s):
        s = np.exp(log_s)
        return float(np.sum(log_cosh(s * unit)) - s * unit.sum())

    found = optimize.minimize_scalar(exponent, bounds=(-10, 8), method="bounded")
    smallest = min(found.fun, float(np.log(rademacher_bound(values))))
    return float(np.clip(np.exp(min(smallest, 0.0)), checks.SMALLEST, 1))
