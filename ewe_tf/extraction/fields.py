"""Checks of the fields of attacks; each raises ValueError with the name and what is accepted."""

import math

import numpy as np


def integer(attack, *names, least=1, optional=False):
    """The fields `names` of `attack` are integers of at least `least` (or None if optional)."""
    for name in names:
        value = getattr(attack, name)
        if optional and value is None:
            continue
        valid = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not valid or value < least:
            other = " or None" if optional else ""
            raise ValueError(
                f"`{name}` must be an integer of at least {least}{other}. "
                f"Received: {name}={value!r}"
            )


def number(attack, *names, above=None, least=None, most=math.inf, below=math.inf):
    """The fields `names` of `attack` are finite numbers within the bounds."""
    for name in names:
        value = getattr(attack, name)
        real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        valid = real and math.isfinite(value) and value <= most and value < below
        valid = valid and (above is None or value > above) and (least is None or value >= least)
        if not valid:
            low = f"above {above}" if above is not None else f"of at least {least}"
            high = f" and at most {most}" if math.isfinite(most) else ""
            high += f" and below {below}" if math.isfinite(below) else ""
            raise ValueError(f"`{name}` must be a number {low}{high}. Received: {name}={value!r}")


def choice(attack, name, accepted):
    """The field `name` of `attack` is one of `accepted`."""
    value = getattr(attack, name)
    if not isinstance(value, str) or value not in accepted:
        raise ValueError(f"`{name}` must be one of {tuple(accepted)}. Received: {value!r}")
