"""Is the suspect within what innocent models do? A prediction that respects their number.

The rates of innocent models vary, roughly normally on the logit scale; the next model's is
predicted with a t distribution, whose tails are as heavy as few models deserve. Unlike
`conformal_p_value` this can go below `1 / (M + 1)`, by an assumption about the shape.
"""

import numpy as np
from scipy import stats

from ewe_tf.verification import checks


def predictive_p_value(statistic, innocent_statistics, noise=0.0):
    """P-value of "the suspect's statistic comes from the distribution of the innocents'".

    `t = (suspect - centre) / (s sqrt(1 + 1 / M))`. For normal statistics with their mean as the
    centre, the usual s and M - 1 degrees of freedom this is exact. Here every choice is the
    careful one: the centre is the larger of mean and median; s is the largest of the usual one,
    the one of the models *above* the centre (with as many degrees of freedom as there are) and
    `noise`; the p-value is 1 at or below the centre. Distributions skewed to either side then
    get less evidence, not false evidence.

    Args:
        statistic: of the suspect, a finite number; larger is more evidence.
        innocent_statistics: `(M,)` of independent innocent models, `M >= 3`.
        noise: a standard deviation that s is at least, `>= 0`; what the finite number of
            queries alone would cause. With 0, innocents that are all equal take
            anything above them for evidence.

    Returns:
        A float in (0, 1].

    Raises:
        ValueError: for numbers that are not finite, fewer than 3 models, negative noise.

    Reference:
        Prediction interval: Geisser, Predictive Inference (1993); for random effects:
        Higgins, Thompson and Spiegelhalter, JRSS A 172 (2009), section 4.
    """
    statistic = checks.finite_number("statistic", statistic)
    innocents = checks.finite("innocent_statistics", innocent_statistics, minimum=3)
    noise = checks.finite_number("noise", noise)
    if noise < 0:
        raise ValueError(f"`noise` must not be negative. Received: noise={noise}")
    return _t_tail(statistic, innocents, noise**2, 0.0)


def random_effects_p_value(hits, queries, innocents):
    """P-value of "the suspect's rate is that of one more innocent model", from counts.

    `predictive_p_value` of the empirical logits `log((hits + 1/2) / (misses + 1/2))`; the 1/2
    grows in proportion for models with more queries than the fewest. The spread is at least
    what counting alone causes, and grows by what the suspect's smaller number of queries adds,
    so that innocent models that are all at 0 do not make a spread of 0. It is this p-value
    that speaks about models and still reaches 1e-3 with 20 of them: 0 hits of 30 for each, and
    27 of 30 for the suspect, give 2e-4.

    Level in simulation (10 to 60 models, 30 to 300 queries, beta and logit-normal rates with
    means from 0.003 to 0.2): below the nominal one at 0.05; at 1e-3 typically a tenth of it,
    and up to 1.8 times for rates spread over two decades. What no number of well-behaved
    innocents shows is a rare kind of model that answers nearly everything with the target
    (a beta with overdispersion 0.5): up to 5 times the nominal 1e-3. Only more models bound
    that: `false_positive_bound`.

    For a number of queries that was fixed beforehand: after a stop that looked at the answers
    it is too small. Best with the innocents' hits on the very triggers that the suspect was
    asked: unequal numbers of queries are paid for.

    Args:
        hits, queries: of the suspect, integers, `0 <= hits <= queries`, `queries >= 1`.
        innocents: `(hits, queries)` of M independent innocent models, `M >= 3`.

    Returns:
        A float in (0, 1].

    Raises:
        ValueError: for counts out of range or fewer than 3 models.

    Reference:
        As `predictive_p_value`; the empirical logit: Cox, Analysis of Binary Data (1970).
    """
    hits = checks.positive_int("hits", hits, minimum=0)
    queries = checks.positive_int("queries", queries)
    checks.hits_of(hits, queries)
    innocent_hits, innocent_queries = checks.innocent_counts(innocents, minimum=3)
    innocent_misses = innocent_queries - innocent_hits
    # One half hit is added to each count for the fewest queries, and in proportion for more:
    # the same rate has the same logit whatever the number of queries.
    half = 0.5 / min(queries, innocent_queries.min())
    innocent_hits = innocent_hits + half * innocent_queries
    innocent_misses = innocent_misses + half * innocent_queries
    logits = np.log(innocent_hits / innocent_misses)
    counting = np.mean(1 / innocent_hits + 1 / innocent_misses)
    pooled = innocent_hits.sum() / (innocent_hits.sum() + innocent_misses.sum())
    per_query = 1 / (pooled * (1 - pooled))
    fewer = max(0.0, per_query / queries - np.mean(per_query / innocent_queries))
    logit = np.log((hits + half * queries) / (queries - hits + half * queries))
    return _t_tail(logit, logits, counting, fewer)


def _t_tail(statistic, innocents, least_variance, added_variance):
    models = len(innocents)
    centre = max(innocents.mean(), np.median(innocents))
    if statistic <= centre:
        return 1.0
    variance, freedom = max(innocents.var(ddof=1), least_variance), models - 1
    excess = (innocents - centre)[innocents > centre + 1e-12 * np.abs(innocents).max()]
    if len(excess):
        above = np.mean(excess**2) * models / (models - 1)
        if above > variance:
            variance, freedom = above, len(excess)
    variance = (variance + added_variance) * (1 + 1 / models)
    if variance == 0:
        return checks.SMALLEST
    tail = stats.t.sf((statistic - centre) / np.sqrt(variance), freedom)
    return float(np.clip(tail, checks.SMALLEST, 1.0))
