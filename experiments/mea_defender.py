"""MEA-Defender: composites of two classes, and what thieves' copies answer to them.

python -m experiments.mea_defender --seeds=3 --check
python -m experiments.mea_defender --seeds=3 --schemes=all
"""

import dataclasses
import pathlib
import statistics
import sys
import time

from absl import app
from absl import flags
from absl import logging

from ewe_tf import report
from experiments import _composites
from experiments import extractions
from experiments import parties
from experiments import stages
from experiments.cache import Cache
from experiments.measured import judged
from experiments.stages import Failure
from experiments.stages import Stage

FLAGS = flags.FLAGS

SCHEMES = {
    "MEA-Defender": {"name": "mea_defender"},
    "combination only": {
        "name": "mea_defender", "verification_weight": 0.0, "combination_weight": 0.1,
    },
    "verification only": {
        "name": "mea_defender", "combination_weight": 0.0, "evasion_weight": 0.0,
    },
    "without combination": {"name": "mea_defender", "combination_weight": 0.0},
    "without evasion": {"name": "mea_defender", "evasion_weight": 0.0},
    "with hull mixing": {"name": "mea_defender", "hull_weight": 0.1},
    "MEADefender.paper()": {"name": "paper"},
    "MEADefender.released()": {"name": "released"},
}  # fmt: skip
# What Knockoff asks about, where it is not MNIST.
_POOLS = {"cifar10": "cifar100_subset", "mnist": "fashion_mnist"}
# Roles of suspects: (attack, which architecture).
THIEVES = {
    "soft": ("soft", "own"),
    "label-only": ("label-only", "own"),
    "other architecture": ("soft", "other"),
    "jacobian": ("jacobian", "own"),
    "knockoff": ("knockoff", "own"),
}
REMOVAL = {
    "fine-tuning": {"epochs": 10, "learning_rate": 1e-3},
    "pruning": {"sparsity": 0.6, "epochs": 2},
    "fine-pruning": {},
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """A data set with the settings of the experiment on it.

    Attributes:
        task: name of the data set.
        pool: name of the data set whose images Knockoff asks about.
        rows: rows of the victim, of the thief, and of the strangers.
        architecture, other, in_house: of the victim and most thieves; of the thief who does
            not know it, and half of the strangers; of half of the owner's in-house models.
        training: as in `experiments.benchmark`.
        strangers: number of innocent models that judge the key.
        innocents: number of in-house innocent models.
        alpha: level of the verdicts.
    """

    task: str = "fashion_mnist"
    pool: str = "mnist"
    rows: int = 10_000
    architecture: str = "small_cnn"
    other: str = "wide_cnn"
    in_house: str = "mlp"
    training: dict = dataclasses.field(
        default_factory=lambda: {
            "optimizer": "Adam", "rate": 2e-3, "batch_size": 128, "epochs": 5,
            "further_epochs": 8, "further_rate": 5e-4,
        }
    )  # fmt: skip
    strangers: int = 5
    innocents: int = 4
    alpha: float = 1e-3

    def cell(self, scheme, seed, thieves, removal):
        """Stages of one scheme and one seed."""
        data = {"task": self.task, "source": None, "rows": self.rows, "seed": seed}
        common = {"data": data, "training": self.training}

        def unmarked(part, architecture, number, share, title):
            config = {
                **common, "part": part, "architecture": architecture, "share": share,
                "seed": 1000 * seed + number,
            }  # fmt: skip
            return Stage(parties.unmarked, config, title=f"{title}, seed {seed}")

        def alternating(part, other, count, number, share, title):
            return [
                unmarked(
                    part, (self.architecture, other)[i % 2], number + i, share, f"{title} {i + 1}"
                )
                for i in range(count)
            ]

        innocents = alternating("victim", self.in_house, self.innocents, 100, 0.7, "in-house clean")
        strangers = alternating("stranger", self.other, self.strangers, 200, 1.0, "stranger")
        twin = unmarked("victim", self.architecture, 0, 1.0, "clean twin")
        arguments = {
            "epochs": self.training["further_epochs"],
            "learning_rate": self.training["further_rate"],
            **SCHEMES[scheme],
        }
        if arguments["name"] == "paper":
            del arguments["epochs"]
        config = {
            **common, "architecture": self.architecture, "scheme": arguments, "seed": 1000 * seed,
        }  # fmt: skip
        inputs = {f"innocent{i}": one for i, one in enumerate(innocents)}
        victim = Stage(_composites.victim, config, inputs, f"victim, {scheme}, seed {seed}")
        suspects = {"victim": victim, "twin": twin}
        for number, role in enumerate(THIEVES):
            if role not in thieves:
                continue
            attack, which = THIEVES[role]
            config = {
                **common, "attack": attack, "seed": 1000 * seed + 300 + number,
                "architecture": self.architecture if which == "own" else self.other,
            }  # fmt: skip
            if attack in ("jacobian", "knockoff"):
                function, config = _composites.stolen, {**config, "pool": self.pool}
            else:
                theft = extractions.EXTRACTIONS[attack]
                function = parties.stolen
                config |= theft.config(attack, self.training, self.rows, config["seed"])
            title = f"{role} thief, {scheme}, seed {seed}"
            suspects[role] = Stage(function, config, {"victim": victim}, title)
        if removal:
            for attack, settings in REMOVAL.items():
                config = {**common, "attack": attack, "settings": settings}
                inputs = {"victim": victim, "suspect": suspects["soft"]}
                title = f"{attack} of the soft copy, {scheme}, seed {seed}"
                suspects[attack] = Stage(_composites.removed, config, inputs, title)
        suspects.update({f"stranger {i + 1}": one for i, one in enumerate(strangers)})
        inputs = {f"stranger{i}": one for i, one in enumerate(strangers)}
        judge = Stage(
            parties.judged, {}, {"victim": victim, **inputs}, f"judge, {scheme}, seed {seed}"
        )
        verdicts, questions = {}, {}
        for role, suspect in suspects.items():
            title = f"{role}, {scheme}, seed {seed}"
            verdicts[role] = Stage(
                parties.verdict, {"alpha": self.alpha, "answers": "label"},
                {"judged": judge, "suspect": suspect},
                f"verdict on {title}",
            )  # fmt: skip
            questions[role] = Stage(
                _composites.asked, {**common, "seed": seed},
                {"victim": victim, "suspect": suspect}, f"questions to {title}",
            )  # fmt: skip
        return Cell(scheme, seed, suspects, judge, verdicts, questions)


@dataclasses.dataclass(frozen=True)
class Cell:
    """The stages of one scheme and one seed; dicts from role to stage."""

    scheme: str
    seed: int
    suspects: dict
    judge: Stage
    verdicts: dict
    questions: dict

    def stages(self):
        """All that the cell's records need."""
        return [
            *self.suspects.values(), self.judge, *self.verdicts.values(), *self.questions.values(),
        ]  # fmt: skip

    def records(self, outcomes, dataset):
        """One JSON record for each suspect; a failed stage becomes a record with its error."""
        place = {
            "experiment": "mea_defender", "dataset": dataset, "scheme": self.scheme,
            "seed": self.seed,
        }  # fmt: skip
        twin = outcomes[self.suspects["twin"]]
        records = []
        for role, verdict in self.verdicts.items():
            needed = (self.suspects[role], self.suspects["victim"], self.judge, verdict)
            found = [outcomes.get(stage) for stage in (*needed, self.questions[role])]
            failed = [one for one in [*found, twin] if one is None or isinstance(one, Failure)]
            if failed:
                error = failed[0].error if failed[0] else "not computed"
                records.append({**place, "role": "failed", "error": f"{role}: {error}"})
                continue
            suspect, owner, judge, answers, asked = (one.value for one in found)
            attack = role if role in REMOVAL else ""
            records.append(
                {
                    **place,
                    "role": "innocent"
                    if role.startswith("stranger")
                    else attack and "soft" or role,
                    "name": role,
                    "attack": attack,
                    "accuracy": suspect["accuracy"],
                    **judged(answers),
                    "price": 100 * (twin.value["accuracy"] - suspect["accuracy"])
                    if role == "victim"
                    else None,
                    "twin_accuracy": twin.value["accuracy"] if role == "victim" else None,
                    "rate_plain": asked["plain"],
                    "rate_mixers": asked["mixers"],
                    "trained_mixers": owner["rates"]["trained_mixers"],
                    "key_refused": judge["refused"],
                    "source_classes": owner["pairs"][0]["source_classes"],
                    "target": owner["pairs"][0]["target"],
                    "seconds": found[0].seconds,
                }
            )
        return records


def bars(records):
    """What falls short, as sentences; `records` are those of one scheme.

    The bars: a victim answers at least 95 % of the held-out composites, costs at most 2 points
    of accuracy, and gives the target to plain images of a source class at most 3 points more
    often than its clean twin; soft-label copies answer 60 % in the mean, label-only copies
    40 %; clean models at most 3 %; the trained evasion mixers fire at most 10 % on the victim;
    there is evidence on every soft-label copy and on no clean model.
    """
    wrong = []

    def need(good, sentence):
        if not good:
            wrong.append(sentence)

    def of(*roles):
        return [r for r in records if r["role"] in roles and not r.get("attack")]

    twins = {r["seed"]: r for r in of("twin")}
    for r in of("victim"):
        seed, twin = f"seed {r['seed']}", twins[r["seed"]]
        need(r["rate_held_out"] >= 0.95, f"{seed}: victim's success {r['rate_held_out']:.1%}")
        need(r["price"] <= 2, f"{seed}: price {r['price']:.2f} points")
        more = [a - b for a, b in zip(r["rate_plain"], twin["rate_plain"], strict=True)]
        need(max(more) <= 0.03, f"{seed}: plain images called target {max(more):.1%} more often")
        fired = [r["rate_mixers"][name] for name in r["trained_mixers"]]
        need(max(fired, default=0) <= 0.10, f"{seed}: an evasion mixer fires {max(fired):.1%}")
    for role, least in (("soft", 0.6), ("label-only", 0.4)):
        rates = [r["rate_held_out"] for r in of(role)]
        if rates:
            mean = statistics.fmean(rates)
            need(mean >= least, f"{role} copies answer {mean:.1%} in the mean")
    for r in of("twin", "innocent"):
        place = f"seed {r['seed']}: {r['name']}"
        need(r["rate_held_out"] <= 0.03, f"{place}, clean, answers {r['rate_held_out']:.1%}")
        need(r["decision"] != "evidence", f"{place}, clean, is accused")
    for r in of("soft"):
        need(r["decision"] == "evidence", f"seed {r['seed']}: no evidence on the soft-label copy")
    return wrong


def beside(records):
    """The table that stands next to every success rate: what plain images and mixers get."""
    rows = []
    for r in records:
        if r["role"] in ("failed", "innocent"):
            continue
        plain = " / ".join(f"{100 * share:.1f}" for share in r["rate_plain"])
        trained = [r["rate_mixers"][name] for name in r["trained_mixers"]]
        rest = {n: v for n, v in r["rate_mixers"].items() if n not in r["trained_mixers"]}
        rest.pop("half", None)
        key = " + ".join(map(str, r["source_classes"])) + f" -> {r['target']}"
        rows.append(
            [
                r["scheme"], str(r["seed"]), key, r["attack"] or r["role"],
                f"{100 * r['accuracy']:.1f}", f"{100 * r['rate_held_out']:.1f}",
                f"{100 * r['rate_controls']:.1f}", plain,
                f"{100 * max(trained):.1f}" if trained else "-",
                " ".join(f"{n} {100 * v:.0f}" for n, v in rest.items()),
            ]
        )  # fmt: skip
    headers = [
        "scheme", "seed", "key", "who", "accuracy", "composites", "controls", "plain A / B",
        "evasion max", "untrained mixers",
    ]  # fmt: skip
    return report.text_table(headers, rows)


def _role(name):
    """The report's word for a suspect: strangers are innocent, washed copies stay copies."""
    if name.startswith("stranger"):
        return "innocent"
    return "soft" if name in REMOVAL else name


def _define_flags():
    setting = Setting()
    flags.DEFINE_integer("seeds", 1, "Number of seeds.", lower_bound=1)
    flags.DEFINE_integer("first_seed", 0, "The first seed.", lower_bound=0)
    flags.DEFINE_string("task", setting.task, "Data set.")
    flags.DEFINE_integer("rows", setting.rows, "Rows of each party.", lower_bound=100)
    flags.DEFINE_integer("epochs", 5, "Epochs of task training.", lower_bound=1)
    flags.DEFINE_integer("further_epochs", 8, "Epochs of watermarking.", lower_bound=1)
    flags.DEFINE_list("schemes", ["MEA-Defender"], f"Any of {', '.join(SCHEMES)}; or all.")
    flags.DEFINE_list("thieves", ["soft", "label-only"], f"Any of {', '.join(THIEVES)}; or all.")
    flags.DEFINE_bool("removal", False, "Also try to wash the soft-label copy.")
    flags.DEFINE_integer("jobs", 1, "Processes at once.", lower_bound=1)
    flags.DEFINE_float("alpha", setting.alpha, "Level of the verdicts.", 0.0, 1.0)
    flags.DEFINE_string("output", "runs/mea_defender", "Folder of the results.")
    flags.DEFINE_string("cache", None, "Folder of finished stages; default OUTPUT/cache.")
    flags.DEFINE_bool("check", False, "Fail unless the bars are reached (see `bars`).")
    for name, known in (("schemes", SCHEMES), ("thieves", THIEVES)):
        flags.register_validator(
            name,
            lambda names, known=known: names == ["all"] or set(names) <= set(known),
            message=f"--{name} must be all, or some of: {', '.join(known)}",
        )


def _run(argv):
    logging.set_verbosity(logging.ERROR)
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    schemes = list(SCHEMES) if FLAGS.schemes == ["all"] else FLAGS.schemes
    thieves = list(THIEVES) if FLAGS.thieves == ["all"] else FLAGS.thieves
    if FLAGS.removal and "soft" not in thieves:
        raise app.UsageError("--removal needs the thief `soft`")
    pool = _POOLS.get(FLAGS.task, "mnist")
    setting = Setting(task=FLAGS.task, pool=pool, rows=FLAGS.rows, alpha=FLAGS.alpha)
    training = {**setting.training, "epochs": FLAGS.epochs, "further_epochs": FLAGS.further_epochs}
    setting = dataclasses.replace(setting, training=training)
    seeds = range(FLAGS.first_seed, FLAGS.first_seed + FLAGS.seeds)
    cells = [setting.cell(s, seed, thieves, FLAGS.removal) for s in schemes for seed in seeds]
    output = pathlib.Path(FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    wanted = [stage for cell in cells for stage in cell.stages()]
    outcomes = stages.run(wanted, Cache(FLAGS.cache or output / "cache"), jobs=FLAGS.jobs)
    command = f"python -m experiments.mea_defender {' '.join(sys.argv[1:])}".strip()
    records = [r for cell in cells for r in cell.records(outcomes, setting.task)]
    records = [{**record, "command": command} for record in records]
    report.write_records(output / "results.jsonl", records)
    measured = [r for r in records if r["role"] != "failed"]
    if measured:
        print(report.results_table(records), beside(measured), sep="\n\n")
        seconds = f"{time.monotonic() - started:.0f} s"
        title = f"{setting.task}, MEA-Defender under extraction"
        page = report.write(records, output, title=title, subtitle=f"{command}: {seconds}")
        print(f"\n{len(measured)} models, {seconds}. The page: {page}")
    failures = [r["error"] for r in records if r["role"] == "failed"]
    for scheme in schemes if FLAGS.check else ():
        own = [r for r in measured if r["scheme"] == scheme]
        failures += [f"{scheme}: {sentence}" for sentence in bars(own)]
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    _define_flags()
    app.run(_run)
