"""The recurrent network of the EWE paper's Speech Commands experiment."""

import math

import keras
from keras import layers

from ewe_tf.models import blocks


def lstm(input_shape, num_classes, seeds):
    """Two LSTM(256) layers over time and Dense128. Layers lstm1, lstm2, features.

    The first axis of the input is time; the others (mel bands, channels) are flattened into
    one feature vector a frame, so spectrograms of shape (frames, bands, 1) fit as they are.

    Raises:
        ValueError: If the input has no second axis.

    Reference:
        Jia et al., Entangled Watermarks as a Defense against Model Extraction, USENIX
        Security 2021, arXiv:2002.12200, section 5.
    """
    if len(input_shape) < 2:
        raise ValueError(
            "`input_shape` must be (time, features...) for `lstm`. "
            f"Received: input_shape={input_shape}"
        )
    inputs = keras.Input(input_shape, name="inputs")
    x = layers.Reshape((input_shape[0], math.prod(input_shape[1:])), name="frames")(inputs)
    for name, sequences in (("lstm1", True), ("lstm2", False)):
        x = layers.LSTM(
            256,
            return_sequences=sequences,
            kernel_initializer=seeds.glorot(),
            recurrent_initializer=seeds.orthogonal(),
            name=name,
        )(x)
    features = blocks.dense_features(x, 128, seeds)
    return blocks.classifier(inputs, features, num_classes, seeds, "lstm")
