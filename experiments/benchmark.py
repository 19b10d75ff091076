"""One benchmark: which parties there are, what they do, and the table of what came out."""

import dataclasses
import statistics

from experiments import parties
from experiments.stages import Failure
from experiments.stages import Stage

# The rows of the ablation, from a plain backdoor to the default.
SCHEMES = {
    "naive backdoor": {
        "name": "naive",
        "hull_weight": 0.0,
        "snnl_weight": 0.0,
        "control_weight": 0.0,
    },
    "EWE.paper()": {"name": "paper"},
    "EWE without mixing": {"name": "ewe", "hull_weight": 0.0},
    "EWE without SNNL": {"name": "ewe", "snnl_weight": 0.0},
    "EWE": {"name": "ewe"},
}
# Roles of suspects: (attack, which architecture).
THIEVES = {
    "label-only": ("label-only", "own"),
    "other architecture": ("label-only", "other"),
    "soft": ("soft", "own"),
}


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A data set with the settings of an experiment on it.

    Attributes:
        task: name of the data set.
        source: name of the data set that triggers come from; `None` for the task itself.
        architecture: of the victim and of the thief who knows it.
        other: of the thief who does not, and of half of the strangers. The owner never uses it.
        in_house: the second architecture of the owner's in-house models.
        rows: rows of the victim, of the thief, and of the strangers.
        training: optimizer, rate, batch_size, epochs, further_epochs, further_rate.
        settings: arguments of the scheme that differ from its defaults.
        published: arguments of `EWE.paper` for this data set that differ from its defaults.
        strangers: number of innocent models that judge the key.
        innocents: number of in-house innocent models that choose the pair.
        alpha: level of the verdicts.
    """

    task: str
    source: str | None
    architecture: str
    other: str
    in_house: str
    rows: int
    training: dict
    settings: dict = dataclasses.field(default_factory=dict)
    published: dict = dataclasses.field(default_factory=dict)
    strangers: int = 5
    innocents: int = 6
    alpha: float = 1e-3

    def cell(self, scheme, seed):
        """Stages of one scheme and one seed, by role."""
        data = {"task": self.task, "source": self.source, "rows": self.rows, "seed": seed}
        common = {"data": data, "training": self.training}

        def unmarked(part, architecture, number, share, title):
            config = {
                **common, "part": part, "architecture": architecture, "share": share,
                "seed": 1000 * seed + number,
            }  # fmt: skip
            return Stage(parties.unmarked, config, title=f"{title}, seed {seed}")

        in_house = {
            f"innocent{i}": unmarked(
                "victim", (self.architecture, self.in_house)[i % 2], 100 + i, 0.7,
                f"in-house innocent {i + 1}",
            )
            for i in range(self.innocents)
        }  # fmt: skip
        strangers = {
            f"stranger{i}": unmarked(
                "stranger", (self.architecture, self.other)[i % 2], 200 + i, 1.0,
                f"stranger {i + 1}",
            )
            for i in range(self.strangers)
        }  # fmt: skip
        arguments = {**SCHEMES[scheme], **self._arguments(scheme)}

        def victim(number):
            config = {
                **common, "architecture": self.architecture, "scheme": arguments,
                "seed": 1000 * seed + number,
            }  # fmt: skip
            title = f"victim {number + 1}, {scheme}, seed {seed}"
            if number and arguments["name"] != "paper":
                # Of the second one only the accuracy is asked, which no rehearsal changes.
                config["scheme"] = {**arguments, "rehearsal": False}
            return Stage(parties.victim, config, in_house, title)

        # Two models an arm, for the accuracy of a single one varies by more than the price.
        first, second = victim(0), victim(1)
        twins = [
            unmarked("victim", self.architecture, number, 1.0, f"clean twin {number + 1}")
            for number in (0, 1)
        ]
        judge = Stage(
            parties.judged, {}, {"victim": first, **strangers}, f"judge, {scheme}, seed {seed}"
        )
        suspects = {"victim": first}
        for number, (role, (attack, which)) in enumerate(THIEVES.items()):
            config = {
                **common, "attack": attack, "seed": 1000 * seed + 300 + number,
                "architecture": self.architecture if which == "own" else self.other,
            }  # fmt: skip
            title = f"{role} thief, {scheme}, seed {seed}"
            suspects[role] = Stage(parties.stolen, config, {"victim": first}, title)
        suspects.update({f"stranger {i + 1}": s for i, s in enumerate(strangers.values())})
        verdicts = {
            role: Stage(
                parties.verdict, {"alpha": self.alpha}, {"judged": judge, "suspect": suspect},
                f"verdict on {role}, {scheme}, seed {seed}",
            )
            for role, suspect in suspects.items()
        }  # fmt: skip
        pictures = Stage(parties.pictures, {"data": data}, {"victim": first}, "pictures")
        return Cell(
            scheme, seed, (first, second), twins, judge, suspects, verdicts, pictures, self.alpha
        )

    def _arguments(self, scheme):
        if SCHEMES[scheme]["name"] == "paper":
            return dict(self.published)
        return {
            "epochs": self.training["further_epochs"],
            "learning_rate": self.training["further_rate"],
            **{k: v for k, v in self.settings.items() if k not in SCHEMES[scheme]},
        }


@dataclasses.dataclass(frozen=True)
class Cell:
    """The stages of one scheme and one seed."""

    scheme: str
    seed: int
    victims: tuple
    twins: list
    judge: Stage
    suspects: dict
    verdicts: dict
    pictures: Stage
    alpha: float

    def stages(self):
        """All that the cell's records need."""
        return [
            *self.victims,
            *self.twins,
            self.judge,
            *self.suspects.values(),
            *self.verdicts.values(),
        ]

    def records(self, outcomes, experiment, dataset):
        """One JSON record for each suspect; a failed stage becomes a record with its error."""
        failed = [s for s in self.stages() if isinstance(outcomes[s], Failure)]
        if failed:
            error = outcomes[failed[0]].error
            return [
                {"experiment": experiment, "dataset": dataset, "scheme": self.scheme,
                 "seed": self.seed, "role": "failed", "error": f"{failed[0].title}: {error}"}
            ]  # fmt: skip
        twins = [outcomes[s].value["accuracy"] for s in self.twins]
        victims = [outcomes[s].value["accuracy"] for s in self.victims]
        price = 100 * (statistics.mean(twins) - statistics.mean(victims))
        pair = outcomes[self.victims[0]].value["pair"]
        records = []
        for role, stage in self.verdicts.items():
            value = outcomes[stage].value
            records.append(
                {
                    "experiment": experiment,
                    "dataset": dataset,
                    "scheme": self.scheme,
                    "seed": self.seed,
                    "role": "innocent" if role.startswith("stranger") else role,
                    "name": role,
                    "accuracy": outcomes[self.suspects[role]].value["accuracy"],
                    "rate_held_out": _rate(value["held_out"]),
                    "rate_key": _rate(value["keys"]),
                    "rate_controls": _rate(value["controls"]),
                    "n": value["held_out"][1],
                    "decision": value["decision"],
                    "p_value": value["p_value"],
                    "queries": value["queries"],
                    "price": price if role == "victim" else None,
                    "twin_accuracy": statistics.mean(twins) if role == "victim" else None,
                    "key_refused": outcomes[self.judge].value["refused"],
                    "source_class": pair["source"],
                    "target": pair["target"],
                    "seconds": outcomes[self.suspects[role]].seconds,
                }
            )
        return records


def _rate(counts):
    hits, asked = counts
    return hits / asked if asked else None
