import numpy as np
import pytest

from ewe_tf.removal import IsolationForest
from ewe_tf.removal import LocalOutlierFactor


@pytest.mark.parametrize("attack", [LocalOutlierFactor(), IsolationForest(trees=50)])
def test_strange_rows_are_refused_by_nan(attack, cnn, digits, held_out):
    suspect = attack.run(cnn, digits)
    x = held_out[0]
    strange = np.random.default_rng(0).uniform(-3, 4, (100, 8, 8, 1)).astype("float32")
    answers = suspect(np.concatenate([x, strange]))
    refused = np.isnan(answers).all(axis=1)
    np.testing.assert_array_equal(refused, np.isnan(answers).any(axis=1))
    assert refused[: len(x)].mean() < 0.2
    assert refused[len(x) :].mean() > 0.9
    kept = np.flatnonzero(~refused[: len(x)])
    np.testing.assert_allclose(answers[kept], cnn.predict(x[kept], verbose=0), atol=1e-5)


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_share_of_honest_rows_refused(share, cnn, digits):
    """On the rows that set the threshold the share is met exactly."""
    x, _ = digits
    suspect = LocalOutlierFactor(false_refusals=share, seed=2).run(cnn, digits)
    kept = np.random.default_rng(2).permutation(len(x))[len(x) // 2 :]
    refused = np.isnan(suspect(x[kept])).all(axis=1).mean()
    assert refused == pytest.approx(share, abs=0.004)


def test_bad_settings_are_refused(cnn, digits):
    with pytest.raises(ValueError, match="`false_refusals`"):
        LocalOutlierFactor(false_refusals=0.0)
    with pytest.raises(ValueError, match="`trees`"):
        IsolationForest(0)
    with pytest.raises(ValueError, match="at least 4 rows"):
        IsolationForest().run(cnn, (digits[0][:3], digits[1][:3]))
