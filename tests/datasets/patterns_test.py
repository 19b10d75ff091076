import numpy as np

from ewe_tf.datasets import patterns


def test_shape_range_and_seed():
    images, labels = patterns(50, (8, 9, 3), seed=4)
    assert images.shape == (50, 8, 9, 3) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1
    assert set(labels) == {0, 1, 2, 3, 4}
    again, _ = patterns(50, (8, 9, 3), seed=4)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(images[..., 0], images[..., 2])


def test_stripes_vary_along_their_axis_only():
    images, labels = patterns(200, (16, 16, 1))
    down = images.std(axis=1).mean(axis=(1, 2))
    across = images.std(axis=2).mean(axis=(1, 2))
    assert np.all(down[labels == 0] > 2 * across[labels == 0])
    assert np.all(across[labels == 1] > 2 * down[labels == 1])
