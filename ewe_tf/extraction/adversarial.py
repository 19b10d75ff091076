"""Adversarial queries: rows pushed over the student's decision boundary, as CloudLeak does."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.extraction.attack import Attack
from ewe_tf.extraction.attack import ask
from ewe_tf.extraction.bounds import bounds_of
from ewe_tf.extraction.bounds import check_bounds
from ewe_tf.extraction.jacobian import spread
from ewe_tf.extraction.tempered import soften


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarialQueries(Attack):
    """Asks about the queries, then in rounds about adversarial examples of the student.

    Each round trains the student on all that was answered, draws rows of the queries, and moves
    each towards another class drawn at random, by signed gradient steps within an L-infinity
    ball, until the student prefers that class by `confidence`. Such rows lie next to the decision
    boundary, and the oracle's answers to them say on which side. In the manner of CloudLeak; its
    FeatureFool makes the examples by L-BFGS on a triplet loss of features, here they are made by
    projected steps on the difference of two log-probabilities.

    Args:
        rounds: rounds of adversarial examples.
        per_round: examples of a round; None for as many as queries.
        radius: largest change of a value of a row, in the units of the inputs.
        steps: gradient steps, each of 2 / `steps` of the radius.
        confidence: difference of log-probabilities, at least 0, at which a row is left alone.
        bounds: pair (lowest, highest) value of an input; None for those of the queries.
        round_epochs: epochs of training in a round.
        epochs, batch_size, learning_rate, late_rate: last training of the student, see `Attack`.
        optimizer, augmentation, validation_split, seed, verbose: likewise.

    Reference:
        [Yu et al., 2020](https://doi.org/10.14722/ndss.2020.24178) (CloudLeak), section IV.
    """

    rounds: int = 1
    per_round: int | None = None
    radius: float = 0.1
    steps: int = 10
    confidence: float = 0.0
    bounds: tuple | None = None
    round_epochs: int = 10

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "rounds", "steps", "round_epochs")
        fields.integer(self, "per_round", optional=True)
        fields.number(self, "radius", above=0)
        fields.number(self, "confidence", least=0)
        check_bounds(self.bounds)

    def queries_needed(self, rows):
        return rows + self.rounds * (self.per_round or rows)

    def collect(self, oracle, student, queries):
        bounds = bounds_of(queries, self.bounds)
        random = np.random.default_rng(self.seed)
        x, answers = ask(oracle, queries, student.num_classes)
        for _ in range(self.rounds):
            student.fit(x, soften(answers), epochs=self.round_epochs)
            start = queries[spread(random, len(queries), self.per_round or len(queries))]
            made = self.cross(student, start, bounds, random)
            told = ask(oracle, made, student.num_classes, refusals=True)
            x, answers = np.concatenate([x, told[0]]), np.concatenate([answers, told[1]])
        return x, answers

    def cross(self, student, start, bounds, random):
        """Moves rows over the student's boundary towards a random class each.

        Args:
            student: `Student`.
            start: `(rows, ...)` float32.
            bounds: pair (lowest, highest).
            random: NumPy generator.

        Returns:
            `(rows, ...)` float32, within `radius` of `start` and within the bounds.
        """
        rows = np.arange(len(start))
        source = student.probabilities(start).argmax(axis=1)
        guide = (source + random.integers(1, student.num_classes, len(rows))) % student.num_classes
        weights = np.zeros((len(rows), student.num_classes), np.float32)
        weights[rows, guide], weights[rows, source] = 1, -1
        low = np.maximum(start - np.float32(self.radius), bounds[0])
        high = np.minimum(start + np.float32(self.radius), bounds[1])
        x = np.clip(start, low, high)
        for _ in range(self.steps):
            logs = np.log(np.maximum(student.probabilities(x), 1e-30))
            moving = np.sum(weights * logs, axis=1) <= self.confidence
            if not moving.any():
                break
            signs = np.sign(student.input_gradient(x[moving], weights[moving]))
            moved = x[moving] + np.float32(2 * self.radius / self.steps) * signs
            x[moving] = np.clip(moved, low[moving], high[moving])
        return x
