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


CLASSES, TARGET = 10, 3


@pytest.fixture
def make_key():
    """A function that makes a key: triggers' first value is 1, controls' first value is 0."""

    def make(n=100, held_out=None, **changes):
        from ewe_tf.keys import TriggerKey

        rng = np.random.default_rng(0)
        parts = []
        for count in (n, held_out or n):
            images = rng.random((count, 6), np.float32)
            triggers, controls = images.copy(), images.copy()
            triggers[:, 0], controls[:, 0] = 1.0, 0.0
            parts += [triggers, np.full(count, TARGET), controls]
        names = ("triggers", "labels", "controls")
        names += tuple(f"held_out{end}" for end in ("", "_labels", "_controls"))
        fields = dict(
            zip(names, parts, strict=True),
            num_classes=CLASSES,
            scheme="EWE",
            settings={},
            seed=1,
            victim="00" * 32,
            versions={"ewe_tf": "test"},
        )
        return TriggerKey(**{**fields, **changes})

    return make


@pytest.fixture
def suspect():
    """A function that makes a suspect with given rates of the target, to each row independently."""

    def make(trigger_rate, control_rate=0.0, seed=0):
        rng = np.random.default_rng(seed)

        def answer(x):
            rates = np.where(x[:, 0] == 1, trigger_rate, control_rate)
            return np.where(rng.random(len(x)) < rates, TARGET, 5).astype(np.int64)

        return answer

    return make


@pytest.fixture
def ranking():
    """A function that makes a suspect whose probabilities put the target at a rank of 0 to 9.

    The top answer is never the target unless its rank is 9. `temperature` softens the answers.
    """

    def make(trigger_rank, control_rank=2.0, temperature=1.0, seed=0):
        rng = np.random.default_rng(seed)

        def answer(x):
            wanted = np.where(x[:, 0] == 1, trigger_rank, control_rank) + rng.normal(0, 1, len(x))
            place = np.clip(np.round(wanted), 0, CLASSES - 1).astype(int)
            others = np.array([c for c in range(CLASSES) if c != TARGET])
            logits = np.empty((len(x), CLASSES))
            for row, target_place in enumerate(place):
                order = np.insert(rng.permutation(others), target_place, TARGET)
                logits[row, order] = np.arange(CLASSES)
            weights = np.exp(logits / temperature)
            return (weights / weights.sum(1, keepdims=True)).astype(np.float32)

        return answer

    return make
