"""Marks in self-supervised encoders: MEA-Defender on SimCLR, stolen by StolenEncoder.

python -m experiments.encoders --seeds=3 --jobs=2
"""

import pathlib
import sys
import time

from absl import app
from absl import flags
from absl import logging

from ewe_tf import report
from experiments import _encoders
from experiments import stages
from experiments.cache import Cache
from experiments.measured import rate_of
from experiments.stages import Failure
from experiments.stages import Stage

FLAGS = flags.FLAGS

# Clean encoders that are judged, and that the judge did not calibrate the key with.
BYSTANDERS = 2
# Thieves: architecture, and the smallest share of an image that their augmentation shows.
THIEVES = {
    "StolenEncoder": ("small_cnn", 1.0),
    "other architecture": ("wide_cnn", 1.0),
    "crops": ("small_cnn", 0.5),
}


def cell(seed, rows, strangers, alpha):
    """The stages of one seed: dicts of suspects and of verdicts on them, by role."""
    data = {"task": "fashion_mnist", "source": None, "rows": rows, "seed": seed}
    common = {"data": data}

    def clean(part, architecture, number, title):
        config = {
            **common, "part": part, "architecture": architecture, "epochs": 20,
            "seed": 1000 * seed + number,
        }  # fmt: skip
        return Stage(_encoders.clean, config, title=f"{title}, seed {seed}", kind="encoder")

    twin = clean("victim", "small_cnn", 0, "clean encoder")
    config = {**common, "scheme": {}, "seed": 1000 * seed}
    victim = Stage(_encoders.marked, config, {"clean": twin}, f"marked encoder, seed {seed}")

    def stolen(role, source, number, title):
        architecture, least = THIEVES[role]
        config = {
            **common, "architecture": architecture, "least": least, "epochs": 20,
            "seed": 1000 * seed + 300 + number,
        }  # fmt: skip
        return Stage(_encoders.stolen, config, {"victim": source}, f"{title}, seed {seed}")

    suspects = {"victim": victim, "twin": twin}
    for number, role in enumerate(THIEVES):
        suspects[role] = stolen(role, victim, number, f"copy by {role}")
    title = "copy of the clean encoder"
    suspects[title] = stolen("StolenEncoder", twin, 10, title)
    for i in range(BYSTANDERS):
        title = f"bystander {i + 1}"
        suspects[title] = clean("stranger", ("small_cnn", "wide_cnn")[i % 2], 250 + i, title)
    others = {
        f"stranger {i + 1}": clean(
            "stranger", ("small_cnn", "wide_cnn")[i % 2], 200 + i, f"stranger {i + 1}"
        )
        for i in range(strangers)
    }
    suspects |= others
    judge = Stage(_encoders.judged, common, {"victim": victim, **others}, f"judge, seed {seed}")
    verdicts = {
        role: Stage(
            _encoders.verdict, {**common, "alpha": alpha}, {"judged": judge, "suspect": suspect},
            f"verdict on {role}, seed {seed}",
        )
        for role, suspect in suspects.items()
    }  # fmt: skip
    return suspects, judge, verdicts


def records(seed, suspects, judge, verdicts, outcomes):
    """One JSON record for each encoder; failed stages become records with their error."""
    place = {
        "experiment": "encoders", "dataset": "fashion_mnist", "scheme": "MEADefenderEncoder",
        "seed": seed,
    }  # fmt: skip
    found = []
    for role, verdict in verdicts.items():
        needed = [outcomes[s] for s in (suspects["victim"], suspects["twin"], suspects[role])]
        needed += [outcomes[judge], outcomes[verdict]]
        failed = [one for one in needed if isinstance(one, Failure)]
        if failed:
            found.append({**place, "role": "failed", "name": role, "error": failed[0].error})
            continue
        victim, twin, suspect, judged, asked = (one.value for one in needed)
        found.append(
            {
                **place,
                "role": _role(role),
                "name": role,
                "attack": "",
                "accuracy": suspect["accuracy"],
                "rate_held_out": rate_of(asked["held_out"]),
                "rate_key": rate_of(asked["keys"]),
                "rate_controls": asked["held_out_controls"],
                "rate_plain": asked["plain"],
                "n": asked["held_out"][1],
                "decision": asked["decision"],
                "p_value": asked["p_value"],
                "queries": asked["queries"],
                "key_refused": judged["refused"],
                "price": 100 * (twin["accuracy"] - victim["accuracy"])
                if role == "victim"
                else None,
                "twin_accuracy": twin["accuracy"] if role == "victim" else None,
                "source_classes": victim["source_classes"],
                "target": victim["target"],
                "seconds": needed[2].seconds,
            }
        )
    return found


