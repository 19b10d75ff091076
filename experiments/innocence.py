"""Are innocent models accused, and how many queries does a stolen copy take?

Keys of several owners are calibrated with some innocent models and then asked of others: three
architectures, two data sets, every model with its own seed and its own draw of the data. Small
models on few rows, for verdicts are what is measured here, not accuracies.

python -m experiments.innocence --output=runs/innocence
"""

import pathlib
import statistics
import sys
import time

import numpy as np
from absl import app
from absl import flags

from experiments import parties
from experiments import program
from experiments import stages
from experiments.cache import Cache

FLAGS = flags.FLAGS
TASKS = {"mnist": "fashion_mnist", "fashion_mnist": "mnist"}
ARCHITECTURES = ("small_cnn", "wide_cnn", "mlp")


def define_flags():
    flags.DEFINE_integer("rows", 2000, "Rows of each party.", lower_bound=500)
    flags.DEFINE_integer("epochs", 4, "Epochs of training of every model.", lower_bound=1)
    flags.DEFINE_integer("keys", 3, "Owners, each with a key, of each data set.", lower_bound=1)
    flags.DEFINE_integer("draws", 4, "Draws of the data; each gives a model of each architecture.")
    flags.DEFINE_integer("calibrators", 6, "Models that calibrate a key.", lower_bound=3)
    flags.DEFINE_integer("copies", 3, "Stolen copies of each MNIST victim.", lower_bound=1)
    flags.DEFINE_integer("jobs", 1, "Processes at once.", lower_bound=1)
    flags.DEFINE_string("output", "runs/innocence", "Folder of the results and of the cache.")


class Grid:
    """Stages of one data set."""

    def __init__(self, task):
        self.task = task
        self.training = {
            "optimizer": "Adam",
            "rate": 2e-3,
            "batch_size": 64,
            "epochs": FLAGS.epochs,
            "further_epochs": FLAGS.epochs,
            "further_rate": 5e-4,
        }
        innocent = {f"innocent{i}": self.innocent("victim", i, 0) for i in range(4)}
        calibrators = {
            f"stranger{i}": self.innocent("thief", i, 0) for i in range(FLAGS.calibrators)
        }
        self.tested = [
            self.innocent("stranger", 100 * draw + i, draw)
            for draw in range(FLAGS.draws)
            for i in range(len(ARCHITECTURES))
        ]
        self.victims = [self.victim(number, innocent) for number in range(FLAGS.keys)]
        self.judges = [
            stages.Stage(parties.judged, {}, {"victim": v, **calibrators}, f"judge, {task}")
            for v in self.victims
        ]
        self.innocents = [
            (judge, suspect, self.verdict(judge, suspect, 1e-3))
            for judge in self.judges
            for suspect in self.tested
        ]
        copies = FLAGS.copies if task == "mnist" else 0
        self.copies = {
            alpha: [
                self.verdict(judge, self.copy(victim, number), alpha)
                for victim, judge in zip(self.victims, self.judges, strict=True)
                for number in range(copies)
            ]
            for alpha in (1e-3, 1e-6)
        }

    def data(self, seed):
        return {"task": self.task, "source": TASKS[self.task], "rows": FLAGS.rows, "seed": seed}

    def innocent(self, part, number, draw):
        architecture = ARCHITECTURES[number % len(ARCHITECTURES)]
        config = {
            "data": self.data(draw), "training": self.training, "part": part, "share": 0.9,
            "architecture": architecture, "seed": 1 + number,
        }  # fmt: skip
        title = f"innocent {architecture} {number}, {part}'s data, {self.task}"
        return stages.Stage(parties.unmarked, config, title=title)

    def victim(self, number, innocents):
        scheme = {
            "name": "ewe", "epochs": FLAGS.epochs, "learning_rate": 5e-4,
            "in_house_epochs": FLAGS.epochs, "rehearsal": {"surrogates": 2},
        }  # fmt: skip
        config = {
            "data": self.data(0), "training": self.training, "architecture": "small_cnn",
            "scheme": scheme, "seed": 500 + number,
        }  # fmt: skip
        return stages.Stage(parties.victim, config, innocents, f"victim {number}, {self.task}")

    def copy(self, victim, number):
        config = {
            "data": self.data(0), "training": self.training, "attack": "label-only",
            "architecture": ARCHITECTURES[number % 2], "seed": 700 + number,
        }  # fmt: skip
        return stages.Stage(parties.stolen, config, {"victim": victim}, f"copy {number}")

    def verdict(self, judge, suspect, alpha):
        inputs = {"judged": judge, "suspect": suspect}
        return stages.Stage(parties.verdict, {"alpha": alpha}, inputs, f"verdict, {suspect.title}")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    started = time.monotonic()
    output = pathlib.Path(FLAGS.output)
    grids = [Grid(task) for task in TASKS]
    wanted = [v for g in grids for _, _, v in g.innocents]
    wanted += [v for g in grids for verdicts in g.copies.values() for v in verdicts]
    outcomes = stages.run(wanted, Cache(output / "cache"), jobs=FLAGS.jobs)
    failed = [o for o in outcomes.values() if isinstance(o, stages.Failure)]
    for failure in failed:
        print(f"FAILED: {failure.stage.title}: {failure.error}", file=sys.stderr)
    if failed:
        sys.exit(1)
    records = list(_records(grids, outcomes))
    program.write_lines(output / "results.jsonl", records)
    print(_text(records))
    print(f"{time.monotonic() - started:.0f} s; {output}/results.jsonl")
    sys.exit(any(r["role"] == "innocent" and r["decision"] == "evidence" for r in _usable(records)))


