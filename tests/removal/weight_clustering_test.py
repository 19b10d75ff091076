import numpy as np
import pytest

from ewe_tf.removal import WeightClustering


@pytest.mark.parametrize(("start", "epochs"), [("linear", 1), ("density", 0), ("kmeans++", 0)])
def test_distinct_weights(start, epochs, cnn, digits, accuracy):
    clustered = WeightClustering(8, start, epochs=epochs).run(cnn, digits)
    for before, after in zip(cnn.get_weights(), clustered.get_weights(), strict=True):
        if after.ndim > 1:
            assert len(np.unique(after)) <= 8 < len(np.unique(before))
    assert accuracy(clustered) > 0.7


def test_without_training_each_weight_takes_the_nearest_centre(cnn, digits):
    clustered = WeightClustering(8, epochs=0).run(cnn, digits)
    for before, after in zip(cnn.get_weights(), clustered.get_weights(), strict=True):
        if after.ndim > 1:
            centres = np.linspace(before.min(), before.max(), 8)
            distance = np.abs(before[..., None] - centres).min(axis=-1)
            np.testing.assert_allclose(np.abs(after - before), distance, atol=1e-5)
        else:
            np.testing.assert_array_equal(before, after)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="`clusters` must be an integer of at least 2"):
        WeightClustering(1)
    with pytest.raises(ValueError, match="`initialization`"):
        WeightClustering(initialization="random")
