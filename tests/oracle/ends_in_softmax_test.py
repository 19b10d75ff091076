"""Whether a classifier's answers are probabilities, with and without a layer that says so."""

import keras
import pytest

from ewe_tf.oracle.ends_in_softmax import ends_in_softmax

L = keras.layers


def test_a_softmax_that_no_layer_names_is_seen_in_the_answers():
    x = keras.Input((6,))
    hidden = keras.ops.softmax(L.Dense(5)(x))
    for outputs, found in ((keras.ops.softmax(L.Dense(3)(hidden)), True), (hidden * 2, False)):
        assert ends_in_softmax(keras.Model(x, outputs)) == found


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_layers_that_pass_the_answers_on_change_nothing(activation):
    for end in (L.Reshape((3,)), L.Activation("linear"), L.Dropout(0.5)):
        model = keras.Sequential([keras.Input((4,)), L.Dense(3, activation), end])
        assert ends_in_softmax(model) == (activation == "softmax")


@pytest.mark.parametrize("scale", [1, 2])
def test_inputs_of_any_length_and_tokens(scale):
    images, tokens = keras.Input((None, None, 1)), keras.Input((None,), dtype="int32")
    for x, hidden in ((images, L.Conv2D(3, 3)(images)), (tokens, L.Embedding(9, 3)(tokens))):
        features = keras.ops.mean(hidden, axis=tuple(range(1, len(hidden.shape) - 1)))
        model = keras.Model(x, scale * keras.ops.softmax(features))
        assert ends_in_softmax(model) == (scale == 1)
