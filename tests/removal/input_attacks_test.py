"""The attacks that change every query: smoothing, noise, JPEG."""

import numpy as np
import pytest

from ewe_tf.removal import FrontedModel
from ewe_tf.removal import InputNoise
from ewe_tf.removal import InputSmoothing
from ewe_tf.removal import JpegCompression


def test_mean_filter_by_hand():
    image = np.arange(25, dtype="float32").reshape(1, 5, 5, 1)
    image = np.concatenate([image, 100 - image], axis=-1)
    smooth = InputSmoothing("mean", 3).smooth(image)
    assert smooth[0, 2, 2, 0] == pytest.approx(12.0)
    assert smooth[0, 1, 3, 0] == pytest.approx(np.mean([2, 3, 4, 7, 8, 9, 12, 13, 14]))
    assert smooth[0, 1, 3, 1] == pytest.approx(100 - smooth[0, 1, 3, 0])


def test_median_removes_a_lonely_pixel_and_mixes_no_rows():
    images = np.zeros((2, 7, 7, 1), "float32")
    images[0, 3, 3] = 1.0
    images[1] = 0.5
    smooth = InputSmoothing("median", 3).smooth(images)
    assert not smooth[0].any()
    np.testing.assert_array_equal(smooth[1], images[1])


def test_gaussian_keeps_the_mean():
    images = np.zeros((1, 15, 15, 1), "float32")
    images[0, 7, 7] = 1.0
    smooth = InputSmoothing("gaussian", 4).smooth(images)
    assert smooth.sum() == pytest.approx(1.0, abs=1e-4)
    assert smooth[0, 7, 8, 0] / smooth[0, 7, 7, 0] == pytest.approx(np.exp(-0.5), rel=1e-3)


def test_noise_has_its_spread_and_range():
    seen = []
    rows = np.full((50, 20), 0.5, "float32")
    data = (np.array([[0.0], [1.0]]), [0, 1])

    def model(x):
        seen.append(x)
        return np.ones((len(x), 2)) / 2

    noisy = InputNoise(0.1, seed=3).run(model, data)
    noisy(rows)
    noisy(rows)
    assert np.std(seen[0] - rows) == pytest.approx(0.1, rel=0.1)
    assert not np.array_equal(seen[0], seen[1])
    InputNoise(0.1, seed=3).run(model, data)(rows)
    np.testing.assert_array_equal(seen[2], seen[0])
    InputNoise(5.0).run(model, data)(rows)
    assert seen[3].min() == 0.0 and seen[3].max() == 1.0


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_quality(channels):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (3, 16, 16, channels)).astype("float32")
    errors = [np.abs(JpegCompression(q).compress(x) - x).mean() for q in (95, 50, 5)]
    assert 0 < errors[0] < errors[1] < errors[2]
    flat = np.full((1, 16, 16, channels), 0.25, "float32")
    np.testing.assert_allclose(JpegCompression(90).compress(flat), flat, atol=0.02)


def test_suspects_answer_like_models(cnn, digits, held_out, accuracy):
    x, _ = held_out
    for attack in (InputSmoothing("gaussian", 2), InputNoise(0.02), JpegCompression(95)):
        suspect = attack.run(cnn, digits)
        answers = suspect(x[:20])
        assert answers.shape == (20, 10) and answers.dtype == np.float32
        np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-4)
        assert accuracy(suspect) > accuracy(cnn) - 0.1
        assert suspect.input_shape == (None, 8, 8, 1)


def test_fronts_can_be_stacked(cnn, digits, held_out):
    inner = InputSmoothing("mean", 2).run(cnn, digits)
    outer = JpegCompression(50).run(inner, digits)
    x = held_out[0][:10]
    expected = cnn.predict(
        InputSmoothing("mean", 2).smooth(JpegCompression(50).compress(x)), verbose=0
    )
    np.testing.assert_allclose(outer(x), expected, atol=1e-6)


def test_what_does_not_fit_is_refused(cnn, digits):
    x, y = digits
    flat = x.reshape(len(x), -1)
    for attack in (InputSmoothing(), JpegCompression()):
        with pytest.raises(ValueError, match="images"):
            attack.run(cnn, (flat, y))
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        JpegCompression().run(cnn, (x * 255, y))
    with pytest.raises(ValueError, match="`quality`"):
        JpegCompression(101)
    with pytest.raises(ValueError, match="`kind`"):
        InputSmoothing("box")
    with pytest.raises(TypeError, match="`model`"):
        FrontedModel("model.keras")
