"""What was sent to a suspect of a signal and what came back, and how it is gone through again."""

import dataclasses
import math

import numpy as np

from ewe_tf.keys.digest import array_digest


class OtherQuestions(ValueError):
    """Rows that a verification by this key, with these settings and answers, would not ask."""


@dataclasses.dataclass(frozen=True)
class Block:
    """Rows that were sent at once.

    Attributes:
        digest: `array_digest` of the rows.
        answers: one for each row: a label (-1: refused), a tuple of probabilities, or `None`
            (refused); `None` for all if nothing usable came.
        queries: rows sent so far, this block included.
        failure: why nothing more will come from the suspect, or `None`.
    """

    digest: str
    answers: tuple | None
    queries: int
    failure: str | None

    @classmethod
    def of(cls, rows, answers, queries, failure):
        """The block of rows `(n, ...)`, with the suspect's answers as an `Oracle` gives them."""
        if answers is not None:
            answers = tuple(map(_answer, np.asarray(answers).tolist()))
        return cls(array_digest(rows), answers, int(queries), failure)

    def array(self, num_classes):
        """The answers again: `(n,)` int64, `(n, classes)` float64 with NaN, or `None`."""
        if self.answers is None:
            return None
        if self.answers and isinstance(self.answers[0], int):
            return np.array(self.answers, np.int64)
        width = next((len(a) for a in self.answers if a is not None), num_classes)
        found = np.full((len(self.answers), width), np.nan)
        for row, answer in enumerate(self.answers):
            if answer is not None:
                found[row] = answer
        return found


@dataclasses.dataclass(frozen=True)
class SignalTranscript:
    """What happened.

    Attributes:
        blocks: tuple of `Block`, in the order of sending.
        seconds: duration.
        suspect: what was asked, in words.
    """

    blocks: tuple
    seconds: float
    suspect: str

    @classmethod
    def of(cls, asked, seconds, suspect):
        """The transcript of what `Questions` has `asked`."""
        return cls(tuple(Block.of(*one) for one in asked), seconds, suspect)

    @property
    def queries(self):
        """Rows sent."""
        return self.blocks[-1].queries if self.blocks else 0

    def to_record(self):
        """The transcript as JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_record(cls, record):
        """The transcript that `to_record` wrote.

        Raises:
            ValueError, TypeError, KeyError: for anything else.
        """
        blocks = tuple(_block(**block) for block in record["blocks"])
        seconds, suspect = float(record["seconds"]), str(record["suspect"])
        return cls(**{**record, "blocks": blocks, "seconds": seconds, "suspect": suspect})


class Replay:
    """Answers a verification's questions from a transcript, in the place of the suspect.

    Args:
        transcript: the `SignalTranscript`.
        num_classes: number of classes of the task.

    Attributes:
        queries, failure: as of `ewe_tf.verification.questions.Questions`.
    """

    def __init__(self, transcript, num_classes):
        self._blocks = list(transcript.blocks)
        self._num_classes = num_classes
        self.queries = 0
        self.failure = None

    def ask(self, rows):
        """The recorded answers to rows.

        Raises:
            OtherQuestions: if these rows were not sent next.
        """
        if not self._blocks or self._blocks[0].digest != array_digest(rows):
            raise OtherQuestions(f"the rows after {self.queries} are not what the key asks next")
        block = self._blocks.pop(0)
        if (block.answers is None) == (block.failure is None):
            raise OtherQuestions(f"the rows after {self.queries} have no answers and no failure")
        if block.answers is not None and len(block.answers) != len(rows):
            raise OtherQuestions(f"{len(block.answers)} answers to {len(rows)} rows")
        # A call beyond the suspect's budget sends nothing.
        sent = {self.queries + len(rows), self.queries if block.failure else -1}
        if block.queries not in sent:
            raise OtherQuestions(f"{block.queries} rows after {self.queries} and {len(rows)}")
        self.queries, self.failure = block.queries, block.failure
        return block.array(self._num_classes)

    def finish(self):
        """Raises OtherQuestions if more was sent than the verification asks."""
        if self._blocks:
            raise OtherQuestions(f"more was sent than the {self.queries} rows that the key asks")


def _answer(answer):
    """A label, the probabilities of a row, or `None` where they are not all there."""
    if not isinstance(answer, list):
        return answer
    return tuple(answer) if all(map(math.isfinite, answer)) else None


def _block(digest, answers, queries, failure):
    if answers is not None:
        answers = tuple(tuple(map(float, a)) if isinstance(a, list) else a for a in answers)
        kinds = {type(answer) for answer in answers} - {type(None)}
        lengths = {len(answer) for answer in answers if isinstance(answer, tuple)}
        whole = all(np.isfinite(answer).all() for answer in answers if answer is not None)
        if len(kinds) > 1 or not kinds <= {int, tuple} or len(lengths) > 1 or not whole:
            raise ValueError("the transcript holds answers of no one form")
        if int in kinds and None in answers:
            raise ValueError("the transcript holds no label for a row")
    if type(queries) is not int or queries < 0:
        raise ValueError(f"the transcript states {queries!r} queries")
    return Block(str(digest), answers, queries, None if failure is None else str(failure))
