"""The settings that every removal attack with a training stage has."""

import dataclasses

from ewe_tf import fields


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retraining:
    """Settings of the training stage of a removal attack.

    Attributes:
        epochs: Integer, passes over the thief's data.
        learning_rate: Positive float, step size of the optimizer.
        batch_size: Positive integer, rows per step.
        seed: Integer; with the same seed, data and model the attack gives the same weights.
        verbose: As in `keras.Model.fit`: 0 silent, 1 progress bar, 2 one line per epoch.
    """

    epochs: int = 10
    learning_rate: float = 1e-3
    batch_size: int = 128
    seed: int = 0
    verbose: int = 0

    def __post_init__(self):
        fields.integer(self, "epochs", least=0)
        fields.number(self, "learning_rate", above=0)
        fields.integer(self, "batch_size")
        fields.integer(self, "seed", least=0)
        fields.integer(self, "verbose", least=0, most=2)
