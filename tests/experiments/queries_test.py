import numpy as np
import pytest

from ewe_tf.verification import ContrastEProcess
from ewe_tf.verification import EProcess
from experiments.queries import quantile
from experiments.queries import stopping

# (trigger rate, control rate): queries in the median at 1e-3 and at 1e-6, controls included.
MEDIANS = {
    (1.0, 0.0): (12, 22),
    (0.95, 0.02): (12, 26),
    (0.9, 0.03): (14, 30),
    (0.85, 0.0): (14, 30),
    (0.85, 0.03): (14, 32),
}


@pytest.mark.parametrize("rates", MEDIANS)
def test_a_copy_is_found_within_few_queries(rates):
    found = tuple(quantile(stopping(*rates, alpha, pairs=40), 0.5) for alpha in (1e-3, 1e-6))
    assert found == MEDIANS[rates]


def test_the_distribution_is_that_of_the_processes():
    """Followed state by state, against 200 suspects followed answer by answer."""
    rng = np.random.default_rng(4)
    alpha, pairs, n = 0.01, 15, 200
    expected = np.cumsum(stopping(0.7, 0.1, alpha, null_rate=0.2, pairs=pairs))
    ended = np.zeros(pairs)
    for _ in range(n):
        trigger, control = rng.random(pairs) < 0.7, rng.random(pairs) < 0.1
        null, contrast = EProcess(0.2), ContrastEProcess()
        null.update(trigger)
        contrast.update(trigger, control)
        ended += np.maximum(null.p_values, contrast.p_values) <= alpha
    # Massart's bound for an empirical distribution: exceeded once in 1,000 times.
    assert np.max(np.abs(ended / n - expected)) < np.sqrt(np.log(2 / 1e-3) / (2 * n))
