"""The query ledger: what was asked, how often, and what it may still cost."""

import collections
import dataclasses
import hashlib
import threading

import numpy as np


class BudgetExceeded(RuntimeError):
    """A call would have sent more rows than the budget has left. Nothing was sent.

    Attributes:
        requested: Rows in the call.
        remaining: Rows that the budget had left.
    """

    def __init__(self, requested, remaining, budget):
        super().__init__(
            f"The call needs {requested} queries, but only {remaining} of the budget of "
            f"{budget} are left. Nothing was sent."
        )
        self.requested = requested
        self.remaining = remaining


@dataclasses.dataclass(frozen=True)
class Query:
    """One recorded query.

    Attributes:
        digest: SHA-256 of the input row, see `row_digest`.
        answer: The label, or a tuple of probabilities; None for a refused row.
        reason: Why the row was refused, else None.
    """

    digest: str
    answer: int | tuple | None
    reason: str | None = None


class Ledger:
    """Counts queries against a budget. One query is one row sent.

    A row is counted once, when its call starts, also if the call fails half-way and however
    often a remote client has to send it again; `retries` counts the latter.

    Args:
        budget: Largest number of rows that may ever be sent, or None for no limit.
        record: Whether to keep a `Query` (digest and answer) for every row: what an evidence
            bundle needs.

    Attributes:
        queries: Rows sent.
        calls: Calls of `Oracle.predict` that sent something.
        retries: Requests sent again by a remote client.
        refusals: `collections.Counter`, reason -> rows that got no usable answer.
        entries: List of `Query`, in the order of the rows, if `record`.

    Raises:
        ValueError: If `budget` is not None or a positive integer.
    """

    def __init__(self, budget=None, record=False):
        valid = isinstance(budget, int | np.integer) and not isinstance(budget, bool)
        if budget is not None and (not valid or budget < 1):
            raise ValueError(
                f"`budget` must be a positive integer or None. Received: budget={budget!r}"
            )
        self.budget = None if budget is None else int(budget)
        self.record = bool(record)
        self.queries = 0
        self.calls = 0
        self.retries = 0
        self.refusals = collections.Counter()
        self.entries = []
        self._lock = threading.Lock()

    @property
    def remaining(self):
        """Rows that may still be sent, or None without a budget."""
        return None if self.budget is None else self.budget - self.queries

    def charge(self, rows):
        """Counts `rows` queries about to be sent.

        Raises:
            BudgetExceeded: If fewer are left; then nothing is counted.
        """
        with self._lock:
            if self.budget is not None and rows > self.budget - self.queries:
                raise BudgetExceeded(rows, self.budget - self.queries, self.budget)
            self.queries += rows
            self.calls += 1

    def note(self, x, answers, refused, retries=0):
        """Notes what came back for the rows of one call.

        Args:
            x: The rows as they were sent.
            answers: The answers in the oracle's form, `(rows,)` or `(rows, classes)`.
            refused: Dict, row number -> reason.
            retries: Requests that had to be sent again.
        """
        with self._lock:
            self.retries += retries
            self.refusals.update(refused.values())
            if not self.record:
                return
            for number, (row, answer) in enumerate(zip(x, answers, strict=True)):
                reason = refused.get(number)
                plain = answer.tolist() if reason is None else None
                plain = tuple(plain) if isinstance(plain, list) else plain
                self.entries.append(Query(row_digest(row), plain, reason))

    def __repr__(self):
        parts = [f"queries={self.queries}", f"calls={self.calls}", f"budget={self.budget}"]
        if self.retries:
            parts.append(f"retries={self.retries}")
        if self.refusals:
            parts.append(f"refusals={dict(self.refusals)}")
        return f"Ledger({', '.join(parts)})"


def row_digest(row):
    """SHA-256 of one input row, in hexadecimal.

    Hashes dtype, shape and the values in little-endian C order, so that the digest does not
    depend on the machine or on the memory layout.

    Args:
        row: Array of any shape, without the batch axis.

    Returns:
        64 hexadecimal digits.
    """
    row = np.ascontiguousarray(row)
    row = row.astype(row.dtype.newbyteorder("<"), copy=False)
    digest = hashlib.sha256(f"{row.dtype.name}{list(row.shape)}".encode())
    digest.update(row.tobytes())
    return digest.hexdigest()
