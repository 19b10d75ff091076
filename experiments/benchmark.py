"""A data set with the settings of the experiments on it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A data set with the settings of an experiment on it.

    Attributes:
        task: name of the data set.
        source: name of the data set that strange inputs come from; `None` for a class of the
            task.
        architecture: of the victim and of the thief who knows it.
        other: of the thief who does not, and of half of the strangers. The owner never uses it.
        in_house: the second architecture of the owner's in-house models.
        rows: rows of the victim, of the thief, and of the strangers.
        training: optimizer, rate, batch_size, epochs, further_epochs, further_rate; `augment` for
            random crops and flips, `time_shift` for shifts along axis 0 by up to that share.
        settings: arguments of `EWE` that differ from its defaults. A `source` among them, the
            settings of a `NaturalAttribute`, takes the place of strange inputs.
        strange: arguments of `EWE` that differ from `settings` where inputs of `source` are the
            triggers all the same.
        published: arguments of `EWE.paper` for this data set that differ from its defaults.
        pool: name of the data set that thieves have besides: neither the task nor the source.
        strangers: number of independent innocent models that judge the key, each together with
            fine-tuned copies of it.
        innocents: number of in-house innocent models that choose the pair.
        alpha: level of the verdicts.
        answers: what verdicts ask suspects for: `"label"`; or `"probabilities"`, to test the
            target's rank as well.
    """

    task: str
    source: str | None
    architecture: str
    other: str
    in_house: str
    rows: int
    training: dict
    settings: dict = dataclasses.field(default_factory=dict)
    strange: dict = dataclasses.field(default_factory=dict)
    published: dict = dataclasses.field(default_factory=dict)
    pool: str = "cifar10"
    strangers: int = 5
    innocents: int = 6
    alpha: float = 1e-3
    answers: str = "label"
