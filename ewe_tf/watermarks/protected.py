"""What `fit` returns."""

import dataclasses

import keras

from ewe_tf.keys import Key


@dataclasses.dataclass(frozen=True)
class Protected:
    """A marked model with its secret.

    Attributes:
        model: the model that was passed in, its weights trained: no wrapper.
        key: what to keep secret; `None` for the unmarked control.
        history: dict from stage to dict: what each stage measured (losses per epoch, the class
            pair with its null rate, what rehearsal found).
    """

    model: keras.Model
    key: Key | None
    history: dict
