"""The table: every scheme, data set and thief, beside what the papers print.

    python -m experiments.table --data=mnist --seeds=5 --publish

runs what is not yet in the cache, and with `--publish` puts the records under docs/results/ and
makes docs/results.md of all that is there. Several runs, of one data set or scheme each, add up:
a record takes the place of the earlier one of the same model.
"""

import json
import os
import pathlib
import platform

from absl import flags

from experiments import results_page
from experiments.grid import DATA
from experiments.program import main
from experiments.schemes import SCHEMES

FLAGS = flags.FLAGS
_FOLDER = pathlib.Path("docs/results")


def publish(records):
    """Adds records of models to the JSON lines of the repository, and writes the page.

    Models that were attacked after the theft, and stages that failed, are no part of the table.
    """
    if not FLAGS.publish:
        return
    models = [
        r for r in records if "figure" not in r and not r.get("attack") and r["role"] != "failed"
    ]
    for dataset in dict.fromkeys(record["dataset"] for record in models):
        path = _FOLDER / f"{dataset}.jsonl"
        found = {}
        if path.exists():
            found = {_name(r): r for r in map(json.loads, path.read_text().splitlines())}
        mine = [r for r in models if r["dataset"] == dataset]
        found |= {_name(r): {**results_page.kept(r), "hardware": hardware()} for r in mine}
        order = {name: place for place, name in enumerate(SCHEMES)}
        lines = sorted(found.values(), key=lambda r: (order.get(r["scheme"], 99), r["seed"]))
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        print(f"{path}: {len(lines)} models")
    results_page.write()


def _name(record):
    """What tells one model's record from another's."""
    return record["scheme"], record["seed"], record.get("name")


def hardware():
    """The processor and the number of its cores that this machine gives."""
    names = [
        line.split(":", 1)[1].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ] or [platform.processor()]
    return f"{len(os.sched_getaffinity(0))} cores, {names[0]}"


if __name__ == "__main__":
    flags.DEFINE_bool("publish", False, "Put the records into docs/results/ and write the page.")
    main(
        DATA,
        default="mnist",
        after=publish,
        schemes=["naive backdoor", "EWE.paper()", "EWE", "MEA-Defender", "DynaMarks"],
        extractions=["label-only", "other architecture", "half the queries", "soft"],
        output="runs/table",
    )
