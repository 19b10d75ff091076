import numpy as np
import pytest

from ewe_tf.datasets import resize_like


def test_small_differences_pad_with_the_edge_and_crop_back():
    images = np.random.default_rng(0).random((2, 28, 28, 1), dtype="float32")
    padded = resize_like(images, (32, 32, 1))
    np.testing.assert_array_equal(padded[:, 2:-2, 2:-2], images)
    np.testing.assert_array_equal(padded[:, 0, 2:-2], images[:, 0])
    np.testing.assert_array_equal(resize_like(padded, (28, 28, 1)), images)


def test_odd_differences_put_the_extra_row_last():
    images = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(resize_like(images, (5, 4, 1))[0, :4], images[0])
    np.testing.assert_array_equal(resize_like(images, (5, 4, 1))[0, 4], images[0, 3])


def test_halving_averages_and_stays_in_range():
    images = np.random.default_rng(1).random((3, 8, 8, 1), dtype="float32")
    small = resize_like(images, (4, 4, 1))
    assert small.shape == (3, 4, 4, 1)
    assert images.min() <= small.min() and small.max() <= images.max()
    # The antialiased triangle over a factor of two weighs pixels 1, 3, 3, 1.
    weights = np.array([1, 3, 3, 1]) / 8
    expected = weights @ images[0, 1:5, 1:5, 0] @ weights
    np.testing.assert_allclose(small[0, 1, 1, 0], expected, rtol=1e-5)


def test_enlarging_keeps_a_constant():
    np.testing.assert_allclose(
        resize_like(np.full((1, 8, 8, 1), 0.25), (28, 28, 3)), 0.25, rtol=1e-6
    )


def test_grey_and_colour():
    grey = np.random.default_rng(2).random((2, 4, 4, 1), dtype="float32")
    colour = resize_like(grey, (4, 4, 3))
    assert colour.shape == (2, 4, 4, 3)
    np.testing.assert_allclose(resize_like(colour, (4, 4, 1)), grey, rtol=1e-5)
    green = np.zeros((1, 4, 4, 3))
    green[..., 1] = 1
    np.testing.assert_allclose(resize_like(green, (4, 4, 1)), 0.587, rtol=1e-6)


@pytest.mark.parametrize(
    ("images", "shape", "message"),
    [
        (np.zeros((2, 28, 28)), (28, 28, 1), r"shape \(2, 28, 28\)"),
        (np.zeros((2, 4, 4, 1), "uint8"), (4, 4, 1), "uint8"),
        (np.zeros((2, 4, 4, 1)), (16,), r"input_shape=\(16,\)"),
        (np.zeros((2, 4, 4, 4)), (4, 4, 3), "4 channels for a task with 3"),
    ],
)
def test_what_cannot_be_fitted(images, shape, message):
    with pytest.raises(ValueError, match=message):
        resize_like(images, shape)
