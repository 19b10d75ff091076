"""The program around a benchmark: flags, run, JSON lines, table, check."""

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

from ewe_tf import report
from experiments import stages
from experiments.benchmark import SCHEMES
from experiments.cache import Cache
from experiments.stages import Failure

FLAGS = flags.FLAGS


def define_flags(benchmark):
    """The flags of every benchmark; the benchmark's settings are their defaults."""
    training = benchmark.training
    flags.DEFINE_integer("seeds", 1, "Number of seeds.", lower_bound=1)
    flags.DEFINE_integer("first_seed", 0, "The first seed.", lower_bound=0)
    flags.DEFINE_integer("rows", benchmark.rows, "Rows of each party.", lower_bound=100)
    flags.DEFINE_integer("epochs", training["epochs"], "Epochs of task training.", lower_bound=1)
    flags.DEFINE_integer(
        "further_epochs", training["further_epochs"],
        "Epochs of entangled training (and of its control).", lower_bound=1,
    )  # fmt: skip
    flags.DEFINE_list("schemes", ["EWE"], f"Any of {', '.join(SCHEMES)}; or all.")
    flags.DEFINE_integer("jobs", 1, "Processes at once.", lower_bound=1)
    flags.DEFINE_float("alpha", benchmark.alpha, "Level of the verdicts.", 0.0, 1.0)
    flags.DEFINE_string("output", f"runs/{benchmark.task}", "Folder of the results.")
    flags.DEFINE_string("cache", None, "Folder of finished stages; default OUTPUT/cache.")
    flags.DEFINE_bool(
        "check", False,
        "Fail unless stolen copies get the verdict 'evidence' and innocent models do not.",
    )  # fmt: skip
    flags.register_validator(
        "schemes",
        lambda names: names == ["all"] or set(names) <= set(SCHEMES),
        message=f"--schemes must be all, or some of: {', '.join(SCHEMES)}",
    )


def main(benchmark):
    """Defines the flags and runs the benchmark; call it as a program's last line."""
    define_flags(benchmark)
    app.run(lambda argv: _run(argv, benchmark))


def _run(argv, benchmark):
    # What TFDS and TensorFlow say about every file and every retracing is not for people.
    logging.set_verbosity(logging.ERROR)
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    training = {**benchmark.training, "epochs": FLAGS.epochs}
    training["further_epochs"] = FLAGS.further_epochs
    benchmark = dataclasses.replace(
        benchmark, rows=FLAGS.rows, alpha=FLAGS.alpha, training=training
    )
    schemes = list(SCHEMES) if FLAGS.schemes == ["all"] else FLAGS.schemes
    seeds = range(FLAGS.first_seed, FLAGS.first_seed + FLAGS.seeds)
    cells = [benchmark.cell(scheme, seed) for scheme in schemes for seed in seeds]
    output = pathlib.Path(FLAGS.output)
    cache = Cache(FLAGS.cache or output / "cache")
    started = time.monotonic()
    wanted = [stage for cell in cells for stage in cell.stages()] + [cells[-1].pictures]
    outcomes = stages.run(wanted, cache, jobs=FLAGS.jobs)
    name = pathlib.Path(sys.argv[0]).stem
    records = [r for cell in cells for r in cell.records(outcomes, name, benchmark.task)]
    command = f"python -m experiments.{name} {' '.join(sys.argv[1:])}".strip()
    records = [{**record, "command": command} for record in records]
    records += figures(cells[-1], outcomes, output, name, benchmark.task)
    report.write_records(output / "results.jsonl", records)
    print(report.results_table(records))
    seconds = f"{time.monotonic() - started:.0f} s on {os.cpu_count()} cores"
    if report_records := [r for r in records if r.get("role") not in (None, "failed")]:
        title = f"{benchmark.task} under extraction"
        page = report.write(records, output, title=title, subtitle=f"{command}: {seconds}")
        print(f"\n{len(report_records)} models, {seconds}. The page: {page}")
    failures = check(records) if FLAGS.check else []
    failures += [r["error"] for r in records if r.get("role") == "failed"]
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


def figures(cell, outcomes, output, experiment, dataset):
    """Figure records of one cell: its triggers, their features, the evidence on its suspects."""
    place = {"experiment": experiment, "dataset": dataset, "seed": cell.seed}
    found = outcomes[cell.pictures]
    if isinstance(found, Failure):
        return []
    records = []
    for name, title in (
        ("triggers", "Triggers and, above them, their matched controls"),
        ("features", "Last hidden layer of the victim"),
    ):
        file = f"{name}-{cell.seed}.npz"
        output.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found.folder / f"{name}.npz", output / file)
        title = f"{title}; {cell.scheme}, seed {cell.seed}"
        records.append({**place, "figure": name, "file": file, "title": title})
    curves = []
    for role, stage in cell.verdicts.items():
        if not isinstance(outcomes[stage], Failure):
            path = outcomes[stage].value["evidence_path"]
            p_values = [min(1.0, math.exp(-e)) for e in path]
            queries = [2 * (i + 1) for i in range(len(path))]
            curves.append({"name": role, "queries": queries, "p_value": p_values})
    title = f"Evidence over the queries; {cell.scheme}, seed {cell.seed}"
    alpha = cell.alpha
    records.append(
        {**place, "figure": "evidence", "curves": curves, "alpha": alpha, "title": title}
    )
    return records


def check(records):
    """What is not as it must be: copies without evidence, innocent models with it."""
    wrong = []
    for r in records:
        if r.get("role") in (None, "failed"):
            continue
        guilty = r["role"] != "innocent"
        if guilty != (r["decision"] == "evidence"):
            wrong.append(
                f"{r['scheme']}, seed {r['seed']}: verdict on {r['name']} is {r['decision']!r}"
            )
    return wrong
