"""The graph of the grid: which stages an owner needs, and which a theft of his model.

    owner = Owner(BENCHMARK, scheme="EWE", seed=0)
    cell = Cell(owner, extraction="label-only:share=0.5", removal="prune+finetune")
    outcomes = stages.run([*owner.stages(), *cell.stages()], cache, jobs=2)
    record = cell.record(outcomes, "my experiment")

Stages that cells have in common are equal, and computed once.
"""

import dataclasses
import functools
import itertools
import statistics

from experiments import extractions
from experiments import parties
from experiments import removals
from experiments import schemes
from experiments.benchmark import Benchmark
from experiments.measured import measured
from experiments.measured import rate_of
from experiments.stages import Stage
from experiments.success import judge_removal

# True labels, and learning rate, of the fine-tunings of strangers' models.
_TUNINGS = ((200, 5e-3), (1000, 3e-3))


@dataclasses.dataclass(frozen=True, eq=False)
class Owner:
    """All that a scheme needs on a data set with one seed, before anybody steals.

    Attributes:
        benchmark: the `Benchmark`.
        scheme: word of the mini-language (`schemes`).
        seed: integer.

    Raises:
        ValueError: for an unknown scheme or setting.
    """

    benchmark: Benchmark
    scheme: str
    seed: int

    def __post_init__(self):
        name, how = schemes.parse(self.scheme)
        object.__setattr__(self, "scheme", name)
        object.__setattr__(self, "how", how)

    @property
    def common(self):
        """What the configuration of every stage with data has."""
        b = self.benchmark
        data = {"task": b.task, "source": b.source, "rows": b.rows, "seed": self.seed}
        return {"data": data, "training": b.training}

    def stage(self, function, config, inputs, title, kind=""):
        """A stage whose title and kind name the scheme, the data set and the seed."""
        where = f"{self.benchmark.task}, seed {self.seed}"
        kind = f"{kind or function.__name__}, {self.benchmark.task}"
        return Stage(function, config, inputs, f"{title}, {where}", kind)

    def _unmarked(self, part, architecture, number, share, title):
        config = {
            **self.common, "part": part, "architecture": architecture, "share": share,
            "seed": 1000 * self.seed + number,
        }  # fmt: skip
        return self.stage(parties.unmarked, config, {}, title)

    @functools.cached_property
    def in_house(self):
        """The owner's innocent models, by name."""
        b = self.benchmark
        return {
            f"innocent{i}": self._unmarked(
                "victim", (b.architecture, b.in_house)[i % 2], 100 + i, 0.7,
                f"in-house innocent {i + 1}",
            )
            for i in range(b.innocents)
        }  # fmt: skip

    @functools.cached_property
    def strangers(self):
        """Innocent models of others, which judge the key, by name.

        Each comes with fine-tuned copies of it, which are one family with it: fine-tuning alone
        brings some models to some targets.
        """
        b, found = self.benchmark, {}
        for i in range(b.strangers):
            title = f"stranger {i + 1}"
            architecture = (b.architecture, b.other)[i % 2]
            clean = self._unmarked("stranger", architecture, 200 + i, 0.9, title)
            found[title] = clean
            for number, (labels, rate) in enumerate(_TUNINGS):
                config = {
                    **self.common, "part": "stranger", "architecture": architecture,
                    "labels": labels, "rate": rate,
                    "seed": 1000 * self.seed + 600 + len(_TUNINGS) * i + number,
                }  # fmt: skip
                name = f"{title}, fine-tuned on {labels} at {rate:g}"
                found[name] = self.stage(parties.tuned, config, {"clean": clean}, name)
        return found

    @functools.cached_property
    def victims(self):
        """Two marked models: the accuracy of a single one varies by more than the price.

        Of natural attributes the second one carries the pairs that the first one's trials chose.
        """
        scheme = self.how
        natural = isinstance(scheme.arguments_for(self.benchmark).get("source"), dict)
        inputs = self.in_house if scheme.in_house else {}
        first = self._victim(0, {}, inputs)
        return first, self._victim(1, scheme.unrehearsed, {"first": first} if natural else inputs)

    def _victim(self, number, more, inputs):
        scheme = {**self.how.arguments_for(self.benchmark), **more}
        config = {
            **self.common, "architecture": self.benchmark.architecture, "scheme": scheme,
            "seed": 1000 * self.seed + number,
        }  # fmt: skip
        title = f"victim {number + 1}, {self.scheme}"
        return self.stage(self.how.victim, config, inputs, title, f"victim {self.scheme}")

    @functools.cached_property
    def twins(self):
        """Two models that trained as the victims did, without a mark."""
        return tuple(
            self._unmarked("victim", self.benchmark.architecture, i, 1.0, f"clean twin {i + 1}")
            for i in (0, 1)
        )

    @functools.cached_property
    def judge(self):
        """The key, calibrated with the strangers."""
        inputs = {"victim": self.victims[0], **self.strangers}
        return self.stage(self.how.judged, {}, inputs, f"judge, {self.scheme}")

    @functools.cached_property
    def pictures(self):
        """Arrays for the page's pictures; `None` for schemes without."""
        function = self.how.pictures
        if function is None:
            return None
        inputs = {"victim": self.victims[0]}
        config = {"data": self.common["data"], "images": 12}
        return self.stage(function, config, inputs, f"pictures, {self.scheme}")

    def verdict(self, suspect, title):
        """What the key says about a suspect."""
        inputs = {"judged": self.judge, "suspect": suspect}
        return self.stage(
            self.how.verdict,
            {"alpha": self.benchmark.alpha, "answers": self.benchmark.answers},
            inputs,
            f"verdict on {title}, {self.scheme}",
        )

    @functools.cached_property
    def victim_verdict(self):
        """The verdict on the victim itself."""
        return self.verdict(self.victims[0], "the victim")

    @functools.cached_property
    def innocent_verdicts(self):
        """Verdicts on the strangers, by their name."""
        return {name: self.verdict(one, name) for name, one in self.strangers.items()}

    def stages(self):
        """All that the owner's records need."""
        return [
            *self.victims, *self.twins, self.judge, self.victim_verdict,
            *self.strangers.values(), *self.innocent_verdicts.values(),
        ]  # fmt: skip

    def place(self, experiment):
        """The fields that all records of the owner and of his thieves have."""
        return {
            "experiment": experiment, "dataset": self.benchmark.task, "scheme": self.scheme,
            "seed": self.seed, "rows": self.benchmark.rows,
        }  # fmt: skip

    def records(self, outcomes, experiment):
        """Records of the victim, with the price of its mark, and of the innocent models."""
        found = [self._record(outcomes, experiment)]
        for (name, stage), suspect in zip(
            self.innocent_verdicts.items(), self.strangers.values(), strict=True
        ):
            fields = {"role": "innocent", "name": name}
            found.append(measured(self, outcomes, experiment, suspect, stage, fields))
        return found

    def _record(self, outcomes, experiment):
        needed, fields = [*self.victims, *self.twins], {"role": "victim"}
        record = measured(
            self, outcomes, experiment, self.victims[0], self.victim_verdict, fields, needed
        )
        if record["role"] == "victim":
            accuracies = [outcomes[stage].value["accuracy"] for stage in needed]
            twin = statistics.mean(accuracies[2:])
            record["price"] = 100 * (twin - statistics.mean(accuracies[:2]))
            record["twin_accuracy"] = twin
        return record


