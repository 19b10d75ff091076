"""The graph of an experiment on marks in the answers: who serves, who steals, who is asked."""

import dataclasses

from experiments import _answers
from experiments import parties
from experiments import removals
from experiments.stages import Failure
from experiments.stages import Stage

FULL, ROUNDED = 1000, 3000
CLIENTS = ("alice", "bob", "carol")
LABEL = {"answers": "label"}

# Role: what the thief asks for, at what temperature he trains, his architecture, how many probes
# the owner then asks.
THIEVES = {
    "full": ({}, 1.0, "own", FULL),
    "other architecture": ({}, 1.0, "other", FULL),
    "rounded to 3": ({"answers": "rounded", "decimals": 3}, 1.0, "own", ROUNDED),
    "rounded to 2": ({"answers": "rounded", "decimals": 2}, 1.0, "own", ROUNDED),
    "rounded to 1": ({"answers": "rounded", "decimals": 1}, 1.0, "own", ROUNDED),
    "top 3": ({"answers": "top_k", "top_k": 3}, 1.0, "own", ROUNDED),
    "temperature 4": ({}, 4.0, "own", FULL),
    "temperature 0.5": ({}, 0.5, "own", FULL),
    "label only": (LABEL, 1.0, "own", FULL),
}
# What the holder of the full-answer copy tells the judge.
TOLD = {
    "copy tells 2 decimals": {"answers": "rounded", "decimals": 2},
    "copy tells labels": LABEL,
}
REMOVALS = (
    "finetune", "finetune last", "retrain", "prune:sparsity=0.5", "prune:sparsity=0.8",
    "fine-prune", "distill", "round:bits=4", "int8",
)  # fmt: skip
# Name: class, settings, what the thief asks for.
RELATIVES = {
    "DAWN": ("DAWN", {"rate": 0.005}, {}),
    "DAWN, labels": ("DAWN", {"rate": 0.005}, LABEL),
    "CosWM": ("CosWM", {}, {}),
    "reverse sigmoid": ("ReverseSigmoid", {}, {}),
    "MAD": ("PredictionPoisoning", {"budget": 0.5}, {}),
    "rounded answers": ("RoundedAnswers", {"decimals": 2}, {}),
    "top-3 answers": ("TopKAnswers", {"k": 3}, {}),
    "label answers": ("LabelAnswers", {}, {}),
}


@dataclasses.dataclass(frozen=True)
class Asked:
    """One suspect and what the owner finds.

    Attributes:
        role, attack: as in a report's record.
        stage: of `_answers.asked`.
        scheme: whose key it is.
    """

    role: str
    stage: Stage
    scheme: str
    attack: str = ""

    def stages(self):
        """All that its record needs: a run does not look behind a stage that is finished."""
        return (self.stage, self.stage.inputs["served"])


