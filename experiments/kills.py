"""A grid that is killed again and again ends like one that was left alone.

A grid gets SIGKILL in the middle of a stage of each kind in turn, at a random moment of it; at
last two grids at once finish what is left over the same cache. Then every result must be that of
an undisturbed run, and no stage that had finished before a kill may be gone or made anew. What
the models learn is of no account here: they train for one epoch.

    python -m experiments.kills --kills=10
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

from absl import app
from absl import flags

from experiments.cache import Cache

FLAGS = flags.FLAGS

GRID = [
    "--data=digits", "--schemes=EWE,naive backdoor", "--seeds=2", "--extractions=soft",
    "--removals=prune,finetune,fine-prune,distill,int8,jpeg", "--epochs=1", "--further_epochs=1",
]  # fmt: skip
# Stage functions in whose middle the kills come, in the order in which a run gets to them.
KINDS = (
    "unmarked", "victim", "unmarked", "judged", "verdict", "stolen", "removed", "removed",
    "scratch", "pictures",
)  # fmt: skip
# Sums over another number of threads may round otherwise.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
)
# Grids that finish at once over one cache.
LAST = 2


def start(output, *more):
    """A grid of its own process group."""
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.grid", *GRID, f"--output={output}", *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **ONE_THREAD},
    )


def finished(cache):
    """Finished stages: the inode of each one's result, which a second one could not have."""
    return {path.parent.name: path.stat().st_ino for path in cache.root.glob("*/result.json")}


def working(cache):
    """Stages that were begun and have not ended: the inode of each one's folder."""
    found = {}
    for path in (cache.root / "working").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found[path.name] = path.stat().st_ino
    return found


def contents(cache):
    """What every finished stage says, but for how long it took."""
    found = {}
    for key in finished(cache):
        stored = json.loads((cache.root / key / "result.json").read_text())
        found[key] = {k: v for k, v in stored.items() if k != "seconds"}
    return found


def seconds_of(cache):
    """Mean seconds of a stage of each kind."""
    known = {}
    for key in finished(cache):
        known.setdefault(_kind(key), []).append(cache.result(key).seconds)
    return {kind: sum(times) / len(times) for kind, times in known.items()}


def records_of(output):
    """The records of a run, but for what differs between two."""
    lines = (output / "results.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if k not in ("command", "seconds")}
        for line in lines
    ]


def kill_in_the_middle(kind, cache, output, typical, generator):
    """Starts the grid and kills it while it computes a stage of a kind.

    Returns:
        The stages that were being computed then; empty if all were finished before.
    """
    stale = working(cache).items()
    process = start(output, f"--cache={cache.root}")
    moment = None
    while process.poll() is None and (moment is None or time.monotonic() < moment):
        begun = dict(working(cache).items() - stale)
        if moment is None and any(_kind(key) == kind for key in begun):
            moment = time.monotonic() + generator.uniform(0, typical[kind])
        time.sleep(0.002)
    if process.poll() is not None:
        return []
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return list(dict(working(cache).items() - stale))


def _kind(key):
    return key.rpartition("-")[0]


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    output, generator = pathlib.Path(FLAGS.output), random.Random(FLAGS.seed)
    undisturbed, disturbed = (Cache(output / name) for name in ("undisturbed", "disturbed"))
    calm = output / "calm"
    if start(calm, f"--cache={undisturbed.root}", f"--jobs={LAST}").wait():
        sys.exit("The undisturbed grid failed")
    typical = seconds_of(undisturbed)
    shutil.rmtree(disturbed.root)
    disturbed = Cache(disturbed.root)
    outputs = [output / f"run{number}" for number in range(LAST)]
    held, middle = {}, []
    for number in range(FLAGS.kills):
        kind = KINDS[number % len(KINDS)]
        hit = kill_in_the_middle(kind, disturbed, outputs[0], typical, generator)
        middle += [_kind(key) for key in hit]
        for key, inode in finished(disturbed).items():
            held.setdefault(key, inode)
        print(f"kill {number + 1}, for {kind}: in the middle of {', '.join(hit) or 'nothing'}; "
              f"{len(held)} stages finished", flush=True)  # fmt: skip
    last = [start(one, f"--cache={disturbed.root}") for one in outputs]
    codes = [process.wait() for process in last]
    now = finished(disturbed)
    expected, found = contents(undisturbed), contents(disturbed)
    checks = {
        "the last runs end well": codes == [0] * LAST,
        "same stages": set(found) == set(expected),
        "same results": found == expected,
        "same records": all(records_of(one) == records_of(calm) for one in outputs),
        "nothing that had finished is lost": set(held) <= set(now),
        "nothing is computed twice": all(now.get(key) == inode for key, inode in held.items()),
        "nothing half-made is left": not working(disturbed),
    }
    kinds = dict(collections.Counter(middle))
    print(f"{len(found)} stages; killed in the middle of: {kinds}")
    different = [key for key in expected if found.get(key) != expected[key]]
    if different:
        print(f"different: {', '.join(sorted(different))}")
    for words, good in checks.items():
        print(f"{'holds' if good else 'FAILS'}  {words}")
    sys.exit(not all(checks.values()))


if __name__ == "__main__":
    flags.DEFINE_integer("kills", 10, "How often the grid is killed.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the moments.")
    flags.DEFINE_string("output", "runs/kills", "Folder of the runs.")
    app.run(main)
