import numpy as np
import pytest

from ewe_tf.removal import WeightRounding


@pytest.mark.parametrize(("bits", "values"), [(2, 3), (4, 15)])
def test_kernels_are_multiples_of_the_step(bits, values, cnn, digits):
    rounded = WeightRounding(bits).run(cnn, digits)
    for before, after in zip(cnn.get_weights(), rounded.get_weights(), strict=True):
        if after.ndim == 1:
            np.testing.assert_array_equal(before, after)
            continue
        step = np.abs(before).max() * 2 / (values - 1)
        multiples = after / step
        np.testing.assert_allclose(multiples, np.round(multiples), atol=1e-4)
        assert len(np.unique(np.round(multiples))) <= values
        assert np.abs(after - before).max() <= step / 2 * 1.0001


def test_many_bits_change_little(cnn, digits, accuracy):
    assert abs(accuracy(WeightRounding(8).run(cnn, digits)) - accuracy(cnn)) < 0.01


def test_bad_settings_are_refused():
    for bits in (1, 17):
        with pytest.raises(ValueError, match="`bits`"):
            WeightRounding(bits)
