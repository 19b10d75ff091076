"""The program around a grid: flags, run, JSON lines, tables, page, check."""

import dataclasses
import math
import os
import pathlib
import shutil
import sys
import time

from absl import app
from absl import flags
from absl import logging

from ewe_tf import datasets
from ewe_tf import models
from ewe_tf import report
from experiments import cells as cells_lib
from experiments import extractions
from experiments import removals
from experiments import stages
from experiments import summaries
from experiments.cache import Cache
from experiments.progress import overview
from experiments.schemes import SCHEMES
from experiments.schemes import SETS
from experiments.stages import Failure

FLAGS = flags.FLAGS
# The victim and copies whose evidence is drawn; colours do not tell many more apart.
_CURVES = 5


def define_flags(data, default, more):
    """The flags of every program; `more` overrides their defaults.

    Args:
        data: dict from name to `Benchmark`.
        default: name of the one that is run unless `--data` says otherwise.
        more: dict from a flag's name to its default.
    """
    own = "default: the data set's own"
    flags.DEFINE_integer("seeds", 1, "Number of seeds.", lower_bound=1)
    flags.DEFINE_integer("first_seed", 0, "The first seed.", lower_bound=0)
    flags.DEFINE_integer("rows", None, f"Rows of each party; {own}.", lower_bound=100)
    flags.DEFINE_integer("epochs", None, f"Epochs of task training; {own}.", lower_bound=1)
    flags.DEFINE_integer(
        "further_epochs", None,
        f"Epochs of entangled training (and of its control); {own}.", lower_bound=1,
    )  # fmt: skip
    for flag, words in (
        ("architecture", "Network of the victim, and of the thieves who know it"),
        ("other", "Network of the thief who does not know it, and of half of the strangers"),
    ):
        flags.DEFINE_enum(flag, None, models.names(), f"{words}; {own}.")
    flags.DEFINE_enum("source", None, datasets.names(), f"Where strange inputs come from; {own}.")
    if len(data) > 1:
        flags.DEFINE_list(
            "data", more.get("data", [default]), f"Data sets: any of {', '.join(data)}."
        )
    names = f"Any of {', '.join(SCHEMES)}; or {', '.join(SETS)}."
    flags.DEFINE_list("schemes", more.get("schemes", ["EWE"]), names)
    names = f"Any of {', '.join(extractions.EXTRACTIONS)}; or {', '.join(extractions.SETS)}; or "
    names += "none, for a thief who has the victim itself."
    flags.DEFINE_list(
        "extractions", more.get("extractions", ["label-only", "other architecture", "soft"]), names
    )
    names = f"Chains of {', '.join(removals.REMOVALS)}; or {', '.join(removals.SETS)}; or none."
    flags.DEFINE_list("removals", more.get("removals", []), names)
    flags.DEFINE_list(
        "removal_of", more.get("removal_of"),
        "Extractions whose copies the removals are tried on; default: all.",
    )  # fmt: skip
    flags.DEFINE_integer("jobs", 1, "Processes at once.", lower_bound=1)
    flags.DEFINE_string("ray", None, "Run as tasks of a Ray cluster: auto, or its address.")
    flags.DEFINE_float("alpha", None, f"Level of the verdicts; {own}.", 0.0, 1.0)
    flags.DEFINE_integer(
        "strangers",
        None,
        f"Independent innocent models that judge each key, each with fine-tuned copies; {own}.",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "answers", None, ["label", "probabilities"],
        "What verdicts ask suspects for; probabilities let them test the target's rank, too.",
    )  # fmt: skip
    flags.DEFINE_string("output", more.get("output", f"runs/{default}"), "Folder of the results.")
    flags.DEFINE_string("cache", None, "Folder of finished stages; default OUTPUT/cache.")
    flags.DEFINE_bool("status", False, "Compute nothing: tell what is done and what is left.")
    flags.DEFINE_bool(
        "check", False,
        "Fail unless stolen copies get the verdict 'evidence' and innocent models do not.",
    )  # fmt: skip


def main(data, default=None, after=None, **more):
    """Defines the flags and runs the grid; call it as a program's last line.

    Args:
        data: a `Benchmark`, or a dict of them by name.
        default: name of the one that `--data` has by default.
        after: called with the records when they are written.
        **more: other defaults of flags.
    """
    if not isinstance(data, dict):
        data, default = {data.task: data}, data.task
    define_flags(data, default, more)
    app.run(lambda argv: _run(argv, data, default, after))


def _run(argv, data, default, after):
    # What TFDS and TensorFlow say about every file and every retracing is not for people.
    logging.set_verbosity(logging.ERROR)
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    name = pathlib.Path(sys.argv[0]).stem
    try:
        owners, cells = _grid(data, default)
    except (TypeError, ValueError) as error:
        sys.exit(f"Error: {error}")
    output = pathlib.Path(FLAGS.output)
    cache = Cache(FLAGS.cache or output / "cache")
    started = time.monotonic()
    pictured = [o for o in owners if o.seed == FLAGS.first_seed and o.pictures is not None]
    wanted = [stage for part in (*owners, *cells) for stage in part.stages()]
    wanted += [owner.pictures for owner in pictured]
    if FLAGS.status:
        print(overview(wanted, cache, FLAGS.jobs))
        return
    outcomes = stages.run(wanted, cache, jobs=FLAGS.jobs, executor=_executor(cache))
    records = [r for owner in owners for r in owner.records(outcomes, name)]
    records += [cell.record(outcomes, name) for cell in cells]
    command = f"python -m experiments.{name} {' '.join(map(_quoted, sys.argv[1:]))}".strip()
    records = [{**record, "command": command} for record in records]
    for owner in pictured:
        mine = [cell for cell in cells if cell.owner is owner]
        drawn = figures(owner, mine, outcomes, output, name)
        records += [{**record, "command": command} for record in drawn]
    output.mkdir(parents=True, exist_ok=True)
    report.write_records(output / "results.jsonl", records)
    if after is not None:
        after(records)
    print(report.results_table(records))
    if any(record.get("attack") for record in records):
        print(f"\n{summaries.removals_text(records)}")
    seconds = f"{time.monotonic() - started:.0f} s on {os.cpu_count()} cores"
    if measured := [r for r in records if r.get("role") not in (None, "failed")]:
        title = f"{', '.join(dict.fromkeys(r['dataset'] for r in measured))} under extraction"
        page = report.write(records, output, title=title, subtitle=f"{command}: {seconds}")
        print(f"\n{len(measured)} models, {seconds}. The page: {page}")
    failures = check(records) if FLAGS.check else []
    failures += [r["error"] for r in records if r.get("role") == "failed"]
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


