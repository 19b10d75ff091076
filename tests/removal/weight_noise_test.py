import numpy as np
import pytest

from ewe_tf.removal import WeightNoise


def test_noise_has_the_stated_spread(cnn, digits):
    noisy = WeightNoise(0.3, seed=1).run(cnn, digits)
    for name in ("conv2", "scores"):
        before = cnn.get_layer(name).kernel.numpy()
        after = noisy.get_layer(name).kernel.numpy()
        ratio = np.std(after - before) / np.std(before)
        assert 0.27 < ratio < 0.33
    before, after = cnn.get_layer("norm1"), noisy.get_layer("norm1")
    np.testing.assert_array_equal(before.moving_mean, after.moving_mean)


def test_none_and_much(cnn, digits, accuracy, same_weights):
    assert same_weights(cnn, WeightNoise(0.0).run(cnn, digits))
    assert same_weights(WeightNoise(seed=2).run(cnn, digits), WeightNoise(seed=2).run(cnn, digits))
    assert accuracy(WeightNoise(20.0).run(cnn, digits)) < 0.5


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="`relative_std`"):
        WeightNoise(-0.1)