@dataclasses.dataclass(frozen=True)
class Graph:
    """All stages of one data set, carrier and seed.

    Attributes:
        task: name of the data set.
        architecture, other: of the victim and most thieves; of the thief who does not know it.
        training: as in `experiments.benchmark`.
        rows: rows of the victim, of the thief, of the strangers.
        carrier: "static" or "dynamic".
        seed: integer.
        alpha: level of the verdicts.
    """

    task: str
    architecture: str
    other: str
    training: dict
    rows: int
    carrier: str
    seed: int
    alpha: float = 1e-3

    @property
    def scheme(self):
        return f"DynaMarks, {self.carrier}"

    def _config(self, number=0, **more):
        data = {"task": self.task, "source": None, "rows": self.rows, "seed": self.seed}
        own = {"data": data, "training": self.training, "architecture": self.architecture}
        return {**own, "seed": 1000 * self.seed + number, **more}

    def _stage(self, function, config, inputs, title):
        kind = f"{function.__name__}, {self.task}"
        return Stage(function, config, inputs, f"{title}, {self.task}, seed {self.seed}", kind)

    def victim(self):
        config = self._config(part="victim", share=1.0)
        return self._stage(parties.unmarked, config, {}, "victim")

    def served(self, defence, client="", **settings):
        """The victim behind a defence."""
        config = self._config(defence=defence, settings=settings, client=client)
        inputs = {} if defence == "CosWM" else {"victim": self.victim()}
        return self._stage(_answers.served, config, inputs, f"{defence} {client}".strip())

    def marked(self, client="", **settings):
        """The victim behind DynaMarks with the probes that the roles need."""
        settings = {"carrier": self.carrier, "probes": ROUNDED, **settings}
        return self.served("DynaMarks", client, **settings)

    def copy(self, title, servers, answers=None, temperature=1.0, architecture="own"):
        """A copy of one server, or of the mean of several."""
        config = self._config(
            number=500, answers=answers or {}, temperature=temperature,
            architecture=self.other if architecture == "other" else self.architecture,
        )  # fmt: skip
        inputs = {f"served{i}": server for i, server in enumerate(servers)}
        return self._stage(_answers.copied, config, inputs, f"copy, {title}")

    def asked(self, role, owner, suspects, *, scheme=None, attack="", **more):
        """What the key of `owner` says about suspects (their mean, if several)."""
        config = self._config(
            **{"alpha": self.alpha, "probes": FULL, "answers": {}, "clients": (), "flips": False,
               **more}
        )  # fmt: skip
        inputs = {"served": owner, **{f"suspect{i}": one for i, one in enumerate(suspects)}}
        scheme = scheme or self.scheme
        title = ", ".join(filter(None, ("verdict", scheme, role, attack)))
        return Asked(role, self._stage(_answers.asked, config, inputs, title), scheme, attack)

    def stranger(self, number):
        config = self._config(
            2000 + number, part="stranger", share=0.5,
            architecture=(self.architecture, self.other)[number % 2],
        )  # fmt: skip
        return self._stage(parties.unmarked, config, {}, f"stranger {number}")

    def thefts(self):
        """Suspects of the mark itself: nobody's model, the victim, copies of all kinds."""
        owner = self.marked()
        copy = self.copy("full", [owner])
        found = [
            self.asked("victim", owner, [owner]),
            self.asked("victim, undefended", owner, [self.victim()]),
            self.asked("innocent", owner, [self.copy("undefended", [self.served("none")])]),
        ]
        for role, (answers, temperature, architecture, probes) in THIEVES.items():
            stage = self.copy(role, [owner], answers, temperature, architecture)
            found.append(self.asked(role, owner, [stage], probes=probes))
        for role, answers in TOLD.items():
            found.append(self.asked(role, owner, [copy], answers=answers))
        second = self.copy("second hop", [copy])
        found.append(self.asked("second hop", owner, [second]))
        found.append(self.asked("copy with a stranger", owner, [copy, self.stranger(0)]))
        return [*found, *self._clients(), *self._hard_channel()]

    def _clients(self):
        alice, bob = (self.marked(client, shared=0.5) for client in CLIENTS[:2])
        one, both = self.copy("alice", [alice]), self.copy("alice and bob", [alice, bob])
        return [
            self.asked("client alice", alice, [one], clients=CLIENTS, probes=ROUNDED),
            self.asked("alice and bob collude", alice, [both], clients=CLIENTS, probes=ROUNDED),
        ]

    def _hard_channel(self):
        owner = self.marked(hard_rate=0.5, hard_gap=0.2)
        copy = self.copy("label only, hard channel", [owner], LABEL)
        innocent = self.copy("undefended", [self.served("none")])
        return [
            self.asked("label only, hard channel", owner, [copy], flips=True),
            self.asked("innocent, hard channel", owner, [innocent], flips=True),
        ]

    def removals(self):
        """The full-answer copy after each attack; the thief has labels for a tenth of his rows."""
        owner, found = self.marked(), []
        copy, batch = self.copy("full", [owner]), self.training["batch_size"]
        for chain in REMOVALS:
            steps = removals.parse(chain)
            config = self._config(
                chain=[step.config(self.rows, self.seed, batch) for step in steps], pool=None
            )
            washed = self._stage(parties.removed, config, {"suspect": copy}, chain)
            found.append(self.asked("full", owner, [washed], attack=chain))
        return found

    def relatives(self):
        """Other defences, each with a copy of its answers and its own test where it has one."""
        found = []
        for name, (defence, settings, answers) in RELATIVES.items():
            owner = self.served(defence, **settings)
            copy = self.copy(name, [owner], answers)
            found.append(self.asked("victim", owner, [owner], scheme=name))
            found.append(self.asked("full", owner, [copy], scheme=name))
        return found

    def null(self, models, keys):
        """One stage for each independent model."""
        owner = self.marked()
        return [
            self._stage(
                _answers.null, self._config(number, keys=keys, probes=FULL),
                {"served": owner, "suspect": self.stranger(number)}, f"random keys, {number}",
            )
            for number in range(models)
        ]  # fmt: skip

    def record(self, asked, outcomes):
        """One record of a report; a failed stage becomes a record with its error."""
        place = {
            "experiment": "dynamarks", "dataset": self.task, "scheme": asked.scheme,
            "seed": self.seed,
        }  # fmt: skip
        _, owner = asked.stages()
        for stage in asked.stages():
            found = outcomes.get(stage)
            if found is None or isinstance(found, Failure):
                error = f"{asked.role} {asked.attack}: {found.error if found else 'not computed'}"
                return {**place, "role": "failed", "error": error}
        value, served = outcomes[asked.stage].value, outcomes[owner].value
        record = {**place, "role": asked.role, "name": asked.role, "attack": asked.attack, **value}
        if asked.role == "victim":
            record |= {name: served[name] for name in served if name != "accuracy"}
        return record
