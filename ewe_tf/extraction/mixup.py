"""Mixed queries and mixed training: the thief who suspects a composite mark."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.extraction.attack import Attack
from ewe_tf.extraction.attack import ask
from ewe_tf.extraction.bounds import require_floats
from ewe_tf.extraction.mixing import MIXERS
from ewe_tf.extraction.mixing import partners
from ewe_tf.extraction.tempered import soften


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Mixing(Attack):
    mixes: int | None = None
    mixer: str = "mixup"
    alpha: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "mixes", optional=True)
        fields.choice(self, "mixer", MIXERS)
        fields.number(self, "alpha", above=0)

    def mix(self, x):
        """Mixes rows of `x`: `(mixes, first, second, shares)`."""
        random = np.random.default_rng(self.seed)
        count = len(x) if self.mixes is None else self.mixes
        first, second = partners(random, len(x), count)
        shares = random.beta(self.alpha, self.alpha, count)
        mixed, shares = MIXERS[self.mixer](x[first], x[second], shares, random)
        return mixed.astype(np.float32), first, second, shares


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixupQueries(_Mixing):
    """Asks about the queries and about mixes of two of them.

    Mixes stretch a small pool, and they are the kind of input that a composite mark such as
    MEA-Defender's answers with its target class: the copy learns whatever the oracle says to
    them. `MixupTraining` is the thief who does not want to know.

    Args:
        mixes: number of mixes sent; None for as many as queries.
        mixer: `"mixup"`, or `"cutmix"` for images.
        alpha: the share of the first row is drawn from Beta(alpha, alpha); above 0.
        epochs, batch_size, learning_rate, late_rate: training of the student, see `Attack`.
        optimizer, augmentation, validation_split, seed, verbose: likewise.

    Reference:
        [Zhang et al., 2018](https://arxiv.org/abs/1710.09412) (mixup).
    """

    def queries_needed(self, rows):
        return rows + (rows if self.mixes is None else self.mixes)

    def collect(self, oracle, student, queries):
        require_floats(queries)
        mixed = self.mix(queries)[0]
        return ask(oracle, np.concatenate([queries, mixed]), student.num_classes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixupTraining(_Mixing):
    """Asks about the queries only, and trains on mixes of them with mixed answers.

    The adaptive attack on composite marks: a mix of two classes is taught to be a bit of both,
    in proportion, never a third class. Every query is sent once; the mixes cost nothing.

    Args:
        mixes: number of mixes trained on beside the answered rows; None for as many as these.
        mixer: `"mixup"`, or `"cutmix"` for images.
        alpha: the share of the first row is drawn from Beta(alpha, alpha); above 0.
        epochs, batch_size, learning_rate, late_rate: training of the student, see `Attack`.
        optimizer, augmentation, validation_split, seed, verbose: likewise.

    Reference:
        [Zhang et al., 2018](https://arxiv.org/abs/1710.09412) (mixup).
    """

    def queries_needed(self, rows):
        return rows

    def collect(self, oracle, student, queries):
        require_floats(queries)
        return ask(oracle, queries, student.num_classes)

    def train(self, student, x, answers):
        targets = soften(answers)
        mixed, first, second, shares = self.mix(x)
        shares = shares[:, None].astype(np.float32)
        answers = shares * targets[first] + (1 - shares) * targets[second]
        student.fit(np.concatenate([x, mixed]), np.concatenate([targets, answers]))
