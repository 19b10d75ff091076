"""What a field accepts, at its bounds, and what its error says."""

import math
import re
import types

import numpy as np
import pytest

from ewe_tf import fields


def owner(value):
    return types.SimpleNamespace(x=value)


@pytest.mark.parametrize(
    ("check", "accepted", "refused", "described"),
    [
        (lambda o: fields.integer(o, "x"), (1, np.int64(3)), (0, 1.0, True, "1", None),
         "an integer of at least 1"),
        (lambda o: fields.integer(o, "x", least=2, most=4), (2, 4), (1, 5),
         "an integer of at least 2 and at most 4"),
        (lambda o: fields.integer(o, "x", optional=True), (None, 1), (0,),
         "an integer of at least 1 or None"),
        (lambda o: fields.number(o, "x", least=0), (0, 0.5, np.float32(9)),
         (-1e-9, math.nan, math.inf, False, "0", None), "a number in [0, inf)"),
        (lambda o: fields.number(o, "x", above=0, most=1), (1e-9, 1), (0, 1.1),
         "a number in (0, 1]"),
        (lambda o: fields.number(o, "x", least=0, below=1), (0, 0.999), (1, -0.1),
         "a number in [0, 1)"),
        (lambda o: fields.number(o, "x", above=0, optional=True), (None, 3), (0,),
         "a number in (0, inf) or None"),
        (lambda o: fields.number(o, "x"), (-7.5,), (-math.inf,), "a number in (-inf, inf)"),
        (lambda o: fields.choice(o, "x", ("a", "b")), ("a", "b"), ("c", None, 1, ["a"]),
         "one of 'a', 'b'"),
        (lambda o: fields.choice(o, "x", (True, False)), (True, False), (0, 1),
         "one of True, False"),
        (lambda o: fields.instance(o, "x", list, tuple, described="a list of models"),
         ([], ()), ("models", 3), "a list of models"),
    ],
)  # fmt: skip
def test_what_is_accepted_is_what_the_error_says(check, accepted, refused, described):
    for value in accepted:
        check(owner(value))
    for value in refused:
        message = f"`x` must be {described}. Received: x={value!r}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            check(owner(value))
