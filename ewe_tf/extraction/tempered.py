"""Distillation at a temperature: softened targets, and the loss that compares them."""

import keras
import numpy as np

from ewe_tf.oracle.answers import softmax


def soften(probabilities, temperature=1.0, floor=1e-12):
    """Raises probabilities to the power 1 / T and normalises each row.

    That is the softmax of the logits divided by T, for logits that are known only through their
    softmax: log-probabilities are logits up to a constant of each row.

    Args:
        probabilities: `(rows, classes)` in [0, 1]. Rows need not sum to 1 (rounded answers, or
            the `top_k` largest alone).
        temperature: T, above 0.
        floor: smaller probabilities, and zeros, are taken for this much, before tempering.

    Returns:
        `(rows, classes)` float32; rows sum to 1. A row of zeros becomes uniform.

    Reference:
        [Hinton et al., 2015](https://arxiv.org/abs/1503.02531), equation 1.
    """
    logarithms = np.log(np.maximum(np.asarray(probabilities, np.float64), floor))
    return softmax(logarithms / temperature)


class TemperedKLDivergence(keras.losses.Loss):
    """T^2 KL(target || softmax(student's logits / T)), mean over the rows.

    The factor T^2 keeps the size of the gradients the same at every temperature (Hinton et al.,
    2015, section 2), so that a learning rate means the same. At T = 1 its gradient is that of
    the cross-entropy with soft targets.

    Args:
        temperature: T, above 0.
        from_logits: whether the student's outputs are logits, else probabilities.

    Call arguments: targets `(rows, classes)`, softened already (`soften`), and the student's
    outputs `(rows, classes)`.
    """

    def __init__(self, temperature=1.0, from_logits=False, name="tempered_kl_divergence", **kwargs):
        super().__init__(name=name, **kwargs)
        self.temperature = temperature
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        logits = y_pred if self.from_logits else logits_behind(y_pred)
        logits = keras.ops.cast(logits, "float32")
        y_true = keras.ops.cast(y_true, "float32")
        answered = keras.ops.log_softmax(logits / self.temperature)
        wanted = keras.ops.log(keras.ops.maximum(y_true, keras.config.epsilon()))
        divergence = keras.ops.sum(y_true * (wanted - answered), axis=-1)
        return self.temperature**2 * divergence

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "from_logits": self.from_logits,
        }


def logits_behind(probabilities):
    """Logits of a softmax output: those that Keras left on the tensor, else the logarithm.

    The logarithm has no gradient where a probability underflows; Keras' own cross-entropy
    avoids that in the same way.
    """
    logits = getattr(probabilities, "_keras_logits", None)
    if logits is not None:
        return logits
    return keras.ops.log(keras.ops.maximum(probabilities, keras.config.epsilon()))
