"""Knockoff Nets, random policy: the oracle is asked about rows of another distribution."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.extraction.attack import Attack
from ewe_tf.extraction.attack import ask
from ewe_tf.extraction.attack import share_of_pool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Knockoff(Attack):
    """Asks about rows drawn at random from a pool and trains on whatever is answered.

    `queries` is the pool, typically images that have nothing to do with the victim's task. Rows
    are drawn without replacement and sent once.

    Args:
        budget: rows to send; None for the whole pool.
        epochs, batch_size, learning_rate, late_rate: training of the student, see `Attack`.
        optimizer, augmentation, validation_split, seed, verbose: likewise.

    Reference:
        [Orekondy et al., 2019](https://arxiv.org/abs/1812.02766), section 4.1, random strategy.
    """

    budget: int | None = None

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "budget", optional=True)

    def queries_needed(self, rows):
        return rows if self.budget is None else share_of_pool(self.budget, rows)

    def collect(self, oracle, student, queries):
        order = np.random.default_rng(self.seed).permutation(len(queries))
        chosen = order[: self.queries_needed(len(queries))]
        return ask(oracle, queries[chosen], student.num_classes)