def _records(grids, outcomes):
    for grid in grids:
        for judge, suspect, stage in grid.innocents:
            yield {
                "role": "innocent",
                "task": grid.task,
                "architecture": suspect.config["architecture"],
                "model": suspect.key,
                "accuracy": outcomes[suspect].value["accuracy"] if suspect in outcomes else None,
                "refused": outcomes[judge].value["refused"] if judge in outcomes else None,
                "alpha": 1e-3,
                **outcomes[stage].value,
            }
        for alpha, verdicts in grid.copies.items():
            for stage in verdicts:
                judge = stage.inputs["judged"]
                refused = outcomes[judge].value["refused"] if judge in outcomes else None
                yield {
                    "role": "copy", "task": grid.task, "alpha": alpha, "refused": refused,
                    **outcomes[stage].value,
                }  # fmt: skip


def _usable(records):
    """Records of keys that calibration did not refuse: no others are used on anybody."""
    return [record for record in records if not record["refused"]]


def _text(records):
    usable = _usable(records)
    innocent = [r for r in usable if r["role"] == "innocent"]
    refused = len([r for r in records if r["role"] == "innocent"]) - len(innocent)
    lines = [
        f"{len(innocent)} pairs of an innocent model and a key, "
        f"{len({r['model'] for r in innocent})} models, "
        f"{len({r['architecture'] for r in innocent})} architectures, "
        f"{len({r['task'] for r in innocent})} data sets "
        f"({refused} more pairs with keys that calibration refused)",
        f"  evidence at 1e-3: {sum(r['decision'] == 'evidence' for r in innocent)}",
    ]
    p_values = np.array([r["p_value"] for r in innocent])
    for level in (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.999):
        share = np.mean(p_values <= level) if len(p_values) else float("nan")
        lines.append(f"  p <= {level:<5}: {share:.3f} of the pairs")
    for alpha in (1e-3, 1e-6):
        rows = [r for r in usable if r["role"] == "copy" and r["alpha"] == alpha]
        found = [r["queries"] for r in rows if r["decision"] == "evidence"]
        median = statistics.median(found) if found else float("nan")
        lines.append(
            f"stolen copies of MNIST at {alpha:g}: evidence for {len(found)} of {len(rows)}, "
            f"median {median:g} rows sent ({median / 2:g} triggers, each with its control)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    define_flags()
    app.run(main)
