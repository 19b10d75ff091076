"""All benchmarks by one command: `python -m benchmarks`, or `bazel run //benchmarks:suite`.

python -m benchmarks --output=benchmarks.json
python -m benchmarks --parts=step,fit
python -m benchmarks --original=FOLDER --python=INTERPRETER

Each part is a program of this folder, runs in a process of its own, prints its table, and can be
run alone with flags of its own. The JSON file holds the parts' results, the machine and the
commands. A part that fails is named at the end, and the others go on. Some 20 minutes on two idle
cores; on a busy machine the ratios hold better than the seconds.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from absl import app
from absl import flags

FLAGS = flags.FLAGS

# In the order in which they run; the words are for `--help`.
PARTS = {
    "import_time": "what `import ewe_tf` adds",
    "step": "a training step against Keras and against the published algorithm",
    "fit": "whole trainings, time and memory",
    "triggers": "trigger generation",
    "verification": "verdicts and calibration",
    "serving": "export and served latency",
    "dynamarks_serving": "served latency with marks in the answers",
    "growth": "curves over rows, features, layers and keys",
}


def commands(parts, original, interpreter):
    """Dict from a part to its arguments after `python -m`."""
    found = {part: [f"benchmarks.{part}"] for part in parts}
    if original or interpreter:
        found["original"] = [
            "benchmarks.original",
            f"--original={original}",
            f"--python={interpreter}",
        ]
    return found


def run(part, arguments, folder):
    """Runs a part; returns its results as its file has them, `None` if it failed."""
    print(f"\n=== {part}: {PARTS.get(part, 'against the code of the authors')}", flush=True)
    output = pathlib.Path(folder) / f"{part}.json"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "PYTHONPATH": path}
    started = time.monotonic()
    command = [sys.executable, "-m", *arguments, f"--output={output}"]
    done = subprocess.run(command, env=environment)
    print(f"--- {part}: {time.monotonic() - started:.0f} s", flush=True)
    if done.returncode or not output.is_file():
        return None
    text = output.read_text()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"results": [json.loads(line) for line in text.splitlines()]}


def define_flags():
    """The flags of this program."""
    flags.DEFINE_list("parts", ["all"], f"all, or some of: {', '.join(PARTS)}.")
    flags.DEFINE_string("output", None, "A JSON file to write all results to.")
    flags.DEFINE_string("original", None, "Folder of the authors' code.")
    flags.DEFINE_string("python", None, "An interpreter with TensorFlow 1.14 for it.")
    flags.register_validator(
        "parts",
        lambda names: names == ["all"] or set(names) <= set(PARTS),
        message=f"--parts must be all, or some of: {', '.join(PARTS)}",
    )


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    if bool(FLAGS.original) != bool(FLAGS.python):
        raise app.UsageError("--original and --python belong together")
    parts = list(PARTS) if FLAGS.parts == ["all"] else FLAGS.parts
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for part, arguments in commands(parts, FLAGS.original, FLAGS.python).items():
            found[part] = run(part, arguments, folder)
    failed = [part for part, results in found.items() if results is None]
    if FLAGS.output:
        pathlib.Path(FLAGS.output).write_text(json.dumps(found, indent=1) + "\n")
    if failed:
        sys.exit(f"FAILED: {', '.join(failed)}")


if __name__ == "__main__":
    define_flags()
    app.run(main)
