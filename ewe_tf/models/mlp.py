"""A perceptron with two hidden layers: the other architecture of every small experiment."""

import keras
from keras import layers

from ewe_tf.models import blocks


def mlp(input_shape, num_classes, seeds):
    """Dense256, Dense128. Takes any input shape. Layers hidden, features."""
    inputs = keras.Input(input_shape, name="inputs")
    x = layers.Flatten(name="flatten")(inputs)
    x = layers.Dense(256, activation="relu", kernel_initializer=seeds.glorot(), name="hidden")(x)
    features = blocks.dense_features(x, 128, seeds)
    return blocks.classifier(inputs, features, num_classes, seeds, "mlp")
