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
        history: dict from stage to what it measured. Of EWE: `"task"` and `"entangled"`, losses
            per epoch; `"pairs"`, a dict for each class pair that was marked, with how often
            innocent models answer it (one that copies did not carry has no keys); `"trials"`, one
            for each pair that was tried; `"rehearsal"`, what each in-house model answers of
            held-out triggers and of keys.
    """

    model: keras.Model
    key: Key | None
    history: dict
