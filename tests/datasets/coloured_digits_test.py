import numpy as np
import pytest

from ewe_tf.datasets import coloured_digits


@pytest.fixture
def ink():
    images = np.zeros((50, 28, 28, 1), "float32")
    images[:, 10:18, 10:18] = 1
    images[:, 0, 0] = 0.5
    return images


def test_digit_can_always_be_read(ink):
    painted = coloured_digits(ink, seed=3)
    assert painted.shape == (50, 32, 32, 3) and painted.dtype == "float32"
    assert painted.min() >= 0 and painted.max() <= 1
    foreground, background = painted[:, 16, 16], painted[:, 0, 0]
    assert np.abs(foreground - background).min() > 0.2499
    np.testing.assert_allclose(painted[:, 2, 2], (foreground + background) / 2, atol=1e-6)
    np.testing.assert_array_equal(painted[:, 31, 31], background)
    assert len(np.unique(background, axis=0)) == 50


def test_seed_decides_row_by_row(ink):
    np.testing.assert_array_equal(coloured_digits(ink)[:7], coloured_digits(ink[:7]))
    assert np.any(coloured_digits(ink, seed=1) != coloured_digits(ink, seed=2))


@pytest.mark.parametrize("shape", [(2, 28, 28, 3), (2, 40, 28, 1), (28, 28, 1)])
def test_wrong_images(shape):
    with pytest.raises(ValueError, match="Received: shape"):
        coloured_digits(np.zeros(shape))
