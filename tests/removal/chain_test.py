import numpy as np
import pytest

from ewe_tf.removal import Chain
from ewe_tf.removal import FineTuning
from ewe_tf.removal import InputNoise
from ewe_tf.removal import JpegCompression
from ewe_tf.removal import WeightNoise
from ewe_tf.removal import WeightRounding


def test_each_attack_gets_the_result_of_the_one_before(cnn, digits, same_weights):
    noise, rounding = WeightNoise(0.3), WeightRounding(3)
    chained = Chain([noise, rounding]).run(cnn, digits)
    assert same_weights(chained, rounding.run(noise.run(cnn, digits), digits))
    assert not same_weights(chained, noise.run(rounding.run(cnn, digits), digits))


def test_input_attacks_come_last(cnn, digits, held_out):
    suspect = Chain((FineTuning("last", epochs=1), InputNoise(0.0), JpegCompression(90)))
    answers = suspect.run(cnn, digits)(held_out[0][:5])
    np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-5)
    with pytest.raises(TypeError, match="`model` must be a Keras 3 model"):
        Chain((InputNoise(), FineTuning())).run(cnn, digits)


def test_what_is_no_attack_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Chain(())
    with pytest.raises(TypeError, match="'pruning'"):
        Chain((WeightNoise(), "pruning"))
    with pytest.raises(TypeError, match=r"FineTuning\(\). Received: <class .*WeightNoise"):
        Chain((WeightNoise,))
