"""Tells probabilities from logits, even where no layer names the softmax."""

import keras
import numpy as np

from ewe_tf.oracle.output_activation import output_activation

_FREE_SIDE = 32


def ends_in_softmax(model):
    """Whether the model's output is a softmax: the last layer tells, or else answers to noise.

    Args:
        model: A Functional or Sequential `keras.Model` with one input and an output
            (rows, classes). A side of the input that is free is 32 in the noise.
    """
    activation = output_activation(model)
    if activation is not None:
        return activation == "softmax"
    sides = [side or _FREE_SIDE for side in model.inputs[0].shape[1:]]
    noise = np.random.default_rng(0).random((8, *sides), np.float32)
    answers = np.asarray(keras.ops.cast(model(noise, training=False), "float32"))
    return bool(np.all(answers >= 0) and np.allclose(answers.sum(axis=1), 1, atol=1e-2))
