"""Over-dispersed counts: hits of innocent models vary more than a binomial allows."""

import typing

import numpy as np
from scipy import optimize
from scipy import special
from scipy import stats

from ewe_tf.verification import checks
from ewe_tf.verification.binomial import upper_bound

_LEAST_OVERDISPERSION = 1e-4


class BetaBinomial(typing.NamedTuple):
    """A null distribution of hits: each model's rate is drawn from a beta distribution.

    Attributes:
        mean: mean rate, in (0, 1).
        overdispersion: correlation of two answers of one model, `1 / (a + b + 1)`, in (0, 1);
            the variance of n answers is `1 + (n - 1) overdispersion` times the binomial one.
        models: number of innocent models it was fitted on.
        method: "maximum likelihood", or "upper bounds" where the models show no
            over-dispersion to estimate.
    """

    mean: float
    overdispersion: float
    models: int
    method: str


def fit_beta_binomial(innocents, confidence=0.95):
    """Fits the counts of innocent models.

    Maximum likelihood (Nelder-Mead on both logits). Where it ends at the edge (no hits at
    all, nothing but hits, or a spread that a binomial explains), the fit is replaced by upper
    bounds of both parameters at `confidence`: Clopper-Pearson for the pooled rate; for the
    over-dispersion the largest that Pearson's statistic does not refute, taking the statistic
    to be at least its expectation, so that fewer models leave room for more.

    Args:
        innocents: `(hits, queries)` of M independent innocent models, `M >= 3`, each with at
            least 2 queries.
        confidence: of the upper bounds, in (0, 1).

    Returns:
        A `BetaBinomial`.

    Raises:
        ValueError: for counts out of range or too few models.

    Reference:
        Skellam, JRSS B 10 (1948); Williams, Biometrics 31 (1975).
    """
    hits, queries = checks.innocent_counts(innocents, minimum=3)
    confidence = checks.rate("confidence", confidence)
    if queries.min() < 2:
        raise ValueError(
            f"`innocents` must have at least 2 queries for each model. Received: {queries.min()}"
        )
    models = len(hits)
    if 0 < hits.sum() < queries.sum():
        pooled = hits.sum() / queries.sum()
        binomial = stats.binom.logpmf(hits, queries, pooled).sum()

        def loss(logits):
            a, b = _shapes(*special.expit(logits))
            return -np.sum(stats.betabinom.logpmf(hits, queries, a, b))

        fits = [
            optimize.minimize(
                loss,
                special.logit([pooled, start]),
                method="Nelder-Mead",
                bounds=[(-14, 14), (special.logit(1e-6), 7)],
                options={"xatol": 1e-5, "fatol": 1e-9, "maxiter": 2000},
            )
            for start in (0.02, 0.3)
        ]
        best = min(fits, key=lambda fit: fit.fun)
        mean, overdispersion = special.expit(best.x)
        if overdispersion > _LEAST_OVERDISPERSION and -best.fun > binomial:
            return BetaBinomial(float(mean), float(overdispersion), models, "maximum likelihood")
        pearson = np.sum((hits - queries * pooled) ** 2 / (queries * pooled * (1 - pooled)))
    else:
        pearson = 0.0
    inflation = max(pearson, models - 1) / stats.chi2.ppf(1 - confidence, models - 1)
    overdispersion = np.clip((inflation - 1) / (queries.mean() - 1), _LEAST_OVERDISPERSION, 0.99)
    mean = min(upper_bound(int(hits.sum()), int(queries.sum()), confidence), 1 - 1e-9)
    return BetaBinomial(float(mean), float(overdispersion), models, "upper bounds")


def beta_binomial_p_value(hits, queries, null):
    """Probability of `hits` or more out of `queries` for an innocent model drawn from `null`.

    The fit is taken as the truth. With few models it is not: in simulation, p-values below
    1e-3 are several times too frequent with 20 models. A description of the innocents, and a
    check of `random_effects_p_value`, which carries that uncertainty.

    Args:
        hits, queries: integers or arrays of integers, `0 <= hits <= queries`, `queries >= 1`.
        null: a `BetaBinomial`.

    Returns:
        A float in (0, 1] (an array for arrays).

    Raises:
        ValueError: for counts or parameters out of range.

    Reference:
        Skellam, JRSS B 10 (1948).
    """
    hits, queries = checks.hits_of(hits, queries)
    a, b = _shapes(
        checks.rate("null.mean", null.mean),
        checks.rate("null.overdispersion", null.overdispersion),
    )
    flat_hits, flat_queries = hits.ravel(), queries.ravel()
    result = np.empty(flat_hits.shape)
    for i, (k, n) in enumerate(zip(flat_hits, flat_queries, strict=True)):
        # The upper tail term by term: 1 minus the lower one has no small values.
        tail = special.logsumexp(stats.betabinom.logpmf(np.arange(k, n + 1), n, a, b))
        result[i] = np.exp(tail) if k else 1.0
    return checks.plain(np.clip(result.reshape(hits.shape), checks.SMALLEST, 1.0))


def _shapes(mean, overdispersion):
    concentration = (1 - overdispersion) / overdispersion
    return mean * concentration, (1 - mean) * concentration
