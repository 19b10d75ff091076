"""Asking a suspect in blocks, whatever it does."""

import collections

from ewe_tf.verification.asking import check_classes
from ewe_tf.verification.asking import check_input_shape
from ewe_tf.verification.asking import failure_of


class Questions:
    """Sends rows to a suspect and keeps account.

    Args:
        key: a key with an `input_shape`.
        suspect: anything that `ewe_tf.Oracle` takes, or an `Oracle`.
        answers: what to ask for, if `suspect` is not an `Oracle`.

    Attributes:
        failure: why nothing more will come from the suspect, or `None`.
        asked: list of (rows, answers, `queries`, `failure`) after each question so far.

    Raises:
        ValueError: for a suspect of another input shape or number of classes.
    """

    def __init__(self, key, suspect, answers):
        from ewe_tf.oracle import Oracle

        self._oracle = suspect if isinstance(suspect, Oracle) else Oracle(suspect, answers=answers)
        check_input_shape(key, self._oracle)
        check_classes(key, self._oracle)
        self._key = key
        self._before = self._oracle.ledger.queries
        self._refused = collections.Counter(self._oracle.ledger.refusals)
        self._answered = False
        self.failure = None
        self.asked = []

    @property
    def queries(self):
        """Rows sent so far."""
        return self._oracle.ledger.queries - self._before

    def ask(self, rows):
        """The suspect's answers to rows; `None`, and `failure` says why, if it gives none.

        A suspect that refuses all rows from the first on has failed; later on it has not.
        """
        answers = self._answers(rows)
        self.asked.append((rows, answers, self.queries, self.failure))
        return answers

    def _answers(self, rows):
        try:
            answers = self._oracle.predict(rows)
            check_classes(self._key, self._oracle)
        except Exception as error:  # Whatever a suspect does is a finding, not our failure.
            self.failure = failure_of(error)
            return None
        refusals = self._oracle.ledger.refusals - self._refused
        self._answered |= refusals.total() < self.queries
        if not self._answered:
            reasons = ", ".join(f"{reason}: {n} rows" for reason, n in refusals.items())
            self.failure = f"no usable answer ({reasons})"
            return None
        return answers
