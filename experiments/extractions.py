"""The thefts of the grid, by name: which attack, which queries, which architecture.

label-only:share=0.25      a quarter of the queries
soft:temperature=4         any setting of the attack
jacobian:answers=probabilities
"""

import dataclasses

from ewe_tf import extraction
from experiments import words

# Epochs of all trainings of an attack but the last, as a share of the last one's.
_ROUND_SHARE = 0.5


@dataclasses.dataclass(frozen=True)
class Extraction:
    """How a thief steals.

    Attributes:
        attack: class of `ewe_tf.extraction`.
        settings: its settings; the rest follows from the data set's training.
        answers: what the victim's API gives, see `ewe_tf.Oracle`.
        architecture: `"own"`, the victim's, or `"other"`.
        queries: `"task"`, the thief's rows, or `"pool"`, another data set's.
        share: rows, as a share of the thief's: sent, or what an attack that makes queries of
            its own starts from, or the budget of an attack that chooses from all rows.
        hops: 2: the copy is stolen once more, and judged is the copy of the copy.
    """

    attack: type
    settings: dict = dataclasses.field(default_factory=dict)
    answers: str = "label"
    architecture: str = "own"
    queries: str = "task"
    share: float = 1.0
    hops: int = 1

    def __post_init__(self):
        for name, choices in (
            ("architecture", ("own", "other")),
            ("queries", ("task", "pool")),
            ("hops", (1, 2)),
            ("answers", ("label", "probabilities", "rounded", "top_k")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {choices}. Received: {getattr(self, name)!r}"
                )
        if not 0 < self.share <= 1:
            raise ValueError(f"`share` must be in (0, 1]. Received: {self.share!r}")

    def attack_of(self, training, rows, seed):
        """The attack, all settings settled.

        Args:
            training: the benchmark's training settings.
            rows: rows of the thief.
            seed: integer.

        Raises:
            ValueError, TypeError: for settings that the attack refuses.
        """
        fields = accepted_fields(self.attack)
        epochs = training["epochs"] + training["further_epochs"]
        settings = {
            "epochs": epochs,
            "round_epochs": max(1, round(_ROUND_SHARE * epochs)),
            "batch_size": training["batch_size"],
            "learning_rate": training["rate"],
            "late_rate": 0.25,
            "seed": seed,
            "budget": self.rows_of(rows),
        }
        settings = {name: value for name, value in settings.items() if name in fields}
        return self.attack(**{**settings, **self.settings})

    def config(self, name, training, rows, seed):
        """What the stage of the theft has to know of it, as JSON; arguments as `attack_of`."""
        attack = self.attack_of(training, rows, seed)
        settings = {field: getattr(attack, field) for field in accepted_fields(self.attack)}
        return {
            "name": name, "settings": settings, "answers": self.answers, "queries": self.queries,
            "rows": rows if "budget" in settings else self.rows_of(rows), "seed": seed,
        }  # fmt: skip

    def rows_of(self, rows):
        """How many of the thief's `rows` the `share` is."""
        return max(1, round(self.share * rows))


# Queries number as many as the thief's rows unless the name says otherwise: where an attack
# makes queries of its own, it starts from fewer rows.
EXTRACTIONS = {
    "label-only": Extraction(extraction.LabelOnly),
    "soft": Extraction(extraction.Distillation, answers="probabilities"),
    "other architecture": Extraction(extraction.LabelOnly, architecture="other"),
    "half the queries": Extraction(extraction.LabelOnly, share=0.5),
    "knockoff": Extraction(extraction.Knockoff, answers="probabilities", queries="pool"),
    "adaptive knockoff": Extraction(
        extraction.AdaptiveKnockoff, answers="probabilities", queries="pool", share=0.5
    ),
    "jacobian": Extraction(extraction.JacobianAugmentation, {"rounds": 2}, share=0.25),
    "active": Extraction(extraction.ActiveQueries, {"rounds": 4}, share=0.5),
    "active entropy": Extraction(
        extraction.ActiveQueries, {"rounds": 4, "strategy": "entropy"}, share=0.5
    ),
    "active k-center": Extraction(
        extraction.ActiveQueries, {"rounds": 4, "strategy": "k_center"}, share=0.5
    ),
    "adversarial": Extraction(extraction.AdversarialQueries, share=0.5),
    "mixup queries": Extraction(extraction.MixupQueries, share=0.5),
    "mixup training": Extraction(extraction.MixupTraining),
    "second hop": Extraction(extraction.LabelOnly, hops=2),
}

# Names that stand for several.
SETS = {
    "all": tuple(EXTRACTIONS),
    "queries": tuple(
        f"{name}:share={share:g}"
        for name in ("label-only", "soft")
        for share in (0.1, 0.25, 0.5, 1.0)
    ),
}


def accepted_fields(kind):
    """Names of a dataclass's settings that can be written as text."""
    return {field.name for field in dataclasses.fields(kind)} - {"augmentation", "pool"}


def parse(text):
    """The theft that a word of the mini-language states: `(word, Extraction)`.

    Raises:
        ValueError: for unknown names and settings.
    """
    own = {"answers", "architecture", "queries", "share", "hops"}
    known = {name: own | accepted_fields(e.attack) for name, e in EXTRACTIONS.items()}
    word = words.parse(text, known, "extraction")
    changes = {k: v for k, v in word.settings.items() if k in own}
    chosen = dataclasses.replace(EXTRACTIONS[word.name], **changes)
    more = {k: v for k, v in word.settings.items() if k not in own}
    return word, dataclasses.replace(chosen, settings={**chosen.settings, **more})
