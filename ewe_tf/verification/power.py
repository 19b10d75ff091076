"""How many queries a verification needs, and what a number of queries can show."""

import typing

import numpy as np
from scipy import stats

from ewe_tf.verification import checks

_MOST_QUERIES = 1_000_000


class RequiredQueries(typing.NamedTuple):
    """The plan of an exact binomial test.

    Attributes:
        queries: the smallest number of queries that reaches the power.
        critical: the smallest number of hits, out of `queries`, that is significant.
        stable_queries: from this number on, every number of queries reaches the power. The
            power of an exact test is a saw-tooth in the number of queries, so that between
            `queries` and `stable_queries` one query more can have less power.
        power: the power at `queries`.
    """

    queries: int
    critical: int
    stable_queries: int
    power: float


def critical_hits(queries, null_rate, alpha):
    """Smallest number of hits with `binomial_p_value(hits, queries, null_rate) <= alpha`.

    Args:
        queries: an integer or an array of integers, at least 1.
        null_rate: in (0, 1).
        alpha: level, in (0, 1).

    Returns:
        An int (an int64 array for an array); `queries + 1` where not even all hits are
        significant.

    Raises:
        ValueError: for an argument out of range.
    """
    _, queries = checks.hits_of(np.zeros_like(queries), queries)
    null_rate, alpha = checks.rate("null_rate", null_rate), checks.rate("alpha", alpha)
    critical = stats.binom.isf(alpha, queries, null_rate).astype(np.int64) + 1
    # `isf` inverts a rounded tail: put right what is off by one.
    critical += stats.binom.sf(critical - 1, queries, null_rate) > alpha
    critical -= (critical > 0) & (stats.binom.sf(critical - 2, queries, null_rate) <= alpha)
    return int(critical) if critical.ndim == 0 else critical


def binomial_power(queries, null_rate, true_rate, alpha):
    """Probability that `queries` queries are significant at `alpha`, at the rate `true_rate`.

    Args:
        queries: an integer or an array of integers, at least 1.
        null_rate, true_rate: in (0, 1).
        alpha: level, in (0, 1).

    Returns:
        A float in [0, 1] (an array for an array).

    Raises:
        ValueError: for an argument out of range.
    """
    true_rate = checks.rate("true_rate", true_rate)
    critical = critical_hits(queries, null_rate, alpha)
    return checks.plain(stats.binom.sf(np.asarray(critical) - 1, queries, true_rate))


def required_queries(null_rate, true_rate, alpha=1e-3, power=0.95):
    """Number of queries with which the exact one-sided binomial test has a given power.

    Planned for a fixed number of queries; a sequential test (`EProcess`) has no such number,
    and usually needs fewer.

    Args:
        null_rate: in (0, 1): the rate granted to innocent models.
        true_rate: in (`null_rate`, 1): the rate expected of a stolen copy.
        alpha: level, in (0, 1).
        power: probability of a significant result for a stolen copy, in (0, 1).

    Returns:
        A `RequiredQueries`.

    Raises:
        ValueError: for an argument out of range, and where more than 1,000,000 queries
            would be needed.

    Reference:
        Exact tails, no normal approximation. On the saw-tooth: Chernick and Liu, The
        American Statistician 56 (2002).

    Example:
        >>> required_queries(0.1, 0.5, alpha=1e-3)[:2]
        (26, 9)
    """
    null_rate, true_rate = (
        checks.rate("null_rate", null_rate),
        checks.rate("true_rate", true_rate),
    )
    power = checks.rate("power", power)
    if true_rate <= null_rate:
        raise ValueError(
            "`true_rate` must be larger than `null_rate`. "
            f"Received: true_rate={true_rate}, null_rate={null_rate}"
        )
    if binomial_power(_MOST_QUERIES, null_rate, true_rate, alpha) < power:
        raise ValueError(
            f"more than {_MOST_QUERIES} queries are needed to tell `true_rate`={true_rate} "
            f"from `null_rate`={null_rate} at alpha={alpha}"
        )
    start, first = 1, None
    while first is None:
        # Blocks that grow with the numbers of queries already passed.
        numbers = np.arange(start, start + max(256, start // 4))
        reached = binomial_power(numbers, null_rate, true_rate, alpha) >= power
        if reached.any():
            first = int(numbers[reached.argmax()])
        start = int(numbers[-1]) + 1
    # The teeth are no longer than a few queries per hit: twice the number is far past them.
    numbers = np.arange(first, 2 * first + 100)
    powers = binomial_power(numbers, null_rate, true_rate, alpha)
    below = np.flatnonzero(powers < power)
    stable = int(numbers[below[-1]]) + 1 if below.size else first
    return RequiredQueries(first, critical_hits(first, null_rate, alpha), stable, float(powers[0]))
