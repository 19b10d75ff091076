"""A model behind something that looks at the rows first."""

import keras
import numpy as np


class FrontedModel:
    """A suspect that treats every row before the model sees it, and may refuse rows.

    Call it (or its `predict`) with rows (n, ...); it returns the answers (n, classes) of the
    model to the treated rows. A refused row is answered by NaN in every class.

    Args:
        model: A Keras 3 model, or a callable from rows to answers.
        treat: Function from rows to rows of the same shape, or `None`.
        refuse: Function from rows to booleans (n,), true where the row is refused, or `None`.
    """

    def __init__(self, model, treat=None, refuse=None):
        if not callable(model):
            raise TypeError(
                "`model` must be a Keras model or a callable from rows to answers. "
                f"Received: model={model!r}"
            )
        self.model = model
        self.treat = treat
        self.refuse = refuse

    def predict(self, x, batch_size=256, verbose=0):
        """Returns the answers (n, classes) float32, NaN where a row is refused."""
        x = np.asarray(x, dtype="float32")
        treated = x if self.treat is None else self.treat(x)
        if isinstance(self.model, keras.Model):
            answers = self.model.predict(treated, batch_size=batch_size, verbose=verbose)
        else:
            answers = self.model(treated)
        answers = np.array(answers, dtype="float32")
        if self.refuse is not None:
            answers[self.refuse(x)] = np.nan
        return answers

    def __call__(self, x):
        return self.predict(x)

    @property
    def input_shape(self):
        """Shape of a batch as the model states it, `None` where it does not."""
        return getattr(self.model, "input_shape", None)


def require_images(x):
    """Raises unless `x` is a batch of images (n, height, width, channels)."""
    if np.ndim(x) != 4:
        raise ValueError(
            f"The rows must be images (n, height, width, channels). Received: {np.shape(x)}"
        )