@dataclasses.dataclass(frozen=True, eq=False)
class Cell:
    """One theft of an owner's model and one chain of attacks on the copy.

    Attributes:
        owner: the `Owner`.
        extraction: word of the mini-language (`extractions`), or `"none"`: the thief holds the
            victim's own weights.
        removal: chain of the mini-language (`removals`), or `"none"`.

    Raises:
        ValueError, TypeError: for names and settings that do not exist or are out of range.
    """

    owner: Owner
    extraction: str = "none"
    removal: str = "none"

    def __post_init__(self):
        self.verdict  # noqa: B018 -- builds all stages, which checks the settings.

    @functools.cached_property
    def _theft(self):
        return (None, None) if self.extraction == "none" else extractions.parse(self.extraction)

    @functools.cached_property
    def _steps(self):
        return removals.parse(self.removal)

    @property
    def role(self):
        """What the copy is called."""
        return "victim" if self._theft[0] is None else str(self._theft[0])

    @property
    def _architecture(self):
        b, theft = self.owner.benchmark, self._theft[1]
        return b.other if theft and theft.architecture == "other" else b.architecture

    @functools.cached_property
    def copy(self):
        """The stage of the stolen copy."""
        word, theft = self._theft
        stage, owner, b = self.owner.victims[0], self.owner, self.owner.benchmark
        for hop in range(theft.hops if theft else 0):
            seed = 1000 * owner.seed + 300 + hop
            config = {**owner.common, "architecture": self._architecture}
            config |= theft.config(word.name, b.training, b.rows, seed)
            if theft.queries == "pool":
                config["pool"] = b.pool
            title = f"{self.role} copy{' of the copy' if hop else ''}, {owner.scheme}"
            kind = f"stolen {self.role}"
            stage = owner.stage(parties.stolen, config, {"victim": stage}, title, kind)
        return stage

    @functools.cached_property
    def suspect(self):
        """The stage of what the thief deploys."""
        if not self._steps:
            return self.copy
        owner, b = self.owner, self.owner.benchmark
        seed = 1000 * owner.seed + 400
        chain = [s.config(b.rows, seed, b.training["batch_size"]) for s in self._steps]
        config = {"data": owner.common["data"], "chain": chain, "seed": seed}
        if any(step["name"] in removals.NEED_POOL for step in chain):
            config["pool"] = b.pool
        title = f"{self.attack} of the {self.role} copy, {owner.scheme}"
        kind = "removed " + "+".join(step["name"] for step in chain)
        return owner.stage(parties.removed, config, {"suspect": self.copy}, title, kind)

    @property
    def attack(self):
        """The chain as the records spell it, with all stated settings."""
        return "+".join(str(step.word) for step in self._steps)

    @property
    def labels(self):
        """True labels that the thief spends on the chain."""
        return max((s.labels_of(self.owner.benchmark.rows) for s in self._steps), default=0)

    @functools.cached_property
    def scratch(self):
        """What the thief reaches with these labels alone; `None` without a removal."""
        if not self._steps:
            return None
        config = {
            **self.owner.common, "labels": self.labels, "architecture": self._architecture,
            "seed": 1000 * self.owner.seed + 500,
        }  # fmt: skip
        title = f"from scratch with {self.labels} labels"
        return self.owner.stage(parties.scratch, config, {}, title, f"scratch {self.labels}")

    @functools.cached_property
    def verdict(self):
        """What the key says about the suspect."""
        title = f"{self.attack} of the {self.role} copy" if self._steps else f"the {self.role} copy"
        return self.owner.verdict(self.suspect, title)

    @functools.cached_property
    def copy_verdict(self):
        """What the key says about the copy before any removal."""
        return self.owner.verdict(self.copy, f"the {self.role} copy")

    def stages(self):
        """All that the record needs, besides what the owner needs."""
        more = [self.scratch, self.copy_verdict] if self._steps else []
        return [self.copy, self.suspect, self.verdict, *more]

    def record(self, outcomes, experiment):
        """The JSON record of the suspect; a stage that failed gives one with its error."""
        word, _ = self._theft
        fields = {
            "role": self.role,
            "extraction": word.name if word else "",
            "attack": self.attack,
            "family": "+".join(step.word.name for step in self._steps),
            "settings": {k: v for step in self._steps for k, v in step.word.settings.items()},
        }
        record = measured(
            self.owner, outcomes, experiment, self.suspect, self.verdict, fields, self.stages()
        )
        if record["role"] == "failed":
            return record
        record["thief_queries"] = outcomes[self.copy].value.get("queries")
        if self._steps:
            before = outcomes[self.copy_verdict].value
            record["labels"] = self.labels
            record["stolen_accuracy"] = outcomes[self.copy].value["accuracy"]
            record["stolen_rate"] = rate_of(before["held_out"])
            record["stolen_decision"] = before["decision"]
            record["scratch_accuracy"] = outcomes[self.scratch].value["accuracy"]
            record |= judge_removal(record)
        return record


def product(benchmarks, words, seeds, thefts):
    """The owners and cells of a grid.

    Args:
        benchmarks: sequence of `Benchmark`.
        words: schemes, as words of the mini-language.
        seeds: integers.
        thefts: pairs (extraction, removal).

    Returns:
        `(owners, cells)`; owners are shared by their cells.
    """
    owners = [Owner(*one) for one in itertools.product(benchmarks, words, seeds)]
    return owners, [Cell(owner, *theft) for owner in owners for theft in thefts]
