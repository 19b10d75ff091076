"""Answer forms: how much of its output a black box gives away.

The forms are the ones of the model-extraction literature, from the most to the least that a
server may tell: all probabilities, rounded probabilities, the largest `k` of them, and the
label alone (Tramer et al., "Stealing Machine Learning Models via Prediction APIs", USENIX
Security 2016, section 6).

A row that the black box refused or answered with nonsense stays in place: label -1, or a row
of NaN.
"""

import dataclasses

import numpy as np

FORMS = ("probabilities", "label", "rounded", "top_k")
REFUSED = -1


@dataclasses.dataclass(frozen=True)
class AnswerForm:
    """What an oracle tells about each row.

    Args:
        name: `"probabilities"`, `"label"`, `"rounded"` or `"top_k"`.
        decimals: Decimals kept by `"rounded"`, 0 to 7.
        top_k: Number of classes whose probability `"top_k"` keeps; the others become 0.

    Raises:
        ValueError: If an argument is out of its range.
    """

    name: str = "probabilities"
    decimals: int = 2
    top_k: int = 3

    def __post_init__(self):
        if self.name not in FORMS:
            raise ValueError(f"`answers` must be one of {FORMS}. Received: {self.name!r}")
        if not _is_integer(self.decimals) or not 0 <= self.decimals <= 7:
            raise ValueError(
                f"`decimals` must be an integer from 0 to 7. Received: decimals={self.decimals!r}"
            )
        if not _is_integer(self.top_k) or self.top_k < 1:
            raise ValueError(f"`top_k` must be a positive integer. Received: top_k={self.top_k!r}")

    def apply(self, probabilities):
        """Reduces probabilities `(rows, classes)` to this form.

        Args:
            probabilities: Array of shape `(rows, classes)`; rows of NaN were refused.

        Returns:
            `(rows,)` int64 for `"label"`, else `(rows, classes)` float32.
        """
        if self.name == "label":
            return labels(probabilities)
        if self.name == "rounded":
            return np.round(probabilities, self.decimals).astype(np.float32)
        if self.name == "top_k":
            return largest(probabilities, self.top_k)
        return np.asarray(probabilities, np.float32)


def labels(answers):
    """The label in each answer, whatever its form.

    Args:
        answers: `(rows,)` labels or `(rows, classes)` scores, as `Oracle.predict` returns them.

    Returns:
        `(rows,)` int64. Ties go to the lowest class. A refused row gives -1.
    """
    answers = np.asarray(answers)
    if answers.ndim == 1:
        return answers.astype(np.int64)
    answered = np.isfinite(answers).all(axis=1)
    if answers.shape[1] == 0:
        return np.full(len(answers), REFUSED, np.int64)
    return np.where(answered, np.argmax(answers, axis=1), REFUSED).astype(np.int64)


def largest(probabilities, k):
    """Keeps the `k` largest probabilities of each row and sets the others to 0.

    Args:
        probabilities: `(rows, classes)`. Ties go to the lowest class.
        k: Number kept, 1 to `classes`.

    Returns:
        `(rows, classes)` float32; not renormalised.
    """
    probabilities = np.asarray(probabilities, np.float32)
    if k > probabilities.shape[1]:
        raise ValueError(
            f"`top_k` must be at most the number of classes, {probabilities.shape[1]}. "
            f"Received: top_k={k}"
        )
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    kept = np.zeros_like(probabilities)
    np.put_along_axis(kept, order, np.take_along_axis(probabilities, order, axis=1), axis=1)
    kept[~np.isfinite(probabilities).all(axis=1)] = np.nan
    return kept


def softmax(logits):
    """Softmax over the last axis, in float64 inside, float32 out."""
    logits = np.asarray(logits, np.float64)
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
    return (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)


def look_like_probabilities(scores):
    """Whether rows could be probabilities that were at most rounded, truncated or quantised.

    True if every value lies in [0, 1] and every row sums to at most 1, with a tolerance of
    0.005 a class for answers rounded to two decimals or quantised to eight bits.

    Args:
        scores: `(rows, classes)` finite values.

    Returns:
        A bool. Trained logits fail this test as soon as one of them is negative or above 1.
    """
    scores = np.asarray(scores, np.float64)
    in_range = np.all((scores >= -1e-4) & (scores <= 1 + 1e-4))
    slack = 1e-3 + 0.005 * scores.shape[-1]
    return bool(in_range and np.all(scores.sum(axis=-1) <= 1 + slack))


def _is_integer(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
