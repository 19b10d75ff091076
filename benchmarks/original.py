"""Our steps and the authors' own program's on the same machine, in turn.

python -m benchmarks.original --original=FOLDER --python=INTERPRETER --output=original.json

FOLDER is a checkout of the code that the authors of EWE released (its `models.py` is used), and
INTERPRETER a Python that has TensorFlow 1.14 and NumPy. Their two-conv network is built by their
code in a process of its own, which waits while ours works. Three things are timed at their MNIST
settings: a normal step, a watermark step (theirs: SNNL of the whole batch at three layers; ours:
an `EWE` step, which holds the task rows and the watermark rows at once), and 65 steps of
trigger generation on half a batch.

The protocol and the driver are tested with a stand-in that has the interface of their `models.py`;
they have NOT been run with the authors' code or with TensorFlow 1.14.
"""

import json
import pathlib
import subprocess
import tempfile

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

from benchmarks import _output
from benchmarks._images import learnable
from benchmarks._timing import interleaved
from benchmarks.step import steps
from benchmarks.triggers import rules

FLAGS = flags.FLAGS


class Original:
    """The authors' code at work in a process of its own.

    Args:
        folder: the checkout.
        interpreter: path of a Python that can run it.
        batch_size: rows of a step.

    Raises:
        RuntimeError: if it does not start, or stops; with the end of what it said.
    """

    def __init__(self, folder, interpreter, batch_size):
        driver = pathlib.Path(__file__).with_name("_original_driver.py")
        # A file, not a pipe: TensorFlow 1 says more than a pipe holds, and nobody reads it.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (`close` does)
        self._process = subprocess.Popen(
            [interpreter, str(driver), str(folder), str(batch_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        self.versions = self._answer()

    def run(self, work):
        """Does `normal`, `watermark` or `triggers` once; returns its own seconds."""
        self._process.stdin.write(work + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self):
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._said.seek(0)
            raise RuntimeError(f"The authors' code stopped: {self._said.read()[-2000:]}")
        return json.loads(line)


def measure(original, batch_size, repetitions):
    """One result (dict) for each piece of work: seconds of theirs and of ours."""
    ours = steps("two_conv", batch_size, (28, 28, 1))
    images, _ = learnable(batch_size // 2, (28, 28, 1))
    make = rules()["EWE, last hidden layer"]
    pairs = {
        "normal": ours["plain, task rows"][1],
        "watermark": ours["EWE"][1],
        "triggers": lambda: make().apply(images),
    }
    results = []
    for work, call in pairs.items():
        contestants = {"theirs": lambda work=work: original.run(work), "ours": call}
        seconds = interleaved(contestants, repetitions, 1)
        wall = {name: measured[:, 0] for name, measured in seconds.items()}
        results.append(
            {
                "work": work,
                "batch_size": batch_size,
                "repetitions": repetitions,
                "theirs_seconds": float(np.median(wall["theirs"])),
                "ours_seconds": float(np.median(wall["ours"])),
                "times_faster": float(np.median(wall["theirs"] / wall["ours"])),
                "original": original.versions,
            }
        )
    return results


def define_flags():
    """The flags of this program."""
    flags.DEFINE_string("original", None, "Folder of the authors' code.")
    flags.DEFINE_string("python", None, "An interpreter that can run it.")
    flags.DEFINE_integer("batch_size", 512, "Rows of a step.", lower_bound=32)
    flags.DEFINE_integer("repetitions", 5, "Measurements of each.", lower_bound=1)
    flags.DEFINE_string("output", None, "A JSON file to write the results to.")


def main(_):
    if not (FLAGS.original and FLAGS.python):
        raise app.UsageError("Give --original=FOLDER and --python=INTERPRETER")
    tf.get_logger().setLevel("ERROR")
    original = Original(FLAGS.original, FLAGS.python, FLAGS.batch_size)
    try:
        results = measure(original, FLAGS.batch_size, FLAGS.repetitions)
    finally:
        original.close()
    columns = {
        "work": "work",
        "theirs s": ("theirs_seconds", 3),
        "ours s": ("ours_seconds", 3),
        "times faster": ("times_faster", 1),
    }
    _output.finish(results, columns)


if __name__ == "__main__":
    define_flags()
    app.run(main)
