"""The key of a model that carries EWE's marks: one mark's triggers, or those of several."""

import dataclasses

import numpy as np

from ewe_tf.keys import TriggerKey
from ewe_tf.keys import model_digest
from ewe_tf.versions import versions
from ewe_tf.watermarks import making


@dataclasses.dataclass(frozen=True, eq=False)
class Mark:
    """A mark that was put in, and which of its triggers become keys.

    Attributes:
        triggers: the `Triggers`.
        kept: rows of their candidates, `(keys,)`.
    """

    triggers: object
    kept: np.ndarray

    @property
    def pair(self):
        """The `Pair`."""
        return self.triggers.pair

    @property
    def rule(self):
        """The `Rule` that made the triggers."""
        return self.triggers.rule

    def arrays(self):
        """What a key holds of the mark: dict of arrays."""
        triggers, kept, target = self.triggers, self.kept, self.pair.target
        held_out = triggers.held_out
        return {
            "triggers": triggers.candidates[kept],
            "labels": np.full(len(kept), target),
            "controls": triggers.controls(triggers.sources.candidates[kept]),
            "held_out": held_out,
            "held_out_labels": np.full(len(held_out), target),
            "held_out_controls": triggers.controls(triggers.sources.held_out),
        }


def key_of(marks, source, task, scheme, settings):
    """The `TriggerKey` of a marked model.

    Args:
        marks: list of `Mark`, each of another target.
        source: the `Source` of all.
        task: the `Task`, whose model is marked.
        scheme: name of the scheme.
        settings: the scheme's settings as JSON.
    """
    arrays = [mark.arrays() for mark in marks]
    origins = [
        making.origin_of(source, mark.pair, mark.rule, _budget(mark.rule), mark.kept, task)
        for mark in marks
    ]
    several = len(marks) > 1
    return TriggerKey(
        **{name: np.concatenate([one[name] for one in arrays]) for name in arrays[0]},
        num_classes=task.classifier.num_classes,
        scheme=scheme,
        settings=settings,
        seed=task.seed,
        victim=model_digest(task.classifier.model),
        versions=versions(),
        origin=origins if several else origins[0],
        marks=tuple(mark.pair.target for mark in marks) if several else None,
    )


def _budget(rule):
    return rule.ascent.budget if rule.ascent else None
