"""What every kind of model behind an oracle offers: rows in, answers out."""

import abc
import dataclasses

import numpy as np

from ewe_tf.oracle.answers import REFUSED
from ewe_tf.oracle.answers import look_like_probabilities
from ewe_tf.oracle.answers import softmax

OUTPUTS = ("auto", "probabilities", "logits", "labels", "scores")


@dataclasses.dataclass(frozen=True)
class Answers:
    """What came back for a block of rows.

    Attributes:
        values: `(rows,)` int64 labels or `(rows, classes)` float32 scores. Refused rows hold
            -1 or NaN.
        refused: Dict, row number -> reason.
        retries: Requests that had to be sent again.
    """

    values: np.ndarray
    refused: dict = dataclasses.field(default_factory=dict)
    retries: int = 0


class BlackBox(abc.ABC):
    """A model that can be queried and nothing else.

    Attributes:
        input_shape: Shape of a row, with None for a free axis; None if unknown.
        input_dtype: Name of the dtype that the model takes; None if unknown.
        num_classes: Number of classes; None as long as it is unknown.
        outputs: What the model's rows are: `"probabilities"`, `"logits"`, `"labels"`,
            `"scores"` (only their order means something) or `"auto"`: decided at the first
            answer. Integers of shape `(rows,)` are labels; rows that pass
            `look_like_probabilities` are probabilities; all else is taken for logits.
        fixed_batch: Number of rows that the model insists on, or None.
    """

    input_shape = None
    input_dtype = None
    num_classes = None
    outputs = "auto"
    fixed_batch = None

    @abc.abstractmethod
    def forward(self, x):
        """The model's own answers to a batch `x`, as an array."""

    def query(self, x, batch_size):
        """Answers `x` in batches.

        Args:
            x: `(rows, ...)`, at least one row, already checked.
            batch_size: Rows at a time.

        Returns:
            `Answers` with labels or probabilities.
        """
        parts = []
        for start in range(0, len(x), self.fixed_batch or batch_size):
            part = x[start : start + (self.fixed_batch or batch_size)]
            parts.append(check_rows(self._padded(part), len(part)))
        return self.settle(np.concatenate(parts))

    def settle(self, values):
        """Turns raw rows into labels or probabilities and marks rows that hold no answer."""
        if values.ndim == 1:
            return self._settle_labels(values)
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        finite = np.isfinite(values).all(axis=1)
        if self.outputs == "auto" and finite.any():
            probable = look_like_probabilities(values[finite])
            self.outputs = "probabilities" if probable else "logits"
        self.num_classes = values.shape[1]
        if self.outputs == "logits":
            values[finite] = softmax(values[finite])
        values[~finite] = np.nan
        return Answers(values, dict.fromkeys(np.flatnonzero(~finite).tolist(), "not finite"))

    def _settle_labels(self, values):
        if self.outputs not in ("auto", "labels"):
            raise ValueError(
                f"The model was expected to answer with {self.outputs} of shape "
                f"(rows, classes). Received: shape {values.shape} and dtype {values.dtype}"
            )
        self.outputs = "labels"
        values = np.where(np.isfinite(values), values, REFUSED)
        if np.any(values != np.floor(values)):
            raise ValueError(
                "Answers of shape (rows,) must be labels, that is whole numbers. "
                f"Received: {values[values != np.floor(values)][0]}"
            )
        values = np.where(values < 0, REFUSED, values).astype(np.int64)
        refused = np.flatnonzero(values == REFUSED).tolist()
        return Answers(values, dict.fromkeys(refused, "no label"))

    def _padded(self, part):
        short = 0 if self.fixed_batch is None else self.fixed_batch - len(part)
        if not short:
            return self.forward(part)
        padding = np.repeat(part[-1:], short, axis=0)
        return np.asarray(self.forward(np.concatenate([part, padding])))[: len(part)]


def check_rows(values, rows):
    """Checks that an answer has one label or one row of scores for each row asked.

    Args:
        values: The answer, anything that converts to an array.
        rows: Number of rows asked.

    Returns:
        `(rows,)` or `(rows, classes)` array; `(rows, 1)` integers become `(rows,)`.

    Raises:
        ValueError: If it has another shape or is not numeric.
    """
    try:
        values = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The answer is not an array of one shape. {error}") from error
    if values.dtype.name == "bfloat16":
        values = values.astype(np.float32)
    if values.ndim == 2 and values.shape[1] == 1 and values.dtype.kind in "iu":
        values = values[:, 0]
    numeric = values.dtype.kind in "iuf"
    scores = values.ndim == 2 and values.shape[1] >= 2
    if not numeric or len(values.shape) == 0 or len(values) != rows:
        raise ValueError(
            f"The model must answer {rows} rows with numbers. "
            f"Received: shape {values.shape} and dtype {values.dtype}"
        )
    if values.ndim != 1 and not scores:
        raise ValueError(
            "The model must answer with labels of shape (rows,) or with scores of shape "
            f"(rows, classes) for at least two classes. Received: shape {values.shape}"
        )
    return values
