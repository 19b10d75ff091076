import numpy as np
import pytest
from scipy import stats

from ewe_tf.verification import binomial_p_value
from ewe_tf.verification import binomial_power
from ewe_tf.verification import critical_hits
from ewe_tf.verification import required_queries

# null rate, true rate, then (queries, critical hits) at alpha 0.05, 1e-3, 1e-6; power 0.95.
_TABLE = [
    (0.10, 0.2, (135, 20), (271, 44), (484, 83)),
    (0.10, 0.3, (41, 8), (81, 18), (145, 35)),
    (0.10, 0.5, (13, 4), (26, 9), (44, 17)),
    (0.10, 0.7, (7, 3), (12, 6), (20, 11)),
    (0.10, 0.9, (3, 2), (7, 5), (12, 9)),
    (0.01, 0.2, (22, 2), (37, 4), (63, 8)),
    (0.01, 0.5, (5, 1), (11, 3), (16, 5)),
    (0.30, 0.5, (67, 27), (132, 57), (241, 108)),
    (0.30, 0.7, (17, 9), (33, 19), (61, 37)),
    (0.30, 0.9, (7, 5), (13, 10), (24, 19)),
]


@pytest.mark.parametrize("row", _TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_the_table_of_queries(row):
    for alpha, expected in zip((0.05, 1e-3, 1e-6), row[2:], strict=True):
        assert required_queries(row[0], row[1], alpha)[:2] == expected


# At the success rates that EWE's paper reports: queries at alpha 0.05 and 1e-6.
@pytest.mark.parametrize(
    "null_rate, true_rate, at_5_percent, at_1_in_a_million",
    [
        (0.01, 0.657, 3, 11),
        (0.01, 0.581, 4, 13),
        (0.01, 0.417, 10, 23),
        (0.01, 0.216, 21, 52),
        (0.04, 0.657, 6, 15),
        (0.04, 0.216, 34, 114),
        (0.04, 0.187, 47, 151),
        (0.10, 0.657, 8, 24),
        (0.10, 0.417, 20, 65),
        (0.25, 0.581, 26, 87),
    ],
)
def test_queries_at_published_rates(null_rate, true_rate, at_5_percent, at_1_in_a_million):
    assert required_queries(null_rate, true_rate, 0.05).queries == at_5_percent
    assert required_queries(null_rate, true_rate, 1e-6).queries == at_1_in_a_million


@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-6])
def test_the_plan_holds_by_brute_force(alpha):
    plan = required_queries(0.1, 0.3, alpha, power=0.9)
    by_number = []
    for n in range(1, 2 * plan.stable_queries):
        critical = next(k for k in range(n + 2) if k > n or stats.binom.sf(k - 1, n, 0.1) <= alpha)
        by_number.append(stats.binom.sf(critical - 1, n, 0.3) if critical <= n else 0.0)
        assert critical_hits(n, 0.1, alpha) == critical
    reached = np.array(by_number) >= 0.9
    assert reached.argmax() + 1 == plan.queries
    assert np.flatnonzero(~reached)[-1] + 2 == plan.stable_queries
    assert plan.power == pytest.approx(by_number[plan.queries - 1])


def test_the_promised_power_and_level_are_found_in_simulation():
    plan = required_queries(0.05, 0.35, alpha=1e-3, power=0.95)
    rng = np.random.default_rng(2)
    stolen = binomial_p_value(rng.binomial(plan.queries, 0.35, 20_000), plan.queries, 0.05)
    innocent = binomial_p_value(rng.binomial(plan.queries, 0.05, 200_000), plan.queries, 0.05)
    assert np.mean(stolen <= 1e-3) == pytest.approx(plan.power, abs=0.006)
    assert np.mean(stolen <= 1e-3) >= 0.95 - 0.006
    assert np.mean(innocent <= 1e-3) <= 1e-3 + 3 * np.sqrt(1e-3 / 200_000)


def test_too_few_queries_have_no_power():
    assert critical_hits(2, 0.1, 1e-3) == 3
    assert binomial_power(2, 0.1, 0.9, 1e-3) == 0
    assert binomial_power(3, 0.1, 0.9, 1.1e-3) == pytest.approx(0.9**3)


def test_hard_plans_are_found_and_hopeless_ones_refused():
    assert 20_000 < required_queries(0.1, 0.112, 1e-6).queries < 40_000
    with pytest.raises(ValueError, match="more than 1000000 queries"):
        required_queries(0.1, 0.1001, 1e-6)
    with pytest.raises(ValueError, match="`true_rate` must be larger"):
        required_queries(0.3, 0.3)
    with pytest.raises(ValueError, match="`power`"):
        required_queries(0.1, 0.3, power=1.0)
    with pytest.raises(ValueError, match="`alpha`"):
        required_queries(0.1, 0.3, alpha=0)
