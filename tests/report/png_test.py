import io

import numpy as np
import pytest

from ewe_tf.report.png import data_uri
from ewe_tf.report.png import encode


@pytest.mark.parametrize("channels", [1, 3])
def test_another_decoder_reads_the_same_pixels(channels):
    image_module = pytest.importorskip("PIL.Image")
    image = np.random.default_rng(0).random((5, 7, channels))
    decoded = np.asarray(image_module.open(io.BytesIO(encode(image))))
    expected = np.rint(image * 255).astype("uint8")
    np.testing.assert_array_equal(decoded.reshape(5, 7, channels), expected)


def test_values_outside_are_clipped_and_grey_may_be_flat():
    assert encode(np.array([[-1.0, 2.0]])) == encode(np.array([[[0.0], [1.0]]]))
    assert data_uri(np.zeros((2, 2))).startswith("data:image/png;base64,iVBORw0KGgo")


@pytest.mark.parametrize("image", [np.zeros((2, 2, 2)), np.zeros(4), np.full((2, 2), np.nan)])
def test_what_is_no_image(image):
    with pytest.raises(ValueError, match="height, width"):
        encode(image)
