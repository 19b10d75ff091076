"""Marks in the answers: who carries them, what removes them, and how often chance does.

python -m experiments.dynamarks --seeds=3
python -m experiments.dynamarks --seeds=3 --carrier=dynamic --parts=thefts,null
python -m experiments.dynamarks --data=cifar --rows=4000 --parts=thefts --strangers=4

A killed run continues where it stopped.
"""

import math
import pathlib
import statistics
import sys
import time

import numpy as np
from absl import app
from absl import flags
from absl import logging
from scipy import stats

from ewe_tf import models
from ewe_tf import report
from experiments import cifar
from experiments import fashion
from experiments import stages
from experiments.cache import Cache
from experiments.marked_answers import Graph
from experiments.progress import overview
from experiments.stages import Failure

FLAGS = flags.FLAGS
BENCHMARKS = {"fashion": fashion.BENCHMARK, "cifar": cifar.BENCHMARK}
PARTS = ("thefts", "removals", "relatives", "null")
# Copies that have a bar: p below 1e-6 at every seed.
BARRED = ("full", "other architecture", "rounded to 2")


def define_flags():
    flags.DEFINE_enum("data", "fashion", list(BENCHMARKS), "Data set.")
    flags.DEFINE_enum("carrier", "static", ["static", "dynamic"], "The carrier of the marks.")
    flags.DEFINE_list("parts", list(PARTS), f"What to run: any of {', '.join(PARTS)}.")
    flags.register_validator("parts", lambda names: set(names) <= set(PARTS), "unknown part")
    flags.DEFINE_integer("seeds", 1, "Number of seeds.", lower_bound=1)
    flags.DEFINE_integer("first_seed", 0, "The first seed.", lower_bound=0)
    flags.DEFINE_integer("rows", None, "Rows of each party; default: the data set's.")
    flags.DEFINE_enum(
        "architecture", None, models.names(), "Network of the victim; default: the data set's."
    )
    flags.DEFINE_enum(
        "other", None, models.names(),
        "Network of the thief who does not know it; default: the data set's.",
    )  # fmt: skip
    flags.DEFINE_integer("strangers", 20, "Independent models of the null part.", lower_bound=1)
    flags.DEFINE_integer("keys", 100, "Random keys for each independent model.", lower_bound=1)
    flags.DEFINE_integer("jobs", 1, "Processes at once.", lower_bound=1)
    flags.DEFINE_string("output", None, "Folder of the results; default runs/dynamarks_DATA.")
    flags.DEFINE_string("cache", None, "Folder of finished stages; default OUTPUT/cache.")
    flags.DEFINE_bool("status", False, "Compute nothing: tell what is done and what is left.")
    flags.DEFINE_bool("check", False, "Fail unless the bars hold.")


def graphs():
    """One `Graph` for each seed, as the flags say."""
    benchmark = BENCHMARKS[FLAGS.data]
    return [
        Graph(
            task=benchmark.task,
            architecture=FLAGS.architecture or benchmark.architecture,
            other=FLAGS.other or benchmark.other,
            training=benchmark.training,
            rows=FLAGS.rows or benchmark.rows,
            carrier=FLAGS.carrier,
            seed=seed,
            alpha=benchmark.alpha,
        )
        for seed in range(FLAGS.first_seed, FLAGS.first_seed + FLAGS.seeds)
    ]


def null_record(values, alpha):
    """What the p-values of independent models under random keys look like.

    Args:
        values: what the stages of `_answers.null` returned.
        alpha: level of the sequential test.
    """
    p_values = np.concatenate([value["p_values"] for value in values])
    wealth = np.concatenate([value["log_e_values"] for value in values])
    small, crossed = int(np.sum(p_values < 1e-4)), int(np.sum(wealth >= -math.log(alpha)))
    return {
        "models": len(values),
        "tests": len(p_values),
        "kolmogorov_smirnov": float(stats.kstest(p_values, "uniform").pvalue),
        "smallest": float(p_values.min()),
        "below_1e-4": small,
        "chance_of_below_1e-4": float(stats.binom.sf(small - 1, len(p_values), 1e-4)),
        "sequential_claims": crossed,
        "chance_of_sequential_claims": float(stats.binom.sf(crossed - 1, len(p_values), alpha)),
    }


def bars(records, null=None):
    """Rows (bar, what was measured, whether it holds): the p-values at every seed."""
    copies = [r for r in records if not r["attack"] and r["scheme"].startswith("DynaMarks")]
    of = {role: [r for r in copies if r["role"] == role] for role in {r["role"] for r in copies}}
    rows = []
    if of.get("victim"):
        agreement = min(r["agreement"] for r in of["victim"])
        rows.append(("top-1 agreement, smallest", f"{agreement:.4%}", agreement == 1))
    for role in BARRED:
        if found := of.get(role):
            worst = max(r["p_value"] for r in found)
            title = f"largest p, {role}, {max(r['probes'] for r in found)} probes"
            rows.append((title, f"{worst:.1e}", worst < 1e-6))
    if of.get("full") and of.get("innocent"):
        accuracy = [statistics.fmean(r["accuracy"] for r in of[x]) for x in ("innocent", "full")]
        lost = 100 * (accuracy[0] - accuracy[1])
        rows.append(("points that the mark costs a copy, mean", f"{lost:.2f}", lost <= 1))
    if null is not None:
        good = null["kolmogorov_smirnov"] > 0.01 and null["chance_of_below_1e-4"] > 0.01
        good &= null["chance_of_sequential_claims"] > 0.01
        text = f"KS {null['kolmogorov_smirnov']:.3f}, {null['below_1e-4']} below 1e-4, "
        text += f"{null['sequential_claims']} sequential claims"
        rows.append((f"{null['models']} models, {null['tests']} keys", text, good))
    return rows


