"""Are innocent models accused, and how many queries does a stolen copy take?

Every key of the MNIST, Fashion-MNIST and (small nets) CIFAR-10 benchmarks is asked of all models
that took no part in its making or in its calibration: those of the other seeds, on other draws of
the data, of three architectures, strangers' fine-tuned copies among them. Nothing is trained that
the benchmarks have not trained: give this program their caches.

python -m experiments.innocence --mnist_cache=runs/mnist/cache --fashion_cache=runs/fashion/cache
python -m experiments.innocence --data=fashion --strangers=20 --answers=probabilities
python -m experiments.innocence --data=fashion --scheme=EWE:trials=1

The second asks for probabilities, so that the target's rank is tested as well; the third is about
the keys of other settings.
"""

import dataclasses
import json
import pathlib
import statistics
import sys

import numpy as np
from absl import app
from absl import flags
from absl import logging

from ewe_tf.keys.whole import write_whole
from experiments import cifar
from experiments import fashion
from experiments import mnist
from experiments import parties
from experiments import stages
from experiments.cache import Cache
from experiments.cells import Cell
from experiments.cells import Owner

FLAGS = flags.FLAGS
BENCHMARKS = {
    "mnist": mnist.BENCHMARK,
    "fashion": fashion.BENCHMARK,
    "cifar": dataclasses.replace(cifar.BENCHMARK, architecture="small_cnn", other="wide_cnn"),
}
PARTS = ("keys", "held_out")
THIEVES = ("label-only", "other architecture", "soft")


def define_flags():
    known = ", ".join(BENCHMARKS)
    flags.DEFINE_list("data", ["mnist", "fashion"], f"Data sets: any of {known}.")
    flags.register_validator("data", lambda names: set(names) <= set(BENCHMARKS), "unknown")
    flags.DEFINE_integer(
        "strangers", 5, "Independent innocent models that judge each key.", lower_bound=1
    )
    flags.DEFINE_enum("answers", "label", ["label", "probabilities"], "What verdicts ask for.")
    flags.DEFINE_string("scheme", "EWE", "Whose keys, in the words of the grid.")
    flags.DEFINE_integer("seeds", 3, "Seeds of the benchmarks.", lower_bound=2)
    for name in BENCHMARKS:
        flags.DEFINE_string(f"{name}_cache", f"runs/{name}/cache", f"Finished stages of {name}.")
    flags.DEFINE_string("output", "runs/innocence", "Folder of the results.")


def unmarked(owner):
    """Models without a mark: strangers, clean twins, in-house innocent models."""
    return [*owner.strangers.values(), *owner.twins, *owner.in_house.values()]


def questions(owners):
    """Stages `parties.verdicts` by (kind, seed)."""
    asked = {}
    for owner in owners:
        others = [model for other in owners if other is not owner for model in unmarked(other)]
        innocent = {f"innocent {i:03d}": model for i, model in enumerate(others)}
        copies = {role: Cell(owner, role).copy for role in THIEVES}
        for kind, suspects, alphas in (
            ("innocent", innocent, (1e-3,)),
            ("copy", copies, (1e-3, 1e-6)),
        ):
            asked[kind, owner.seed] = stages.Stage(
                parties.verdicts,
                {"alphas": alphas, "parts": PARTS, "answers": owner.benchmark.answers},
                {"judged": owner.judge, **suspects},
                f"{kind} models, seed {owner.seed}",
            )
    return asked


def main(argv):
    logging.set_verbosity(logging.ERROR)
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    records, failed = [], []
    for name in FLAGS.data:
        cache, benchmark = Cache(FLAGS[f"{name}_cache"].value), BENCHMARKS[name]
        benchmark = dataclasses.replace(benchmark, strangers=FLAGS.strangers, answers=FLAGS.answers)
        try:
            owners = [Owner(benchmark, FLAGS.scheme, seed) for seed in range(FLAGS.seeds)]
        except ValueError as error:
            sys.exit(f"Error: {error}")
        asked = questions(owners)
        outcomes = stages.run(asked.values(), cache)
        failed += [o for o in outcomes.values() if isinstance(o, stages.Failure)]
        for (kind, seed), stage in asked.items():
            if isinstance(outcomes[stage], stages.Failure):
                continue
            refused = cache.result(stage.inputs["judged"].key).value["refused"]
            for value in outcomes[stage].value:
                suspect = stage.inputs[value["suspect"]]
                records.append(
                    {
                        "task": benchmark.task,
                        "scheme": owners[0].scheme,
                        "kind": kind,
                        "key": seed,
                        "refused": refused,
                        "model": suspect.key,
                        "architecture": suspect.config["architecture"],
                        **value,
                    }
                )
    output = pathlib.Path(FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    write_whole(output / "results.jsonl", lines.encode())
    print(text(records))
    for failure in failed:
        print(f"FAILED: {failure.stage.title}: {failure.error}", file=sys.stderr)
    accused = [
        r for r in usable(records) if r["kind"] == "innocent" and r["decision"] == "evidence"
    ]
    sys.exit(bool(failed or accused))


def usable(records):
    """Records of keys that calibration did not refuse: no others are used on anybody."""
    return [record for record in records if not record["refused"]]


def text(records):
    """The figures as text."""
    lines = []
    for part in PARTS:
        everything = [r for r in records if r["kind"] == "innocent" and r["part"] == part]
        innocent = usable(everything)
        if not innocent:
            continue
        counts = [len({r[name] for r in innocent}) for name in ("model", "architecture", "task")]
        lines += [
            f"{part}: {len(innocent)} pairs of an innocent model and a key; {counts[0]} models, "
            f"{counts[1]} architectures, {counts[2]} data sets (besides, "
            f"{len(everything) - len(innocent)} pairs with keys that calibration refused)",
            f"  evidence at 1e-3: {sum(r['decision'] == 'evidence' for r in innocent)}; "
            f"largest share of triggers hit: {max(r['hits'] / r['asked'] for r in innocent):.1%}",
        ]
        p_values = np.array([r["p_value"] for r in innocent])
        levels = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
        shares = ", ".join(f"{level:g}: {np.mean(p_values <= level):.3f}" for level in levels)
        lines.append(f"  share of p-values up to {shares}")
        lines += _copies(records, part)
    return "\n".join(lines)


def _copies(records, part):
    """How often, and after how many rows, stolen copies of each kind are recognised."""
    lines, groups = [], {}
    for r in usable(records):
        if r["kind"] == "copy" and r["part"] == part:
            groups.setdefault((r["task"], r["suspect"], r["alpha"]), []).append(r)
    for (task, role, alpha), rows in groups.items():
        found = [r["queries"] for r in rows if r["decision"] == "evidence"]
        median = f", median {statistics.median(found):g} rows sent" if found else ""
        rate = statistics.mean(r["hits"] / r["asked"] for r in rows)
        lines.append(
            f"  {task}, {role} copies at {alpha:g}: evidence for {len(found)} of {len(rows)}"
            f"{median} (half of them triggers), {rate:.0%} of those hit"
        )
    return lines


if __name__ == "__main__":
    define_flags()
    app.run(main)
