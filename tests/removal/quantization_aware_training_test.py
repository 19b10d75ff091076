import keras
import numpy as np
import pytest

from ewe_tf.removal import QuantizationAwareTraining
from ewe_tf.removal import UnsupportedLayerError


def test_kernels_lie_on_an_8_bit_grid(cnn, digits, accuracy):
    quantized = QuantizationAwareTraining(epochs=1).run(cnn, digits)
    dense = quantized.get_layer("scores").kernel.numpy()
    convolution = quantized.get_layer("conv2").kernel.numpy()
    for values in [dense.ravel(), *convolution.reshape(-1, 8).T]:
        step = np.min(np.diff(np.unique(values)))
        multiples = values / step
        np.testing.assert_allclose(multiples, np.round(multiples), atol=0.05)
        assert np.ptp(np.round(multiples)) <= 255
    assert accuracy(quantized) > accuracy(cnn) - 0.05


def test_recurrent_model_is_refused_by_name(digits):
    x, y = digits
    model = keras.Sequential(
        [keras.Input((8, 8)), keras.layers.LSTM(4, name="memory"), keras.layers.Dense(10)]
    )
    with pytest.raises(UnsupportedLayerError, match="memory"):
        QuantizationAwareTraining().run(model, (x[..., 0], y))


def test_model_of_bytes_is_refused_at_once():
    images = keras.Input((8, 8, 1), dtype="uint8")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    model = keras.Model(images, keras.layers.Dense(3)(hidden))
    data = np.ones((10, 8, 8, 1), "uint8"), np.arange(10) % 3
    with pytest.raises(ValueError, match="`model` must take float inputs.*dtype uint8"):
        QuantizationAwareTraining().run(model, data)


def test_training_is_needed():
    with pytest.raises(ValueError, match="`epochs`"):
        QuantizationAwareTraining(epochs=0)
