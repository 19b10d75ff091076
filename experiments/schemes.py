"""The watermarks of the grid, by name: who marks, and with what arguments.

    EWE
    EWE:hull_weight=0.2:trials=1     any numeric setting of `EWE`
    EWE:share=0.003:components=2     the benchmark's natural attribute with other settings

A new scheme needs a row here. If its keys are triggers, the stages in `parties` serve it as they
are; otherwise it brings its own `victim`, `judged` and `verdict` (see `_signals`).
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping

import ewe_tf
from experiments import _composites
from experiments import _signals
from experiments import parties
from experiments import words

# What a word may set of `EWE`.
_NUMBERS = {
    field.name for field in dataclasses.fields(ewe_tf.EWE) if isinstance(field.default, int | float)
} - {"rehearsal", "innocents"}
# And of its natural attribute, of which the rest stays as the benchmark has it.
_OF_NATURAL = {"share", "components"}


def _ewe(benchmark):
    return {**_further(benchmark), **benchmark.settings}


def _of_strange_inputs(benchmark):
    arguments = {**_ewe(benchmark), **benchmark.strange}
    return {name: value for name, value in arguments.items() if name != "source"}


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
        natural: settings of its natural attribute, in place of the benchmark's. (A benchmark
            that has none gets one.)
        unrehearsed: what the second victim does otherwise. Only its accuracy is asked, for the
            price, and that no rehearsal changes.
        in_house: whether the owner's in-house models take part in the marking.
        victim, judged, verdict, pictures: stage functions; no pictures with `None`.
    """

    arguments: Mapping
    of_data: Callable = _ewe
    natural: Mapping = dataclasses.field(default_factory=dict)
    unrehearsed: Mapping = dataclasses.field(default_factory=lambda: {"rehearsal": False})
    in_house: bool = True
    victim: Callable = parties.victim
    judged: Callable = parties.judged
    verdict: Callable = parties.verdict
    pictures: Callable | None = parties.pictures

    def arguments_for(self, benchmark):
        """All arguments on a data set."""
        of_data = self.of_data(benchmark)
        if self.natural:
            of_data["source"] = {**of_data.get("source", {}), **self.natural}
        return {**of_data, **self.arguments}


# The first five are the ablation, from a plain backdoor to the default.
SCHEMES = {
    "naive backdoor": Scheme(
        {
            "name": "naive",
            "hull_weight": 0.0,
            "snnl_weight": 0.0,
            "control_weight": 0.0,
            "trials": 1,
        },
        _of_strange_inputs,
    ),
    "EWE.paper()": Scheme({"name": "paper"}, _published, unrehearsed={}),
    "EWE without mixing": Scheme({"name": "ewe", "hull_weight": 0.0}),
    "EWE without SNNL": Scheme({"name": "ewe", "snnl_weight": 0.0}),
    "EWE": Scheme({"name": "ewe"}),
    "EWE of strange inputs": Scheme({"name": "ewe"}, _of_strange_inputs),
    "EWE of a patched class": Scheme({"name": "ewe", "source": None}),
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


def _may_be_natural(scheme):
    return scheme.of_data is _ewe and "source" not in scheme.arguments


def parse(text):
    """The scheme that a word of the mini-language states: `(its name in records, Scheme)`.

    Raises:
        ValueError: for unknown names and settings, and values out of range.
    """
    known = {name: () for name in SCHEMES}
    for name, scheme in SCHEMES.items():
        if scheme.arguments["name"] in ("ewe", "naive"):
            known[name] = _NUMBERS | (_OF_NATURAL if _may_be_natural(scheme) else set())
    word = words.parse(text, known, "scheme")
    natural = {name: value for name, value in word.settings.items() if name in _OF_NATURAL}
    others = {name: value for name, value in word.settings.items() if name not in natural}
    ewe_tf.NaturalAttribute(**natural)
    ewe_tf.EWE(**{name: value for name, value in others.items() if name in _NUMBERS})
    scheme = SCHEMES[word.name]
    arguments = {**scheme.arguments, **others}
    return str(word), dataclasses.replace(scheme, arguments=arguments, natural=natural)
