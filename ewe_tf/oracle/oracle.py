"""The oracle: a model that answers queries and tells nothing else."""

import numpy as np

from ewe_tf.oracle.answers import AnswerForm
from ewe_tf.oracle.inputs import check_inputs
from ewe_tf.oracle.ledger import Ledger
from ewe_tf.oracle.resolve import resolve


class Oracle:
    """Black-box access to a classifier, with a chosen answer form and a query budget.

    A query is one row sent. A row that is refused or answered with nonsense (only remote
    models and callables do that) does not stop the others: it gives label -1 or a row of NaN
    and is counted in `ledger.refusals` with its reason.

    Args:
        model: A Keras model, a `.keras` file, a SavedModel folder, a `.tflite` file, a TF
            Serving URL, a callable from rows to answers, or a `BlackBox` such as
            `ewe_tf.oracle.Remote` with settings of its own.
        answers: `"probabilities"`, `"label"`, `"rounded"` or `"top_k"`. A model that gives
            logits answers with their softmax.
        decimals: Decimals of `"rounded"`.
        top_k: Number of classes kept by `"top_k"`.
        budget: Largest number of rows ever sent, or None.
        batch_size: Rows given to the model at a time.
        ledger: A `Ledger` to write into, instead of a new one with `budget`; for one that
            records, or that several oracles share.

    Attributes:
        answers: Name of the answer form.
        num_classes: Number of classes; None while it is unknown (callables, remote models).
        input_shape: Shape of a row; None if unknown.
        ledger: The `Ledger`: `queries`, `calls`, `remaining`, `refusals`.

    Raises:
        TypeError: If `model` is of no accepted kind.
        ValueError: If an argument is out of range, or the model answers with labels only and
            `answers` asks for more.

    Example:
        >>> oracle = Oracle(victim, answers="label", budget=10_000)
        >>> labels = oracle.predict(x)
        >>> oracle.ledger.remaining
        9000
    """

    def __init__(
        self,
        model,
        *,
        answers="probabilities",
        decimals=2,
        top_k=3,
        budget=None,
        batch_size=256,
        ledger=None,
    ):
        self._form = AnswerForm(answers, decimals, top_k)
        valid = isinstance(batch_size, int | np.integer) and not isinstance(batch_size, bool)
        if not valid or batch_size < 1:
            raise ValueError(
                f"`batch_size` must be a positive integer. Received: batch_size={batch_size!r}"
            )
        if ledger is not None and budget is not None:
            raise ValueError("Pass `budget` or a `ledger` with its own budget, not both")
        if ledger is not None and not isinstance(ledger, Ledger):
            raise TypeError(f"`ledger` must be a Ledger. Received: {type(ledger).__name__}")
        self.ledger = Ledger(budget) if ledger is None else ledger
        self._batch_size = int(batch_size)
        self._box = resolve(model)
        self._check_form()

    @property
    def answers(self):
        return self._form.name

    @property
    def num_classes(self):
        return self._box.num_classes

    @property
    def input_shape(self):
        return self._box.input_shape

    @property
    def last_error(self):
        """Excerpt of the last error text that a remote model gave, without secrets; or None."""
        return getattr(self._box, "last_error", None)

    def predict(self, x):
        """Asks about rows.

        Args:
            x: `(rows, *input_shape)`, integers or floats, finite.

        Returns:
            `(rows,)` int64 for `answers="label"`, else `(rows, classes)` float32.

        Raises:
            BudgetExceeded: If fewer than `rows` queries are left; nothing was sent.
            TypeError: If `x` is not numeric.
            ValueError: If `x` does not fit the model.
        """
        x = check_inputs(x, self._box.input_shape, self._box.input_dtype)
        if len(x) == 0:
            return self._nothing()
        self.ledger.charge(len(x))
        answers = self._box.query(x, self._batch_size)
        self._check_form()
        values = answers.values
        if values.ndim == 2:
            values = self._form.apply(values)
        elif self.answers != "label":  # Nothing but refusals so far.
            values = np.full((len(x), self.num_classes or 0), np.nan, np.float32)
        self.ledger.note(x, values, answers.refused, answers.retries)
        return values

    def _check_form(self):
        """Raises if the model cannot give the form asked for."""
        outputs, classes = self._box.outputs, self._box.num_classes
        if self.answers != "label" and outputs in ("labels", "scores"):
            what = "labels only" if outputs == "labels" else "scores that are no probabilities"
            raise ValueError(
                f'{self._box!r} gives {what}, so `answers` must be "label". '
                f"Received: answers={self.answers!r}"
            )
        if self.answers == "top_k" and classes is not None and self._form.top_k > classes:
            raise ValueError(
                f"`top_k` must be at most the number of classes, {classes}. "
                f"Received: top_k={self._form.top_k}"
            )

    def _nothing(self):
        if self.answers == "label":
            return np.zeros((0,), np.int64)
        return np.zeros((0, self.num_classes or 0), np.float32)

    def __repr__(self):
        return f"Oracle({self._box!r}, answers={self.answers!r}, ledger={self.ledger!r})"
