"""What `import ewe_tf` adds to importing TensorFlow and Keras.

python -m benchmarks.import_time --output=import_time.json

Each measurement is a new process, which imports tensorflow and keras first. `import ewe_tf`
itself loads hardly anything; `every public name` is what a program pays that uses all of them.
"""

import json
import os
import statistics
import subprocess
import sys

from absl import app
from absl import flags

from benchmarks._machine import machine

_REPETITIONS = flags.DEFINE_integer("repetitions", 7, "Processes started.", lower_bound=1)
_OUTPUT = flags.DEFINE_string("output", None, "A JSON file to write the results to.")

_PROGRAM = """
import json, time
marks = [time.perf_counter()]
import tensorflow, keras
marks.append(time.perf_counter())
import ewe_tf
marks.append(time.perf_counter())
for name in ewe_tf.__all__:
    getattr(ewe_tf, name)
marks.append(time.perf_counter())
print(json.dumps([after - before for before, after in zip(marks, marks[1:])]))
"""
_PARTS = ("tensorflow and keras", "import ewe_tf", "every public name")


def measure(repetitions):
    """Dict from part to its median time in seconds, over new processes."""
    rows = []
    for _ in range(repetitions):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    return dict(zip(_PARTS, medians, strict=True))


def main(_):
    seconds = measure(_REPETITIONS.value)
    for part, value in seconds.items():
        print(f"{part:24s}{value:8.3f} s")
    found = {"machine": machine(), "seconds": seconds, "repetitions": _REPETITIONS.value}
    print(json.dumps(found["machine"]))
    if _OUTPUT.value:
        with open(_OUTPUT.value, "w") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    app.run(main)
