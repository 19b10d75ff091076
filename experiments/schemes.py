"""The watermarks of the grid, by name: who marks, and with what arguments.

A new scheme needs a row here. If its keys are triggers, the stages in `parties` serve it as they
are; otherwise it brings its own `victim`, `judged` and `verdict` (see `_signals`).
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping

from experiments import _composites
from experiments import _signals
from experiments import parties


def _ewe(benchmark):
    return {**_further(benchmark), **benchmark.settings}


def _published(benchmark):
    return dict(benchmark.published)


def _further(benchmark):
    training = benchmark.training
    return {"epochs": training["further_epochs"], "learning_rate": training["further_rate"]}


def _nothing(benchmark):
    return {}


@dataclasses.dataclass(frozen=True)
class Scheme:
    """A watermark as the grid runs it.

    Attributes:
        arguments: of the scheme; `name` says which maker the victim's stage calls.
        of_data: function from a `Benchmark` to arguments that depend on the data set;
            `arguments` have the last word.
        unrehearsed: what the second victim does otherwise. Only its accuracy is asked, for the
            price, and that no rehearsal changes.
        in_house: whether the owner's in-house models take part in the marking.
        victim, judged, verdict, pictures: stage functions; no pictures with `None`.
    """

    arguments: Mapping
    of_data: Callable = _ewe
    unrehearsed: Mapping = dataclasses.field(default_factory=lambda: {"rehearsal": False})
    in_house: bool = True
    victim: Callable = parties.victim
    judged: Callable = parties.judged
    verdict: Callable = parties.verdict
    pictures: Callable | None = parties.pictures

    def arguments_for(self, benchmark):
        """All arguments on a data set."""
        return {**self.of_data(benchmark), **self.arguments}


# The first five are the ablation, from a plain backdoor to the default.
SCHEMES = {
    "naive backdoor": Scheme(
        {"name": "naive", "hull_weight": 0.0, "snnl_weight": 0.0, "control_weight": 0.0}
    ),
    "EWE.paper()": Scheme({"name": "paper"}, _published, unrehearsed={}),
    "EWE without mixing": Scheme({"name": "ewe", "hull_weight": 0.0}),
    "EWE without SNNL": Scheme({"name": "ewe", "snnl_weight": 0.0}),
    "EWE": Scheme({"name": "ewe"}),
    "MEA-Defender": Scheme({"name": "mea_defender"}, _further, victim=_composites.victim),
    "DynaMarks": Scheme(
        {"name": "static"},
        _nothing,
        unrehearsed={},
        in_house=False,
        victim=_signals.victim,
        judged=_signals.judged,
        verdict=_signals.verdict,
        pictures=None,
    ),
}

# Names that stand for several.
SETS = {"all": tuple(SCHEMES), "ablation": tuple(SCHEMES)[:5]}
