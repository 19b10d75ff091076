"""The attacks on the mark in a stolen copy, by name, and chains of them.

    finetune:learning_rate=3e-3:labels=200
    prune:sparsity=0.8+finetune

`labels` is what the thief spends: true labels of so many of his rows (below 1: of that share),
a tenth by default; the attacks of a chain spend the same ones. Attacks that need none see all his
rows, without labels.
"""

import dataclasses

import ewe_tf
from ewe_tf import removal
from ewe_tf.removal.settings import Retraining
from experiments import words
from experiments.extractions import accepted_fields

LABELS = 0.1
# A new last layer takes more passes over few labels than an old one.
_NEW_HEAD = 100


@dataclasses.dataclass(frozen=True)
class TransferAndBack(removal.TransferLearning):
    """The copy learns another task; the owner looks for the mark under the original head.

    Attributes:
        pool: function that gives the other task's `(x, y)`.
    """

    pool: object = None

    def run(self, model, data):
        return removal.with_original_head(super().run(model, self.pool()), model)


@dataclasses.dataclass(frozen=True)
class OwnMark(Retraining):
    """Overwriting: the thief puts an entangled mark of his own into the copy.

    Attributes:
        target: the class that his triggers are answered with.
        pool: function that gives the images `(x, y)` that his triggers are.
    """

    target: int = 0
    pool: object = None
    _: dataclasses.KW_ONLY
    epochs: int = 5

    def run(self, model, data):
        scheme = ewe_tf.EWE(
            source=self.pool()[0],
            target=self.target,
            epochs=self.epochs,
            innocents=0,
            rehearsal=False,
        )
        return removal.Overwriting(
            scheme,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            seed=self.seed,
        ).run(model, data)


@dataclasses.dataclass(frozen=True)
class Removal:
    """An attack under a name.

    Attributes:
        attack: class whose fields are the settings and which has `run(model, data)`.
        settings: those that differ from its defaults.
        labelled: whether it spends true labels of the task.
    """

    attack: type
    settings: dict = dataclasses.field(default_factory=dict)
    labelled: bool = True

    def settled(self, settings, seed, batch_size):
        """The attack with its settings.

        Raises:
            ValueError, TypeError: for settings that the attack refuses.
        """
        given = {"seed": seed, "batch_size": batch_size}
        given = {k: v for k, v in given.items() if k in accepted_fields(self.attack)}
        return self.attack(**{**given, **self.settings, **settings})


REMOVALS = {
    # With the model-optimization toolkit and the LiteRT converter.
    "prune": Removal(removal.MagnitudePruning),
    "prune polynomial": Removal(removal.MagnitudePruning, {"schedule": "polynomial"}),
    "cluster": Removal(removal.WeightClustering),
    "quantize": Removal(removal.QuantizationAwareTraining),
    "int8": Removal(removal.PostTrainingInt8, labelled=False),
    "float16": Removal(removal.PostTrainingFloat16, labelled=False),
    # FTAL, FTLL, RTAL and RTLL of the literature.
    "finetune": Removal(removal.FineTuning),
    "finetune last": Removal(removal.FineTuning, {"layers": "last"}),
    "retrain": Removal(removal.FineTuning, {"new_head": True, "epochs": _NEW_HEAD}),
    "retrain last": Removal(
        removal.FineTuning, {"layers": "last", "new_head": True, "epochs": _NEW_HEAD}
    ),
    "fine-prune": Removal(removal.FinePruning),
    "noise": Removal(removal.WeightNoise, labelled=False),
    "round": Removal(removal.WeightRounding, labelled=False),
    "transfer": Removal(TransferAndBack, labelled=False),
    "regularize": Removal(removal.RegularizedRetraining),
    "distill": Removal(removal.Distillation, {"alpha": 1.0}, labelled=False),
    "neural cleanse": Removal(removal.NeuralCleanse),
    "unlearn": Removal(removal.AdversarialUnlearning, {"epochs": _NEW_HEAD}),
    "overwrite": Removal(OwnMark),
    "disentangle": Removal(removal.Disentangling),
    # At the input.
    "smooth": Removal(removal.InputSmoothing, labelled=False),
    "input noise": Removal(removal.InputNoise, labelled=False),
    "jpeg": Removal(removal.JpegCompression, labelled=False),
    "outlier factor": Removal(removal.LocalOutlierFactor, labelled=False),
    "isolation forest": Removal(removal.IsolationForest, labelled=False),
}
# Attacks that take another data set.
NEED_POOL = tuple(name for name, r in REMOVALS.items() if "pool" in r.attack.__dataclass_fields__)

# Names that stand for several.
SETS = {
    "all": (*REMOVALS, "prune+finetune"),
    "finetune curve": tuple(
        f"finetune:learning_rate={rate:g}:labels={labels:g}"
        for labels in (0.02, 0.1, 0.5)
        for rate in (1e-4, 1e-3, 3e-3, 5e-3, 1e-2)
    ),
    "prune curve": tuple(
        f"prune:sparsity={sparsity:g}" for sparsity in (0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
    ),
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One attack of a chain, as its stage needs it: see `step_config` and `attack_of`."""

    word: words.Word
    removal: Removal
    settings: dict
    labels: float

    def labels_of(self, rows):
        """True labels that it spends, of a thief with `rows` rows."""
        if not self.removal.labelled:
            return 0
        return round(self.labels * rows) if self.labels < 1 else int(self.labels)

    def config(self, rows, seed, batch_size):
        """Everything that the step depends on, as JSON.

        Raises:
            ValueError, TypeError: for settings that the attack refuses, or more labels than
                the thief has rows.
        """
        labels = self.labels_of(rows)
        if self.removal.labelled and not 1 <= labels <= rows:
            raise ValueError(
                f"`labels` of {self.word.name!r} must be 1 to {rows}, the thief's rows (or a "
                f"share of them). Received: {self.labels:g}"
            )
        attack = self.removal.settled(self.settings, seed, batch_size)
        settings = {name: getattr(attack, name) for name in accepted_fields(self.removal.attack)}
        return {"name": self.word.name, "settings": settings, "labels": labels}


def parse(text):
    """The steps of a chain; `none` is the chain without steps.

    Raises:
        ValueError: for unknown names and settings; the message lists those that exist.
    """
    if text == "none":
        return ()
    known = {name: {"labels"} | accepted_fields(r.attack) for name, r in REMOVALS.items()}
    steps = []
    for word in words.parse_chain(text, known, "removal"):
        settings = dict(word.settings)
        labels = settings.pop("labels", LABELS)
        steps.append(Step(word, REMOVALS[word.name], settings, labels))
    return tuple(steps)


def attack_of(config, pool):
    """The attack of a step's configuration.

    Args:
        config: what `Step.config` gave.
        pool: function that gives another task's `(x, y)`.
    """
    more = {"pool": pool} if config["name"] in NEED_POOL else {}
    return REMOVALS[config["name"]].attack(**config["settings"], **more)
