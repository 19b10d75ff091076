"""How long a verdict takes beside the suspect's own answers.

python -m benchmarks.verification --output=verification.json

For keys of several sizes and a suspect of 28 x 28 images in this process: a verdict on a suspect
that answers every trigger (stops early), on one that answers none (asks everything), the same with
the exact test of fixed size, and calibration with twenty innocent models. `answers alone` is the
suspect's time for as many rows in one `predict`. A served suspect adds its own latency for each
request.
"""

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

import ewe_tf
from benchmarks import _output
from benchmarks._timing import interleaved
from ewe_tf import models
from ewe_tf.keys import TriggerKey

FLAGS = flags.FLAGS

_SHAPE, _TARGET, _CLASSES = (28, 28, 1), 3, 10


def example_key(keys):
    """A key with random triggers, calibrated by models that answer none of them."""
    images = np.random.default_rng(0).random((4, keys, *_SHAPE), np.float32)
    labels = np.full(keys, _TARGET)
    key = TriggerKey(
        *(images[0], labels, images[1]),
        *(images[2], labels, images[3]),
        num_classes=_CLASSES,
        scheme="EWE",
        settings={},
        seed=0,
        victim="00" * 32,
        versions={},
    )
    return ewe_tf.verification.calibrate(key, [_silent] * 20)


def _silent(rows):
    return np.zeros(len(rows), np.int64)


def tasks(keys):
    """Dict from a name to a function without arguments, for keys of one size."""
    key = example_key(keys)
    model = models.build("small_cnn", _SHAPE, _CLASSES, seed=0)
    known = {row.tobytes() for row in key.triggers}
    rows = np.concatenate([key.triggers, key.controls])

    answers = tf.function(
        lambda x: model(x, training=False), input_signature=[tf.TensorSpec([None, *_SHAPE])]
    )

    def network(x):
        return answers(tf.constant(x)).numpy()

    def guilty(x):
        network(x)
        return np.array([_TARGET if row.tobytes() in known else 0 for row in x])

    def innocent(x):
        network(x)
        return _silent(x)

    return {
        "answers alone": lambda: network(rows),
        "guilty, sequential": lambda: ewe_tf.verify(key, guilty, verbose=0),
        "innocent, sequential": lambda: ewe_tf.verify(key, innocent, verbose=0),
        "innocent, fixed size": lambda: ewe_tf.verify(key, innocent, sequential=False, verbose=0),
        "calibration, 20 models": lambda: ewe_tf.verification.calibrate(key, [innocent] * 20),
    }


def measure(keys, repetitions):
    """One result (dict) for each task, for keys of one size."""
    contestants = tasks(keys)
    decisions = {name: task() for name, task in contestants.items() if "sequential" in name}
    assert decisions["guilty, sequential"].decision == "evidence"
    assert decisions["innocent, sequential"].decision == "no evidence"
    seconds = interleaved(contestants, repetitions, 1)
    return [
        {
            "task": name,
            "keys": keys,
            "queries": getattr(decisions.get(name), "queries", None),
            "repetitions": repetitions,
            "seconds": float(np.median(seconds[name][:, 0])),
            "processor_seconds": float(np.median(seconds[name][:, 1])),
        }
        for name in contestants
    ]


def define_flags():
    """The flags of this program."""
    flags.DEFINE_multi_integer("keys", [100, 500], "Keys; may be repeated.", lower_bound=10)
    flags.DEFINE_integer("repetitions", 5, "Times each is done.", lower_bound=1)
    flags.DEFINE_string("output", None, "A JSON file to write the results to.")


def main(_):
    results = [r for keys in FLAGS.keys for r in measure(keys, FLAGS.repetitions)]
    columns = {
        "task": "task",
        "keys": "keys",
        "queries": "queries",
        "s": ("seconds", 3),
        "CPU s": ("processor_seconds", 3),
    }
    _output.finish(results, columns)


if __name__ == "__main__":
    define_flags()
    app.run(main)
