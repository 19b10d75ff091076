"""The transcript: every row that was sent and every answer, from which a verdict follows."""

import dataclasses

import numpy as np

from ewe_tf.verification.scores import target_rank

TRIGGER, CONTROL, BENIGN = "trigger", "control", "benign"


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One row and its answer.

    Attributes:
        role: `"trigger"`, `"control"` or `"benign"`.
        number: row of the key's array; for benign rows, of those that were given.
        digest: `array_digest` of the row.
        answer: the label, a tuple of probabilities, or `None` without a usable answer.
    """

    role: str
    number: int
    digest: str
    answer: int | tuple | None

    @property
    def label(self):
        """The top answer, or -1."""
        if self.answer is None or self.answer == ():
            return -1
        return int(np.argmax(self.answer)) if isinstance(self.answer, tuple) else self.answer


@dataclasses.dataclass(frozen=True)
class Transcript:
    """What happened.

    Attributes:
        exchanges: tuple of `Exchange`, in the order of sending.
        refusals: dict from reason to the number of rows without a usable answer.
        failure: what ended the asking before its time, or `None`.
        seconds: duration.
        suspect: what was asked, in words.
        server_said: excerpt of the last error text of a served suspect, or `None`.
    """

    exchanges: tuple
    refusals: dict
    failure: str | None
    seconds: float
    suspect: str
    server_said: str | None = None

    def to_record(self):
        """The transcript as JSON."""
        exchanges = [[e.role, e.number, e.digest, e.answer] for e in self.exchanges]
        return {**dataclasses.asdict(self), "exchanges": exchanges}

    @classmethod
    def from_record(cls, record):
        """The transcript that `to_record` wrote.

        Raises:
            ValueError, TypeError, KeyError: for anything else.
        """
        exchanges = tuple(_exchange(*row) for row in record["exchanges"])
        return cls(**{**record, "exchanges": exchanges})

    def outcomes(self, order, labels):
        """Which triggers and controls got the expected answer, in the order of asking.

        Args:
            order: numbers of the triggers, as planned.
            labels: expected answer to each trigger of the key.

        Returns:
            `(trigger, control, lost)`: two bool arrays `(asked,)`, and `(2, asked)` bool: which
            triggers and which controls have no usable answer. Such a trigger is a miss, such a
            control a hit: both count against the owner.
        """
        trigger, control = self._by_number(TRIGGER), self._by_number(CONTROL)
        asked = [n for n in order.tolist() if n in trigger and n in control]
        first = np.array([trigger[n].label for n in asked], np.int64)
        second = np.array([control[n].label for n in asked], np.int64)
        expected = labels[np.array(asked, np.int64)]
        lost = np.stack([first, second]) < 0
        return first == expected, (second == expected) | (second < 0), lost

    def ranks(self, order, labels, classes):
        """Rank of the expected class for triggers and controls, `(asked,)` each; see `scores`.

        `None` unless every trigger of `order` was asked and probabilities came back, of `classes`
        classes at most: among more, all ranks are higher.
        """
        trigger, control = self._by_number(TRIGGER), self._by_number(CONTROL)
        if not all(n in trigger and n in control for n in order.tolist()):
            return None
        found = []
        for group, worst in ((trigger, 0.0), (control, 1.0)):
            answers = [group[n].answer for n in order.tolist()]
            if any(isinstance(a, int) or (a and len(a) > classes) for a in answers):
                return None
            found.append(np.array([
                target_rank(np.array([answer]), labels[n : n + 1])[0]
                if answer and len(answer) > max(1, labels[n]) else worst
                for n, answer in zip(order.tolist(), answers, strict=True)
            ]))  # fmt: skip
        return tuple(found)

    def _by_number(self, role):
        return {e.number: e for e in self.exchanges if e.role == role}


def _exchange(role, number, digest, answer):
    if role not in (TRIGGER, CONTROL, BENIGN) or type(number) is not int or number < 0:
        raise ValueError(f"the transcript names a row {role!r} {number!r}")
    if isinstance(answer, list):
        answer = tuple(float(value) for value in answer)
        if not all(np.isfinite(answer)):
            raise ValueError("the transcript holds an answer that is not finite")
    elif answer is not None and (type(answer) is not int or not 0 <= answer < 2**63):
        raise ValueError(f"the transcript holds an answer {answer!r:.50}")
    return Exchange(role, number, str(digest), answer)
