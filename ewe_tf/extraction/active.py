"""Active extraction: the student says which rows of a pool are worth a query."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.extraction.attack import Attack
from ewe_tf.extraction.attack import ask
from ewe_tf.extraction.attack import share_of_pool
from ewe_tf.extraction.selection import STRATEGIES
from ewe_tf.extraction.tempered import soften


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActiveQueries(Attack):
    """Asks about random rows of a pool first, then in rounds about those chosen by a strategy.

    `queries` is the pool. Each round trains the student from the start on all that was answered
    and chooses by its probabilities. No row is sent twice.

    Args:
        budget: rows to send.
        strategy: `"margin"`: the smallest margin between the two most likely classes;
            `"entropy"`: the highest entropy; `"k_center"`: the farthest from all rows asked about.
        rounds: rounds of choosing.
        initial: share of the budget, in (0, 1], that is sent at random first.
        round_epochs: epochs of training in a round.
        epochs, batch_size, learning_rate, late_rate: last training of the student, see `Attack`.
        optimizer, augmentation, validation_split, seed, verbose: likewise.

    Reference:
        [Pal et al., 2020](https://doi.org/10.1609/aaai.v34i01.5432) (ActiveThief), section 4.
    """

    budget: int
    strategy: str = "margin"
    rounds: int = 10
    initial: float = 0.1
    round_epochs: int = 10

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "budget", "rounds", "round_epochs")
        fields.choice(self, "strategy", STRATEGIES)
        fields.number(self, "initial", above=0, most=1)

    def queries_needed(self, rows):
        return share_of_pool(self.budget, rows)

    def collect(self, oracle, student, queries):
        choose = STRATEGIES[self.strategy]
        first = max(1, round(self.initial * self.budget))
        order = np.random.default_rng(self.seed).permutation(len(queries))
        sent, waiting = order[:first], order[first:]
        x, answers = ask(oracle, queries[sent], student.num_classes)
        for part in np.array_split(np.arange(self.budget - first), self.rounds):
            if not len(part):
                continue
            student.fit(x, soften(answers), epochs=self.round_epochs)
            candidates = student.probabilities(queries[waiting])
            chosen = choose(candidates, student.probabilities(queries[sent]), len(part))
            told = ask(oracle, queries[waiting[chosen]], student.num_classes, refusals=True)
            sent, waiting = np.append(sent, waiting[chosen]), np.delete(waiting, chosen)
            x, answers = np.concatenate([x, told[0]]), np.concatenate([answers, told[1]])
        return x, answers
