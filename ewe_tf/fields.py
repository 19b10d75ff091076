"""Checks of the fields of schemes, triggers and attacks.

Each raises ValueError that names the field, what was given and what is accepted.
"""

import math

import numpy as np


def integer(owner, *names, least=1, most=math.inf, optional=False):
    """The fields `names` of `owner` are integers in `[least, most]` (or None if `optional`)."""
    for name in names:
        value = getattr(owner, name)
        if optional and value is None:
            continue
        valid = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not valid or not least <= value <= most:
            high = f" and at most {most}" if most < math.inf else ""
            _refuse(name, f"an integer of at least {least}{high}", value, optional)


def number(
    owner, *names, least=-math.inf, above=-math.inf, most=math.inf, below=math.inf, optional=False
):
    """The fields `names` of `owner` are finite numbers within the bounds (or None).

    `least` and `most` belong to what is accepted, `above` and `below` do not.
    """
    left = f"({above}" if above > -math.inf else f"[{least}" if least > -math.inf else "(-inf"
    right = f"{below})" if below < math.inf else f"{most}]" if most < math.inf else "inf)"
    for name in names:
        value = getattr(owner, name)
        if optional and value is None:
            continue
        real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(
            value, bool
        )
        inside = real and math.isfinite(value) and least <= value <= most
        if not inside or not above < value < below:
            _refuse(name, f"a number in {left}, {right}", value, optional)


def choice(owner, name, accepted):
    """The field `name` of `owner` is one of `accepted`."""
    value = getattr(owner, name)
    if not any(isinstance(value, type(one)) and value == one for one in accepted):
        _refuse(name, f"one of {', '.join(map(repr, accepted))}", value)


def instance(owner, name, *kinds, described):
    """The field `name` of `owner` is an instance of one of `kinds`, which are `described`."""
    value = getattr(owner, name)
    if not isinstance(value, kinds):
        _refuse(name, described, value)


def _refuse(name, accepted, value, optional=False):
    other = " or None" if optional else ""
    raise ValueError(f"`{name}` must be {accepted}{other}. Received: {name}={value!r}")
