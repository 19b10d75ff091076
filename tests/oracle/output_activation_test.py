"""What a Keras classifier's last layer says about its output."""

import keras
import pytest

from ewe_tf.oracle import output_activation


def classifier(*last):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu"), *last])


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ([keras.layers.Dense(3, activation="softmax")], "softmax"),
        ([keras.layers.Dense(3)], "linear"),
        ([keras.layers.Dense(3), keras.layers.Softmax()], "softmax"),
        ([keras.layers.Dense(3), keras.layers.Activation("softmax")], "softmax"),
        ([keras.layers.Dense(3, "softmax"), keras.layers.Activation("linear")], "softmax"),
        ([keras.layers.Dense(3, "softmax"), keras.layers.Reshape((3,))], "softmax"),
        ([keras.layers.Dense(3), keras.layers.Rescaling(2.0)], None),
        ([], "relu"),
    ],
)
def test_last_layers(last, expected):
    assert output_activation(classifier(*last)) == expected


def test_a_last_layer_that_two_models_share():
    shared = keras.layers.Reshape((3,))
    softmax = classifier(keras.layers.Dense(3, "softmax"), shared)
    logits = classifier(keras.layers.Dense(3), shared)
    assert (output_activation(softmax), output_activation(logits)) == ("softmax", "linear")


def test_nested_model():
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, "softmax")])
    assert output_activation(classifier(inner)) == "softmax"


def test_subclassed_model_does_not_tell():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    assert output_activation(Subclassed()) is None