def _role(name):
    innocent = name.startswith(("stranger", "bystander")) or name == "copy of the clean encoder"
    return "innocent" if innocent else name


def beside(rows):
    """What stands next to every rate: the classes, controls, and plain images of the sources."""
    lines = [
        [
            str(r["seed"]), " + ".join(map(str, r["source_classes"])) + f" -> {r['target']}",
            r["name"], *(f"{100 * r[name]:.1f}" for name in ("rate_held_out", "rate_controls")),
            " / ".join(f"{100 * share:.1f}" for share in r["rate_plain"]),
        ]
        for r in rows
        if r["role"] not in ("failed", "innocent")
    ]  # fmt: skip
    return report.text_table(["seed", "key", "who", "composites", "controls", "plain A / B"], lines)


def check(rows):
    """What is not as it must be, as sentences: copies without evidence, accused innocents."""
    return [
        f"seed {r['seed']}: verdict on {r['name']} is {r['decision']!r}"
        for r in rows
        if r["role"] != "failed"
        and (r["role"] not in ("innocent", "twin")) != (r["decision"] == "evidence")
    ]


def _run(argv):
    logging.set_verbosity(logging.ERROR)
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    started = time.monotonic()
    seeds = range(FLAGS.first_seed, FLAGS.first_seed + FLAGS.seeds)
    cells = {seed: cell(seed, FLAGS.rows, FLAGS.strangers, FLAGS.alpha) for seed in seeds}
    wanted = [
        stage
        for suspects, judge, verdicts in cells.values()
        for stage in (*suspects.values(), judge, *verdicts.values())
    ]
    output = pathlib.Path(FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)
    outcomes = stages.run(wanted, Cache(FLAGS.cache or output / "cache"), jobs=FLAGS.jobs)
    rows = [r for seed, parts in cells.items() for r in records(seed, *parts, outcomes)]
    command = f"python -m experiments.encoders {' '.join(sys.argv[1:])}".strip()
    rows = [{**r, "command": command} for r in rows]
    report.write_records(output / "results.jsonl", rows)
    print(report.results_table(rows), beside(rows), sep="\n\n")
    if any(r["role"] != "failed" for r in rows):
        seconds = f"{time.monotonic() - started:.0f} s"
        title = "Fashion-MNIST, marks in encoders"
        page = report.write(rows, output, title=title, subtitle=f"{command}: {seconds}")
        print(f"\nThe page: {page}")
    failures = [r["error"] for r in rows if r["role"] == "failed"]
    failures += check(rows) if FLAGS.check else []
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    flags.DEFINE_integer("seeds", 1, "Number of seeds.", lower_bound=1)
    flags.DEFINE_integer("first_seed", 0, "The first seed.", lower_bound=0)
    flags.DEFINE_integer("rows", 4000, "Images of each party.", lower_bound=300)
    flags.DEFINE_integer("strangers", 5, "Clean encoders that judge the key.", lower_bound=3)
    flags.DEFINE_integer("jobs", 1, "Processes at once.", lower_bound=1)
    flags.DEFINE_float("alpha", 1e-3, "Level of the verdicts.", 0.0, 1.0)
    flags.DEFINE_string("output", "runs/encoders", "Folder of the results.")
    flags.DEFINE_string("cache", None, "Folder of finished stages; default OUTPUT/cache.")
    flags.DEFINE_bool("check", False, "Fail unless copies get evidence, and no clean encoder.")
    app.run(_run)
