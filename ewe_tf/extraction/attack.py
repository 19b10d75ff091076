"""What all extraction attacks share: how the student is trained, and the order of a run."""

import abc
import dataclasses

import keras
import numpy as np

from ewe_tf import fields
from ewe_tf.extraction.student import Student
from ewe_tf.extraction.tempered import soften
from ewe_tf.oracle import BudgetExceeded
from ewe_tf.oracle import Oracle
from ewe_tf.oracle.inputs import check_inputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attack(abc.ABC):
    """An attack that steals a model through an oracle.

    Args:
        epochs: epochs of training of the student.
        batch_size: rows of a training step.
        learning_rate: its learning rate.
        late_rate: factor on the learning rate in the last quarter of the epochs (`epochs // 4`);
            1 where the optimizer's configuration holds a schedule.
        optimizer: `None` for Adam, the name of a Keras optimizer, or its configuration, a dict
            as `keras.optimizers.serialize` gives it; a learning rate in there counts.
        augmentation: `None`, or a callable from a batch `(rows, ...)` to a batch of the same
            shape, TensorFlow inside, or a Keras layer. Augments the answered rows during
            training, anew in each epoch; it sends no queries.
        validation_split: share of the answered rows, in [0, 1), that is held back from training;
            the weights of the epoch with the lowest loss on them are kept.
        seed: seed of all choices of the attack and of the order of training. (Initial weights
            and dropout are the student's own.)
        verbose: as in `keras.Model.fit`.

    Raises:
        ValueError: for values outside the ranges above.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    late_rate: float = 1.0
    optimizer: str | dict | None = None
    augmentation: object = None
    validation_split: float = 0.0
    seed: int = 0
    verbose: int | str = 0

    def __post_init__(self):
        fields.integer(self, "epochs", "batch_size")
        fields.integer(self, "seed", least=0)
        fields.number(self, "learning_rate", "late_rate", above=0)
        fields.number(self, "validation_split", least=0, below=1)
        if self.augmentation is not None and not callable(self.augmentation):
            raise ValueError(
                f"`augmentation` must be a callable or None. Received: {self.augmentation!r}"
            )
        self.make_optimizer()

    @abc.abstractmethod
    def queries_needed(self, rows):
        """Number of rows that `run` sends for `rows` queries, exactly."""

    @abc.abstractmethod
    def collect(self, oracle, student, queries):
        """Asks the oracle.

        Args:
            oracle: the `Oracle`.
            student: `Student`, which an attack may train to choose what to ask next.
            queries: `(rows, ...)`, checked.

        Returns:
            `(x, answers)` as `ask` returns them: the rows to train on and what was answered.
        """

    def train(self, student, x, answers):
        """Trains the student, from the weights that it came with, on answered rows."""
        student.fit(x, soften(answers))

    def run(self, oracle, student, queries):
        """Steals a model.

        Args:
            oracle: `ewe_tf.Oracle` of the victim.
            student: Keras classifier, compiled or not, with softmax outputs or logits. Trained
                in place.
            queries: `(rows, ...)` inputs that the thief owns. Labels are not needed.

        Returns:
            `student`, trained and compiled for integer labels with the metric accuracy.

        Raises:
            BudgetExceeded: if the oracle's budget has fewer than `queries_needed(rows)` left.
            TypeError, ValueError: if student, queries and oracle do not fit each other. Nothing
                has been sent then, except where an oracle does not know its number of classes
                before its first answers, or answers nothing at all.
        """
        return self._steal(oracle, student, queries, self.collect)

    def _steal(self, oracle, student, queries, collect):
        if not isinstance(oracle, Oracle):
            raise TypeError(
                "`oracle` must be an Oracle, such as ewe_tf.Oracle(model). "
                f"Received: {type(oracle).__name__}"
            )
        queries = check_inputs(queries, oracle.input_shape, name="queries")
        if len(queries) == 0:
            raise ValueError("`queries` must have at least one row. Received: 0 rows")
        require_budget(oracle, self.queries_needed(len(queries)))
        pupil = Student(student, queries[:1], self)
        self.check_oracle(oracle, pupil)
        x, answers = collect(oracle, pupil, queries)
        self.train(pupil, x, answers)
        return pupil.finish()

    def check_oracle(self, oracle, student):
        """Raises ValueError if the oracle does not fit the attack or the student."""
        if oracle.num_classes not in (None, student.num_classes):
            raise ValueError(
                f"`student` must have {oracle.num_classes} classes, as the oracle has. "
                f"Received: {student.num_classes} classes"
            )

    def make_optimizer(self):
        """A new Keras optimizer."""
        if self.optimizer is None:
            return keras.optimizers.Adam(self.learning_rate)
        if isinstance(self.optimizer, str):
            optimizer = keras.optimizers.get(self.optimizer)
            optimizer.learning_rate = self.learning_rate
            return optimizer
        if not isinstance(self.optimizer, dict) or "class_name" not in self.optimizer:
            raise ValueError(
                "`optimizer` must be the name of a Keras optimizer, a dict as "
                "`keras.optimizers.serialize` gives it, or None. "
                f"Received: {self.optimizer!r}"
            )
        config = {"learning_rate": self.learning_rate, **self.optimizer.get("config", {})}
        if isinstance(config["learning_rate"], dict) and self.late_rate != 1.0:
            raise ValueError(
                "`late_rate` must be 1 where `optimizer` has a learning rate schedule. "
                f"Received: late_rate={self.late_rate}"
            )
        return keras.optimizers.get({**self.optimizer, "config": config})


def share_of_pool(budget, rows):
    """Checks that `budget` rows can be taken out of a pool of `rows`, and returns it."""
    if budget > rows:
        raise ValueError(
            f"`budget` must be at most the number of queries, {rows}. Received: budget={budget}"
        )
    return budget


def require_budget(oracle, needed):
    """Raises `BudgetExceeded` if the oracle's budget has fewer than `needed` rows left."""
    remaining = oracle.ledger.remaining
    if remaining is not None and needed > remaining:
        raise BudgetExceeded(needed, remaining, oracle.ledger.budget)


def ask(oracle, x, num_classes, refusals=False):
    """Sends rows and returns those that were answered.

    Args:
        oracle: `Oracle`.
        x: `(rows, ...)`.
        num_classes: the student's number of classes.
        refusals: whether it is all right that no row at all gets an answer.

    Returns:
        `(x, answers)` without the rows that got no answer; `answers` is `(rows, classes)`
        float32: one-hot for labels, else the probabilities as they came.

    Raises:
        ValueError: if no row got an answer, or the answers have another number of classes.
    """
    answers = oracle.predict(x)
    if answers.ndim == 1:
        answered = answers >= 0
    else:  # No columns: nothing but refusals so far.
        answered = np.isfinite(answers).all(axis=1) & (answers.shape[1] > 0)
    if not refusals and not answered.any():
        raise ValueError(
            f"The oracle answered none of {len(x)} queries: {dict(oracle.ledger.refusals)}"
        )
    x, answers = x[answered], answers[answered]
    if len(x) == 0:
        return x, np.zeros((0, num_classes), np.float32)
    if answers.ndim == 1:
        if answers.max() >= num_classes:
            raise ValueError(
                f"`student` must have a class for every label of the oracle. Received: "
                f"{num_classes} classes, and label {answers.max()}"
            )
        return x, np.eye(num_classes, dtype=np.float32)[answers]
    if answers.shape[1] != num_classes:
        raise ValueError(
            f"`student` must have {answers.shape[1]} classes, as the oracle has. "
            f"Received: {num_classes} classes"
        )
    return x, answers
