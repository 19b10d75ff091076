"""Re-keying: how often a fresh key would agree with the suspect as well as the true one.

Null hypothesis: the suspect was made without knowledge of the key's secrets. Then, whatever
the suspect and the probes are, the secrets are fresh random numbers given the measurements,
and everything below is exact without innocent models. What is needed: the key was committed
before, and was drawn at random (an owner who tried s keys multiplies by s).

Two laws of a secret: a fair sign a, which adds `a M` to the statistic, and a uniform phase
theta, which adds `Re(Z exp(i theta)) = |Z| cos(U)`, U uniform.
"""

import numpy as np
from scipy import optimize
from scipy import special

from ewe_tf.verification import checks
from ewe_tf.verification.signs import sign_flip_p_value

_BLOCK = 2**22
LAWS = ("sign", "phase")


def resign_p_value(contributions, magnitudes, law, resamples=99_999, seed=0):
    """Exact permutation p-value: `(1 + #{fresh keys at least as large}) / (resamples + 1)`.

    Args:
        contributions: `(secrets,)`: what each true secret adds.
        magnitudes: `(secrets,)` non-negative: |M| or |Z| of each secret.
        law: `"sign"` or `"phase"`.
        resamples: fresh keys; the smallest p-value is `1 / (resamples + 1)`.
        seed: of the fresh keys.

    Returns:
        A float in (0, 1]; 1 where all magnitudes are 0.

    Raises:
        ValueError: for numbers out of range.

    Reference:
        Phipson and Smyth, "Permutation p-values should never be zero", SAGMB 9 (2010).
    """
    contributions = checks.finite("contributions", contributions)
    magnitudes = _check(contributions.sum(), magnitudes, law)
    resamples = checks.positive_int("resamples", resamples)
    if not magnitudes.any():
        return 1.0
    if law == "sign":
        return sign_flip_p_value(contributions, resamples, seed)
    rng = np.random.default_rng(seed)
    # Sums that are equal but for rounding are ties, and ties count against the claim.
    threshold = contributions.sum() - 1e-12 * magnitudes.sum()
    rows = max(1, _BLOCK // len(magnitudes))
    as_large = 0
    for start in range(0, resamples, rows):
        drawn = np.cos(2 * np.pi * rng.random((min(rows, resamples - start), len(magnitudes))))
        as_large += int(np.sum(drawn @ magnitudes >= threshold))
    return (1 + as_large) / (resamples + 1)


def hoeffding_bound(statistic, magnitudes):
    """`exp(-T^2 / (2 sum M^2))`: the p-value is at most this, for either law. 1 for T <= 0.

    Args:
        statistic: sum of the contributions.
        magnitudes: as for `resign_p_value`.

    Returns:
        A float in (0, 1].

    Reference:
        Hoeffding, JASA 58 (1963), Theorem 2: each secret adds a number of mean 0 between
        -M and M.
    """
    magnitudes = _check(statistic, magnitudes, "sign")
    if statistic <= 0 or not magnitudes.any():
        return 1.0
    scale = magnitudes.max()
    exponent = -((statistic / scale) ** 2) / (2 * np.sum((magnitudes / scale) ** 2))
    return float(np.clip(np.exp(exponent), checks.SMALLEST, 1))


def chernoff_bound(statistic, magnitudes, law):
    """The tightest exponential bound: `min over s of exp(-s T) prod E exp(s X)`.

    `E exp(s X)` is `cosh(s M)` for a sign and the Bessel function `I0(s |Z|)` for a phase. Never
    above `hoeffding_bound`; as rigorous at any s, so also where the minimum is found roughly.

    Args:
        statistic: sum of the contributions.
        magnitudes, law: as for `resign_p_value`.

    Returns:
        A float in (0, 1]; 1 for T <= 0.

    Reference:
        Chernoff, Annals of Mathematical Statistics 23 (1952).
    """
    magnitudes = _check(statistic, magnitudes, law)
    if statistic <= 0 or not magnitudes.any():
        return 1.0
    unit = magnitudes / magnitudes.max()
    target = statistic / magnitudes.max()

    def exponent(log_s):
        s = np.exp(log_s)
        return float(np.sum(log_moment(s * unit, law)) - s * target)

    found = optimize.minimize_scalar(exponent, bounds=(-10, 8), method="bounded")
    smallest = min(found.fun, float(np.log(hoeffding_bound(statistic, magnitudes))))
    return float(np.clip(np.exp(min(smallest, 0.0)), checks.SMALLEST, 1))


def log_moment(x, law):
    """`log E exp(x a)` for a fair sign a, or `log E exp(x cos U)` for a uniform phase U."""
    x = np.abs(x)
    if law == "sign":
        return np.logaddexp(x, -x) - np.log(2)
    return np.log(special.i0e(x)) + x


def sequential_e_values(contributions, magnitudes, law):
    """Wealth of a bettor after each class's probes were asked: valid whenever one stops.

    Before the probes of class c are asked the secrets of its pairs are unknown, and each is bet
    on once: the wealth is multiplied by `exp(s x) / E exp(s X)`, x what the true secret adds
    and X the same with a fresh one. Its mean under the null hypothesis is 1 given all that was
    seen before. Averaged over the stakes s = 1/4, 1/2, 1, 2 for measurements scaled to unit
    size in each class.

    Args:
        contributions: list of `(k,)` arrays, one for each class in the order asked: what
            each true secret adds.
        magnitudes: list of `(k,)` arrays: |M| or |Z|.
        law: `"sign"` or `"phase"`.

    Returns:
        `(classes,)` float64: the e-value after each class; claim at any look with
        `e >= 1 / alpha`.

    Reference:
        Ville (1939); Ramdas et al., Statistical Science 38 (2023).
    """
    stakes = np.array([0.25, 0.5, 1.0, 2.0])
    logs, path = np.zeros(len(stakes)), []
    for added, size in zip(contributions, magnitudes, strict=True):
        scale = np.sqrt(np.mean(np.square(size))) if len(size) else 0.0
        if scale > 0:
            bets = stakes[:, None] * added / scale
            logs = logs + np.sum(bets - log_moment(stakes[:, None] * size / scale, law), axis=1)
        path.append(special.logsumexp(logs) - np.log(len(stakes)))
    return np.exp(np.minimum(path, 700.0))


def _check(statistic, magnitudes, law):
    magnitudes = np.asarray(magnitudes, np.float64)
    if law not in LAWS:
        raise ValueError(f"`law` must be one of {LAWS}. Received: law={law!r}")
    if magnitudes.ndim != 1 or not np.all(np.isfinite(magnitudes)) or np.any(magnitudes < 0):
        raise ValueError(
            "`magnitudes` must be a one-dimensional array of finite non-negative numbers. "
            f"Received: shape={magnitudes.shape}"
        )
    if not np.isfinite(statistic):
        raise ValueError(f"`statistic` must be finite. Received: statistic={statistic!r}")
    return magnitudes
