"""Soft-label extraction: the student learns the oracle's probabilities at a temperature."""

import dataclasses

from ewe_tf import fields
from ewe_tf.extraction.attack import Attack
from ewe_tf.extraction.attack import ask
from ewe_tf.extraction.tempered import soften


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distillation(Attack):
    """Trains the student on the probabilities that the oracle gives to each query.

    Every query is sent once. The student minimises T^2 KL(p^(1/T) || q^(1/T)), both normalised,
    where p are the oracle's probabilities and q the student's. An API gives no logits; logarithms
    of probabilities serve as well, as they differ from logits by a constant of each row. Rounded
    answers and `top_k` answers work: what is missing is taken for `floor`.

    Args:
        temperature: T, above 0. 1: the probabilities as they are. (MEA-Defender's attacker
            takes 7.)
        floor: probabilities below it, and zeros, are taken for this much. At a high temperature
            it decides how unlikely a class is that the oracle does not mention; half of the last
            decimal suits rounded answers.
        epochs, batch_size, learning_rate, late_rate: training of the student, see `Attack`.
        optimizer, augmentation, validation_split, seed, verbose: likewise.

    Raises:
        ValueError: for values outside the ranges above; from `run`, for an oracle that gives
            labels only.

    Reference:
        [Hinton et al., 2015](https://arxiv.org/abs/1503.02531), section 2, without the term of
        the true labels, which a thief does not have.
    """

    temperature: float = 1.0
    floor: float = 1e-6

    def __post_init__(self):
        super().__post_init__()
        fields.number(self, "temperature", above=0)
        fields.number(self, "floor", above=0, below=1)

    def queries_needed(self, rows):
        return rows

    def check_oracle(self, oracle, student):
        super().check_oracle(oracle, student)
        if oracle.answers == "label":
            raise ValueError(
                "`oracle` must give probabilities: answers='probabilities', 'rounded' or "
                "'top_k'. Received: answers='label' (use LabelOnly)"
            )

    def collect(self, oracle, student, queries):
        return ask(oracle, queries, student.num_classes)

    def train(self, student, x, answers):
        student.fit(x, soften(answers, self.temperature, self.floor), self.temperature)
