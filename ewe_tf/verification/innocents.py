"""The unit of evidence is the model: what innocent models say about the next one.

Innocent models count once for each *independent* training: fine-tuned or pruned copies of one
model are relatives, not further models. `family_maxima` makes one number of each family.
"""

import numpy as np

from ewe_tf.verification import checks
from ewe_tf.verification.binomial import upper_bound


def conformal_p_value(statistic, innocent_statistics):
    """P-value `(1 + #{innocent >= suspect}) / (M + 1)` over M innocent models.

    Assumption: if innocent, the suspect is exchangeable with the innocent models; no other,
    no shape of any distribution. The same statistic on the same triggers (the same number of
    queries) for all of them. The smallest p-value is `1 / (M + 1)`: 0.048 for 20 models, so
    that M models cannot give more than that without a model of how rates vary.

    Args:
        statistic: of the suspect, a finite number; larger is more evidence.
        innocent_statistics: `(M,)` of the innocent models, `M >= 1`. Ties count against the
            claim.

    Returns:
        A float in [1 / (M + 1), 1].

    Raises:
        ValueError: for numbers that are not finite or no models.

    Reference:
        Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005); Bates et
        al., "Testing for outliers with conformal p-values", Annals of Statistics 51 (2023).
    """
    statistic = checks.finite_number("statistic", statistic)
    innocents = checks.finite("innocent_statistics", innocent_statistics)
    return float((1 + np.sum(innocents >= statistic)) / (len(innocents) + 1))


def false_positive_bound(models, false_positives=0, confidence=0.95):
    """Upper bound of the share of innocent models that would be accused.

    What M independent innocent models support by themselves: `1 - 0.05 ** (1 / M)` if none
    is accused: 13.9 % for 20 models, 3.0 % for 100, 0.30 % for 1,000. Valid for models that
    have not been used to set the threshold.

    Args:
        models: number of independent innocent models, at least 1.
        false_positives: how many of them were accused, from 0 to `models`.
        confidence: in (0, 1).

    Returns:
        A float in (0, 1].

    Raises:
        ValueError: for counts or a confidence out of range.

    Reference:
        Clopper and Pearson, Biometrika 26 (1934).
    """
    models = checks.positive_int("models", models)
    false_positives = checks.positive_int("false_positives", false_positives, minimum=0)
    return upper_bound(false_positives, models, confidence)


def null_rate_bound(innocents, confidence=0.95, floor=0.0):
    """A rate that innocent models hardly exceed: the null rate of the tests over queries.

    The largest of the one-sided Clopper-Pearson bounds of the innocent models. The rate of
    one more innocent model of the same kind exceeds it with a probability of at most
    `1 / (M + 1) + (1 - confidence)`, whatever the distribution of rates: if a set of the
    M + 1 models each exceeded the bounds of all the others, all of them but the one of the
    smallest rate would be outside their own bounds.

    Few queries make a high bound even for models without any hit: 30 triggers 9.5 %, 59
    triggers 5 %, 300 triggers 1 %.

    Args:
        innocents: `(hits, queries)` for each of M innocent models, M >= 1.
        confidence: of each model's bound, in (0, 1).
        floor: in [0, 1): the result is at least this; 1 / number of classes, say.

    Returns:
        A float in (0, 1]. At 1 (a model with nothing but hits) the key is of no use, and the
        tests refuse it as a null rate.

    Raises:
        ValueError: for anything out of range.
    """
    hits, queries = checks.innocent_counts(innocents)
    if isinstance(floor, bool) or not 0 <= floor < 1:
        raise ValueError(f"`floor` must be in [0, 1). Received: floor={floor!r}")
    return float(max(np.max(upper_bound(hits, queries, confidence)), floor))


def family_maxima(statistics, families):
    """One statistic for each family of related innocent models: the largest of its members.

    Fine-tuned, pruned or distilled copies of one innocent model resemble each other; counted
    as models of their own they would claim a precision that is not there. With the largest of
    each family, `conformal_p_value` and `random_effects_p_value` err on the safe side.

    Args:
        statistics: `(m,)` finite numbers, `m >= 1`.
        families: `(m,)` labels; models with the same label are of one family.

    Returns:
        `(number of families,)` float64, in the order of first appearance.

    Raises:
        ValueError: for sequences of unequal length or numbers that are not finite.
    """
    values = checks.finite("statistics", statistics)
    families = list(families)
    if len(families) != len(values):
        raise ValueError(
            "`statistics` and `families` must have the same length. "
            f"Received: {len(values)} and {len(families)}"
        )
    largest = {}
    for family, value in zip(families, values, strict=True):
        largest[family] = max(value, largest.get(family, -np.inf))
    return np.array(list(largest.values()))
