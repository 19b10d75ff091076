import numpy as np
import pytest
from scipy import stats


@pytest.fixture
def uniform_or_larger():
    """Asserts that p-values are not smaller than uniform ones (one-sided Kolmogorov-Smirnov).

    The alternative is that the p-values' distribution function lies above the uniform one
    somewhere: that small p-values are more frequent than they may be.
    """

    def check(p_values, significance=1e-3):
        p_values = np.asarray(p_values)
        assert len(p_values) >= 2000
        result = stats.kstest(p_values, "uniform", alternative="greater")
        assert result.pvalue > significance, f"anti-conservative near {result.statistic_location}"

    return check
