import numpy as np
import pytest
from scipy import stats

from ewe_tf.verification import predictive_p_value
from ewe_tf.verification import random_effects_p_value


def test_without_skew_it_is_the_prediction_interval_of_the_textbook():
    innocents = np.array([-4.0, 0.0, 1.0, 1.0, 2.0])  # more spread below the mean than above
    # Centred at the median, 1, which is above the mean, 0.
    t = (3.5 - 1.0) / np.sqrt(innocents.var(ddof=1) * (1 + 1 / 5))
    assert predictive_p_value(3.5, innocents) == pytest.approx(stats.t.sf(t, 4))


def test_skew_to_the_right_widens_the_tail():
    innocents = np.array([0.0, 0.0, 0.0, 0.0, 5.0])
    # One model above the mean of 1: spread 4^2 * 5/4, one degree of freedom.
    t = (11 - 1) / np.sqrt(16 * 5 / 4 * 6 / 5)
    assert predictive_p_value(11, innocents) == pytest.approx(stats.t.sf(t, 1))
    assert predictive_p_value(11, innocents) > predictive_p_value(11, 2 - innocents)


def test_equal_innocents_need_the_noise_of_counting():
    assert predictive_p_value(1.0, [0.0] * 5, noise=1.0) == pytest.approx(
        stats.t.sf(1 / np.sqrt(6 / 5), 4)
    )
    assert predictive_p_value(-1.0, [0.0] * 5) == 1
    assert 0 < predictive_p_value(1.0, [0.0] * 5) < 1e-300


def test_counts_by_hand():
    # All innocents at 0 of 30: logit log(0.5 / 30.5), variance 2 + 1 / 30.5.
    z = np.log(27.5 / 3.5) - np.log(0.5 / 30.5)
    t = z / np.sqrt((2 + 1 / 30.5) * (1 + 1 / 20))
    p_value = random_effects_p_value(27, 30, [(0, 30)] * 20)
    assert p_value == pytest.approx(stats.t.sf(t, 19))
    assert p_value == pytest.approx(2.3e-4, rel=0.02)


def test_more_hits_more_models_and_more_queries_are_more_evidence():
    innocents = [(0, 30), (1, 30), (0, 30), (2, 30)] * 3
    by_hits = [random_effects_p_value(k, 30, innocents) for k in range(31)]
    assert by_hits[0] == 1 and np.all(np.diff(by_hits[2:]) < 0)
    few, many = innocents[:4], innocents * 4
    assert random_effects_p_value(25, 30, many) < random_effects_p_value(25, 30, few)
    assert random_effects_p_value(5, 6, innocents) > random_effects_p_value(25, 30, innocents)


@pytest.mark.parametrize(
    "models, queries, suspect_queries, rates",
    [
        (20, 30, 30, lambda rng, size: rng.beta(0.27, 8.73, size)),
        (20, 30, 30, lambda rng, size: rng.beta(0.117, 2.217, size)),
        (10, 100, 100, lambda rng, size: rng.beta(1.8, 7.2, size)),
        (20, 100, 20, lambda rng, size: rng.beta(0.117, 2.217, size)),
        (20, 100, 100, lambda rng, size: 1 / (1 + np.exp(2.2 + rng.normal(size=size)))),
        (5, 30, 30, lambda rng, size: np.full(size, 0.1)),
    ],
    ids=["few-hits", "skewed", "usual", "stopped-early", "logit-normal", "no-spread"],
)
def test_the_level_holds_however_innocent_rates_vary(
    uniform_or_larger, models, queries, suspect_queries, rates
):
    rng = np.random.default_rng(3)
    rate = rates(rng, (2500, models + 1))
    innocent = rng.binomial(queries, rate[:, 1:])
    suspect = rng.binomial(suspect_queries, rate[:, 0])
    p_values = np.array(
        [
            random_effects_p_value(
                int(k),
                suspect_queries,
                np.stack([row, np.full(models, queries)], axis=1),
            )
            for k, row in zip(suspect, innocent, strict=True)
        ]
    )
    uniform_or_larger(p_values)
    assert np.mean(p_values <= 0.01) <= 0.01 + 3 * np.sqrt(0.0099 / 2500)
    assert np.sum(p_values <= 1e-3) <= 8


def test_the_level_holds_for_scores_too(uniform_or_larger):
    rng = np.random.default_rng(4)
    for scores in (rng.normal(size=(2500, 9)), rng.gamma(2, size=(2500, 9))):
        uniform_or_larger([predictive_p_value(row[0], row[1:]) for row in scores])


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="`innocents` must hold at least 3"):
        random_effects_p_value(1, 2, [(0, 2), (0, 2)])
    with pytest.raises(ValueError, match="`hits`"):
        random_effects_p_value(3, 2, [(0, 2)] * 3)
    with pytest.raises(ValueError, match="`innocent_statistics` must hold at least 3"):
        predictive_p_value(1.0, [0.0, 0.0])
    with pytest.raises(ValueError, match="`noise`"):
        predictive_p_value(1.0, [0.0, 0.0, 1.0], noise=-1)
