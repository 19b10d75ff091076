"""The program around a benchmark: flags, run, JSON lines, table, check."""

import dataclasses
import json
import os
import pathlib
import statistics
import sys
import time

from absl import app
from absl import flags

from experiments import stages
from experiments.benchmark import SCHEMES
from experiments.benchmark import THIEVES
from experiments.cache import Cache

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
    wanted = [stage for cell in cells for stage in cell.stages()]
    outcomes = stages.run(wanted, cache, jobs=FLAGS.jobs)
    name = pathlib.Path(sys.argv[0]).stem
    records = [r for cell in cells for r in cell.records(outcomes, name, benchmark.task)]
    write_lines(output / "results.jsonl", records)
    print(table(records))
    print(f"{time.monotonic() - started:.0f} s on {os.cpu_count()} cores; {output}/results.jsonl")
    failures = check(records) if FLAGS.check else []
    failures += [r["error"] for r in records if r["role"] == "failed"]
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


def write_lines(path, records):
    """Writes JSON lines, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text("".join(json.dumps(r) + "\n" for r in records))
    os.replace(temporary, path)


def check(records):
    """What is not as it must be: copies without evidence, innocent models with it."""
    wrong = []
    for r in records:
        if r["role"] == "failed":
            continue
        guilty = r["role"] != "innocent"
        if guilty != (r["decision"] == "evidence"):
            wrong.append(
                f"{r['scheme']}, seed {r['seed']}: verdict on {r['name']} is {r['decision']!r}"
            )
    return wrong


def table(records):
    """Mean, standard deviation and worst seed of every scheme, as text."""
    lines = []
    schemes = dict.fromkeys(r["scheme"] for r in records)
    for scheme in schemes:
        own = [r for r in records if r["scheme"] == scheme and r["role"] != "failed"]
        if not own:
            continue
        victims = [r for r in own if r["role"] == "victim"]
        lines.append(f"\n{scheme}, {len(victims)} seeds")
        lines.append(
            f"  accuracy {_spread([r['accuracy'] for r in victims])} %, price against the clean "
            f"twin {_spread([r['price'] for r in victims], 1)} points"
        )
        lines.append(
            f"  {'suspect':<20}{'accuracy':>9}{'held-out: mean sd worst':>25}"
            f"{'keys: mean sd worst':>23}{'evidence':>10}{'queries':>9}"
        )
        for role in ("victim", *THIEVES, "innocent"):
            rows = [r for r in own if r["role"] == role]
            if not rows:
                continue
            pick = max if role == "innocent" else min
            found = sum(r["decision"] == "evidence" for r in rows)
            lines.append(
                f"  {role:<20}{100 * statistics.mean(r['accuracy'] for r in rows):>9.1f}"
                f"{_cells([r['rate_held_out'] for r in rows], pick):>25}"
                f"{_cells([r['rate_key'] for r in rows], pick):>23}"
                f"{f'{found}/{len(rows)}':>10}"
                f"{statistics.median(r['queries'] for r in rows):>9.0f}"
            )
        refused = {r["seed"] for r in own if r["key_refused"]}
        if refused:
            lines.append(f"  keys refused (an innocent model answers them): seeds {refused}")
    return "\n".join(lines)


def _spread(values, scale=100):
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{scale * statistics.mean(values):.2f} ± {scale * sd:.2f}"


def _cells(values, pick):
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.0f} {100 * sd:.0f} {100 * pick(values):.0f}"
