"""What `import ewe_tf` adds to importing TensorFlow and Keras.

python -m benchmarks.import_time --output=import_time.json

Each measurement is a new process, which imports tensorflow and keras first. `import ewe_tf`
itself loads hardly anything; `every public name` is what a program pays that uses all of them.
"""

import json
import statistics
import sys

from absl import app
from absl import flags

from benchmarks import _children
from benchmarks import _output

FLAGS = flags.FLAGS

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
        rows.append(json.loads(_children.output([sys.executable, "-c", _PROGRAM])[-1]))
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    return dict(zip(_PARTS, medians, strict=True))


def define_flags():
    """The flags of this program."""
    flags.DEFINE_integer("repetitions", 7, "Processes started.", lower_bound=1)
    flags.DEFINE_string("output", None, "A JSON file to write the results to.")


def main(_):
    seconds = measure(FLAGS.repetitions)
    results = [
        {"part": part, "seconds": value, "repetitions": FLAGS.repetitions}
        for part, value in seconds.items()
    ]
    columns = {"part": "part", "s": ("seconds", 3)}
    _output.finish(results, columns)


if __name__ == "__main__":
    define_flags()
    app.run(main)
