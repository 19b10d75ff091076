"""The JSON of TF Serving's REST protocol: rows in, labels or scores out.

Both request forms (`instances`, a list of rows, and `inputs`, whole columns) and both answer
forms (`predictions` and `outputs`) are understood. KServe's V1 protocol is the first of each.
Reference: https://www.tensorflow.org/tfx/serving/api_rest
"""

import dataclasses
import json

import numpy as np

REQUESTS = ("instances", "inputs")
OUTPUT_NAMES = ("probabilities", "scores", "logits", "label", "labels", "classes")
LARGEST_LABEL = 2**31


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A row without a usable answer, and why."""

    reason: str


def encode(rows, request="instances", signature_name=None, input_name=None):
    """The body of a request.

    Floats are written with all digits, so that the server reads the very same float32.

    Args:
        rows: `(rows, ...)` array.
        request: `"instances"` or `"inputs"`.
        signature_name: Signature to ask for, or None for the server's default.
        input_name: Name of the input, or None where the signature has only one.

    Returns:
        Bytes.
    """
    values = rows.tolist()
    if input_name is not None:
        named = request == "instances"
        values = [{input_name: row} for row in values] if named else {input_name: values}
    body = {request: values}
    if signature_name is not None:
        body = {"signature_name": signature_name, **body}
    return json.dumps(body).encode()


def decode(body, rows, output_name=None):
    """Reads an answer, whatever it is, without ever raising.

    Args:
        body: Bytes as they came.
        rows: Number of rows that were asked.
        output_name: Which output to read where the answer names several; None: the only one,
            or the only one of `OUTPUT_NAMES` in that order of preference.

    Returns:
        List with, for each row, an int label, a float64 array `(classes,)` of scores, or a
        `Refusal`.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return [Refusal("invalid JSON")] * rows
    values = _values(answer, output_name)
    if not isinstance(values, list):
        return [Refusal("no predictions")] * rows
    if len(values) != rows:
        return [Refusal("wrong number of rows")] * rows
    return [_row(value, output_name) for value in values]


def _values(answer, output_name):
    if not isinstance(answer, dict):
        return None
    values = answer.get("predictions", answer.get("outputs"))
    if isinstance(values, dict):  # columns by name
        values = _choose(values, output_name)
    return values


def _choose(named, output_name):
    if output_name is not None:
        return named.get(output_name)
    if len(named) == 1:
        return next(iter(named.values()))
    return next((named[name] for name in OUTPUT_NAMES if name in named), None)


def _row(value, output_name):
    if isinstance(value, dict):
        value = _choose(value, output_name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list):
        return _scores(value)
    return _label(value)


def _scores(values):
    if not values or not all(_is_number(value) for value in values):
        return Refusal("malformed row")
    try:
        return np.array(values, np.float64)
    except (OverflowError, ValueError):
        return Refusal("malformed row")


def _label(value):
    # The comparison also turns away NaN and infinities.
    if not _is_number(value) or not 0 <= value < LARGEST_LABEL or value != int(value):
        return Refusal("malformed row")
    return int(value)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)
