"""The settings that every removal attack with a training stage has, and their checks."""

import dataclasses


def require_integer(name, value, minimum):
    """Raises `ValueError` unless `value` is an integer of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(
            f"`{name}` must be an integer of at least {minimum}. Received: {name}={value!r}"
        )


def require_number(name, value, low, high=float("inf"), *, open_low=False, open_high=False):
    """Raises `ValueError` unless `value` is a number between `low` and `high`."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    inside = number and low <= value <= high
    if inside and ((open_low and value == low) or (open_high and value == high)):
        inside = False
    if not inside:
        left = "(" if open_low else "["
        right = ")" if open_high or high == float("inf") else "]"
        raise ValueError(
            f"`{name}` must be a number in {left}{low}, {high}{right}. Received: {name}={value!r}"
        )


def require_choice(name, value, choices):
    """Raises `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. Received: {name}={value!r}"
        )


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
        require_integer("epochs", self.epochs, 0)
        require_number("learning_rate", self.learning_rate, 0.0, open_low=True)
        require_integer("batch_size", self.batch_size, 1)
        require_integer("seed", self.seed, 0)
        require_choice("verbose", self.verbose, (0, 1, 2))