def _grid(data, default):
    """Owners and cells that the flags ask for.

    Raises:
        ValueError, TypeError: for unknown names, and for settings out of range.
    """
    names = FLAGS.data if len(data) > 1 else [default]
    if unknown := [name for name in names if name not in data]:
        raise ValueError(f"there is no data set {unknown[0]!r}. There are: {', '.join(data)}")
    benchmarks = [_with_flags(data[name]) for name in names]
    schemes = _expanded(FLAGS.schemes, SETS)
    seeds = range(FLAGS.first_seed, FLAGS.first_seed + FLAGS.seeds)
    stolen = _expanded(FLAGS.extractions, extractions.SETS)
    chains = [c for c in _expanded(FLAGS.removals, removals.SETS) if c != "none"]
    washed = stolen if FLAGS.removal_of is None else FLAGS.removal_of
    thefts = [(extraction, "none") for extraction in stolen if extraction != "none"]
    thefts += [(extraction, chain) for extraction in washed for chain in chains]
    return cells_lib.product(benchmarks, schemes, seeds, thefts)


def _with_flags(benchmark):
    """A benchmark with what the flags change."""
    training = {
        name: getattr(FLAGS, name)
        for name in ("epochs", "further_epochs")
        if getattr(FLAGS, name) is not None
    }
    names = ("rows", "alpha", "architecture", "other", "source", "strangers", "answers")
    given = {name: getattr(FLAGS, name) for name in names if getattr(FLAGS, name) is not None}
    return dataclasses.replace(benchmark, training={**benchmark.training, **training}, **given)


def _expanded(names, sets):
    """Names with those of sets in the place of the sets, each once."""
    spelled = {key.replace("-", " "): key for key in sets}
    parts = [sets.get(spelled.get(name.replace("-", " ")), (name,)) for name in names]
    return list(dict.fromkeys(name for part in parts for name in part))


def _executor(cache):
    """Ray's, if the flags ask for it; `None` for local processes."""
    if FLAGS.ray is None:
        return None
    from experiments.ray_tasks import RayTasks

    return RayTasks(cache, FLAGS.ray)


def _quoted(argument):
    return f'"{argument}"' if " " in argument else argument


def figures(owner, cells, outcomes, output, experiment):
    """Figure records of an owner: triggers, their features, the evidence on the copies."""
    place = {"experiment": experiment, "dataset": owner.benchmark.task, "seed": owner.seed}
    found = outcomes[owner.pictures]
    if isinstance(found, Failure):
        return []
    output.mkdir(parents=True, exist_ok=True)
    words = f"{owner.scheme}, seed {owner.seed}"
    records = []
    for name, title in (
        ("triggers", "Triggers and what they are compared with"),
        ("features", "Last hidden layer of the victim"),
    ):
        file = f"{name}-{found.folder.name}.npz"
        shutil.copyfile(found.folder / f"{name}.npz", output / file)
        records.append({**place, "figure": name, "file": file, "title": f"{title}; {words}"})
    curves = _evidence_curves(owner, cells, outcomes)
    if curves:
        title, alpha = f"Evidence over the queries; {words}", owner.benchmark.alpha
        figure = {"figure": "evidence", "curves": curves, "alpha": alpha, "title": title}
        records.append({**place, **figure})
    return records


def _evidence_curves(owner, cells, outcomes):
    """The p-value over the queries: of the victim, of some copies, of the worst innocent model."""

    def curve(name, stage):
        path = outcomes[stage].value["evidence_path"]
        p_values = [min(1.0, math.exp(-e)) for e in path]
        return {
            "name": name,
            "queries": [2 * (i + 1) for i in range(len(path))],
            "p_value": p_values,
        }

    def drawn(verdicts):
        curves = [curve(*one) for one in verdicts if not isinstance(outcomes[one[1]], Failure)]
        return [one for one in curves if one["p_value"]]

    copies = [(cell.role, cell.verdict) for cell in cells if not cell.attack]
    innocent = drawn(owner.innocent_verdicts.items())
    worst = sorted(innocent, key=lambda one: min(one["p_value"]))[:1]
    worst = [{**one, "name": "worst innocent"} for one in worst]
    return drawn([("victim", owner.victim_verdict), *copies])[:_CURVES] + worst


def check(records):
    """What is not as it must be: copies without evidence, innocent models with it."""
    wrong = []
    for r in records:
        if r.get("role") in (None, "failed") or r.get("attack"):
            continue
        guilty = r["role"] != "innocent"
        if guilty != (r["decision"] == "evidence"):
            wrong.append(
                f"{r['scheme']}, seed {r['seed']}: verdict on {r['name']} is {r['decision']!r}"
            )
    return wrong