def tables(records):
    """Text: suspects of the mark over the seeds, then the other defences."""
    parts = {}
    for r in records:
        relative = not r["scheme"].startswith("DynaMarks")
        parts.setdefault((relative, r["scheme"], r["role"], r["attack"]), []).append(r)
    marked, others = [], []
    for (relative, scheme, role, attack), part in parts.items():
        p_values = [r["p_value"] for r in part if r.get("p_value") is not None]
        line = [
            scheme if relative else f"{role}, {attack}" if attack else role,
            f"{100 * statistics.fmean(r['accuracy'] for r in part):.1f}",
            f"{statistics.median(p_values):.1e}" if p_values else "-",
            f"{max(p_values):.1e}" if p_values else "-",
        ]
        if relative:
            change = [r["mean_change"] for r in part if "mean_change" in r]
            score = [r["score"] for r in part if "score" in r]
            agreement = [r["agreement"] for r in part if "agreement" in r]
            others.append([
                line[0], "copy" if role == "full" else role, *line[1:],
                f"{100 * min(agreement):.2f}" if agreement else "-",
                f"{statistics.fmean(change):.3f}" if change else "-",
                f"{min(score):.1f}" if score else "-",
            ])  # fmt: skip
        else:
            evidence = sum(r.get("decision") == "evidence" for r in part)
            queries = [r["queries"] for r in part if r.get("decision") == "evidence"]
            names = part[0].get("clients") or {}
            clients = [f"{name} {max(r['clients'][name] for r in part):.0e}" for name in names]
            marked.append([
                *line, f"{evidence} of {len(part)}",
                f"{statistics.median(queries):g}" if queries else "-", ", ".join(clients),
            ])  # fmt: skip
    found = []
    if marked:
        headers = ["suspect", "accuracy", "median p", "largest p", "evidence", "queries",
                   "clients, largest p"]  # fmt: skip
        found.append(report.text_table(headers, marked))
    if others:
        headers = ["defence", "model", "accuracy", "median p", "largest p", "agreement",
                   "L1 change", "CosWM score"]  # fmt: skip
        found.append(report.text_table(headers, others))
    return "\n\n".join(found)


def main(argv):
    logging.set_verbosity(logging.ERROR)
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    parts = FLAGS.parts
    asked = [
        (graph, one)
        for graph in graphs()
        for name in ("thefts", "removals", "relatives")
        if name in parts
        for one in getattr(graph, name)()
    ]
    nulls = graphs()[0].null(FLAGS.strangers, FLAGS.keys) if "null" in parts else []
    output = pathlib.Path(FLAGS.output or f"runs/dynamarks_{FLAGS.data}")
    output.mkdir(parents=True, exist_ok=True)
    cache = Cache(FLAGS.cache or output / "cache")
    wanted = [*(stage for _, one in asked for stage in one.stages()), *nulls]
    if FLAGS.status:
        print(overview(wanted, cache, FLAGS.jobs))
        return
    started = time.monotonic()
    outcomes = stages.run(wanted, cache, jobs=FLAGS.jobs)
    command = f"python -m experiments.dynamarks {' '.join(sys.argv[1:])}".strip()
    records = [{**graph.record(one, outcomes), "command": command} for graph, one in asked]
    failures = [r["error"] for r in records if r["role"] == "failed"]
    failures += [outcomes[s].error for s in nulls if isinstance(outcomes[s], Failure)]
    measured = [r for r in records if r["role"] != "failed"]
    values = [outcomes[s].value for s in nulls if not isinstance(outcomes[s], Failure)]
    null = null_record(values, BENCHMARKS[FLAGS.data].alpha) if values else None
    seconds = f"{time.monotonic() - started:.0f} s"
    if measured:
        report.write_records(output / f"results_{FLAGS.carrier}.jsonl", records)
        print(tables(measured))
        title = f"{BENCHMARKS[FLAGS.data].task}, marks in the answers"
        page = report.write(records, output, title=title, subtitle=f"{command}: {seconds}")
        print(f"\n{len(measured)} verdicts, {seconds}. The page: {page}")
    rows = bars(measured, null)
    width = max((len(name) for name, _, _ in rows), default=0)
    for name, value, good in rows:
        print(f"{name:<{width}}  {value}  {'holds' if good else 'FAILS'}")
    if FLAGS.check:
        failures += [f"{name}: {value}" for name, value, good in rows if not good]
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    define_flags()
    app.run(main)
