"""One suspect, one rate: the exact binomial test and intervals.

Assumption of everything here: given the suspect, triggers are drawn independently from the
key's generator, so that hits are independent with one probability, the suspect's rate. The
randomness between suspects is not in these numbers: see `ewe_tf.verification.innocents`.
A finite key queried without repeats is covered in this sense (the key itself is the random
sample); repeating a trigger is not a new query.
"""

import typing

import numpy as np
from scipy import stats

from ewe_tf.verification import checks


class Interval(typing.NamedTuple):
    """A confidence interval for a rate.

    Attributes:
        low, high: ends, `0 <= low <= high <= 1`.
        confidence: the probability, in (0, 1), with which the procedure covers the rate.
    """

    low: float
    high: float
    confidence: float


def binomial_p_value(hits, queries, null_rate):
    """Exact one-sided p-value of the hypothesis "the suspect's rate is at most `null_rate`".

    The probability of `hits` or more out of `queries` at the rate `null_rate`, the least
    favourable of the hypothesis. `scipy.stats.binom.sf`, accurate in the far tail.

    Args:
        hits: matches, an integer or an array of integers, `0 <= hits <= queries`.
        queries: queries, as `hits`, at least 1.
        null_rate: in (0, 1): the largest rate that an innocent model is granted. 1 divided by
            the number of classes is not such a rate; see `null_rate_bound`.

    Returns:
        A float in (0, 1] (an array for arrays), never below 2.2e-308.

    Raises:
        ValueError: for counts or a rate out of range.

    Reference:
        Clopper and Pearson, Biometrika 26 (1934).
    """
    hits, queries = checks.hits_of(hits, queries)
    null_rate = checks.rate("null_rate", null_rate)
    p_value = stats.binom.sf(hits - 1, queries, null_rate)
    return checks.plain(np.clip(p_value, checks.SMALLEST, 1.0))


def clopper_pearson(hits, queries, confidence=0.95):
    """Exact two-sided interval for the rate: coverage at least `confidence` at every rate.

    Args:
        hits, queries: integers, `0 <= hits <= queries`, `queries >= 1`.
        confidence: in (0, 1).

    Returns:
        An `Interval`.

    Raises:
        ValueError: for counts or a confidence out of range.

    Reference:
        Clopper and Pearson, Biometrika 26 (1934); `scipy.stats.binomtest`.
    """
    return _interval(hits, queries, confidence, "exact")


def wilson(hits, queries, confidence=0.95):
    """Wilson's score interval: close to `confidence` on average, a little below at some rates.

    For display, where the exact interval is wider than needed. Arguments, result and errors
    as for `clopper_pearson`.

    Reference:
        Wilson, JASA 22 (1927); Brown, Cai and DasGupta, Statistical Science 16 (2001).
    """
    return _interval(hits, queries, confidence, "wilson")


def upper_bound(hits, queries, confidence=0.95):
    """Exact one-sided bound: the rate is at most this, with probability `confidence`.

    With 0 hits it is `1 - (1 - confidence) ** (1 / queries)`.

    Args:
        hits, queries: integers or arrays of integers, `0 <= hits <= queries`.
        confidence: in (0, 1).

    Returns:
        A float (an array for arrays) in (0, 1]; 1 when all queries are hits.

    Raises:
        ValueError: for counts or a confidence out of range.

    Reference:
        Clopper and Pearson, Biometrika 26 (1934).
    """
    hits, queries = checks.hits_of(hits, queries)
    confidence = checks.rate("confidence", confidence)
    misses = np.maximum(queries - hits, 1)
    bound = stats.beta.isf(1 - confidence, hits + 1, misses)
    return checks.plain(np.where(hits == queries, 1.0, bound))


def lower_bound(hits, queries, confidence=0.95):
    """Exact one-sided bound: the rate is at least this, with probability `confidence`.

    Arguments, errors and reference as for `upper_bound`; 0 when there is no hit.
    """
    hits, queries = checks.hits_of(hits, queries)
    return checks.plain(1.0 - np.asarray(upper_bound(queries - hits, queries, confidence)))


def _interval(hits, queries, confidence, method):
    hits = checks.positive_int("hits", hits, minimum=0)
    queries = checks.positive_int("queries", queries)
    checks.hits_of(hits, queries)
    confidence = checks.rate("confidence", confidence)
    low, high = stats.binomtest(hits, queries).proportion_ci(confidence, method=method)
    return Interval(float(low), float(high), confidence)
