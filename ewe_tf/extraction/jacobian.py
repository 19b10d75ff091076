"""Jacobian-based augmentation: seeds are moved to where the student's answer changes most."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.extraction.attack import Attack
from ewe_tf.extraction.attack import ask
from ewe_tf.extraction.bounds import bounds_of
from ewe_tf.extraction.bounds import check_bounds
from ewe_tf.extraction.tempered import soften


@dataclasses.dataclass(frozen=True, kw_only=True)
class JacobianAugmentation(Attack):
    """Grows a small set of seeds along the signs of the student's Jacobian.

    Each round trains the student on all that was answered, makes a new row

        x' = clip(x + step * sign(d F_c(x) / d x)),   c: the oracle's label of x,

    of each row so far, and asks about it. From `reservoir_after` rounds on only `reservoir`
    rows, drawn at random, are grown in a round. (Reservoir sampling is the streaming form of
    such a draw.) The sign of the step may alternate every `period` rounds. Nothing grows from
    rows that the oracle refused; others are grown twice in their place.

    Args:
        rounds: rounds of augmentation (the paper: 6). Without a reservoir each doubles the set.
        step: lambda, the change of each value of a row, in the units of the inputs.
        reservoir: kappa, rows grown in the rounds after `reservoir_after`; None for all.
        reservoir_after: sigma, rounds that grow every row.
        period: tau, rounds after which the step changes its sign; None for never.
        bounds: pair (lowest, highest) value of an input; None for those of the queries.
        round_epochs: epochs of training in a round.
        epochs, batch_size, learning_rate, late_rate: last training of the student, see `Attack`.
        optimizer, augmentation, validation_split, seed, verbose: likewise.

    Reference:
        [Papernot et al., 2017](https://arxiv.org/abs/1602.02697), algorithm 1 and section 4.2;
        [Papernot et al., 2016](https://arxiv.org/abs/1605.07277), section 3 (reservoir, period).
    """

    rounds: int = 6
    step: float = 0.1
    reservoir: int | None = None
    reservoir_after: int = 3
    period: int | None = None
    bounds: tuple | None = None
    round_epochs: int = 10

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "rounds", "round_epochs")
        fields.integer(self, "reservoir_after", least=0)
        fields.integer(self, "reservoir", "period", optional=True)
        fields.number(self, "step", above=0)
        check_bounds(self.bounds)

    def queries_needed(self, rows):
        return rows + sum(self._growth(rows))

    def collect(self, oracle, student, queries):
        low, high = bounds_of(queries, self.bounds)
        random = np.random.default_rng(self.seed)
        x, answers = ask(oracle, queries, student.num_classes)
        for number, planned in enumerate(self._growth(len(queries))):
            student.fit(x, soften(answers), epochs=self.round_epochs)
            chosen = spread(random, len(x), planned)
            labels = np.eye(student.num_classes, dtype=np.float32)[answers[chosen].argmax(axis=1)]
            signs = np.sign(student.input_gradient(x[chosen], labels))
            step = -self.step if self.period and number // self.period % 2 else self.step
            grown = np.clip(x[chosen] + step * signs, low, high)
            grown, told = ask(oracle, grown, student.num_classes, refusals=True)
            x, answers = np.concatenate([x, grown]), np.concatenate([answers, told])
        return x, answers

    def _growth(self, rows):
        """Rows asked about in each round."""
        growth = []
        for number in range(self.rounds):
            every = self.reservoir is None or number < self.reservoir_after
            growth.append(rows if every else min(self.reservoir, rows))
            rows += growth[-1]
        return growth


def spread(random, rows, count):
    """`count` row numbers out of `rows`, each as often as any other, give or take one."""
    if count == rows:
        return np.arange(rows)
    passes = [random.permutation(rows) for _ in range(-(-count // rows))]
    return np.concatenate(passes)[:count]
