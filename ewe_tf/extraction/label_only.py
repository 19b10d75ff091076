"""Label-only extraction: the student learns the oracle's labels."""

import dataclasses

import numpy as np

from ewe_tf.extraction.attack import Attack
from ewe_tf.extraction.attack import ask


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelOnly(Attack):
    """Trains the student on the label that the oracle gives to each query.

    Every query is sent once. An oracle that tells more is used for its labels only.

    Args:
        epochs, batch_size, learning_rate, late_rate: training of the student, see `Attack`.
        optimizer, augmentation, validation_split, seed, verbose: likewise.

    Example:

    ```python
    oracle = ewe_tf.Oracle(victim, answers="label", budget=10_000)
    copy = LabelOnly(epochs=20, late_rate=0.25).run(oracle, student, images)
    ```

    Reference:
        [Correia-Silva et al., 2018](https://arxiv.org/abs/1806.05476) (Copycat CNN); the attack
        of [Jia et al., 2021](https://arxiv.org/abs/2002.12200), section 5.
    """

    def queries_needed(self, rows):
        return rows

    def collect(self, oracle, student, queries):
        x, answers = ask(oracle, queries, student.num_classes)
        return x, np.eye(student.num_classes, dtype=np.float32)[np.argmax(answers, axis=1)]
