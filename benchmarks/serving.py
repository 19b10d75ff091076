"""What exporting costs, and how fast the export answers.

python -m benchmarks.serving --output=serving.json

The model that comes out of `ewe_tf.fit` with EWE is the plain model that went in, so its answers
cost what they cost without a mark; what is measured is our export, in this process, against Keras'
own `model.export` and against calling the model. For marks in the answers themselves see
`benchmarks.dynamarks_serving`. HTTP is left out: it costs every model the same.
"""

import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

import ewe_tf
from benchmarks import _output
from benchmarks._timing import interleaved
from ewe_tf import models

FLAGS = flags.FLAGS

_SHAPES = {"small_cnn": (28, 28, 1), "two_conv": (28, 28, 1), "resnet8": (32, 32, 3)}


def measure(network, batch_sizes, repetitions, folder):
    """One result (dict) for each server and batch size."""
    model = models.build(network, _SHAPES[network], 10, seed=0)
    started = time.perf_counter()
    ours = ewe_tf.export(model, f"{folder}/ours_{network}")
    seconds = {"ewe_tf.export": time.perf_counter() - started}
    theirs = f"{folder}/theirs_{network}"
    started = time.perf_counter()
    model.export(theirs, verbose=False)
    seconds["model.export"] = time.perf_counter() - started
    # Loaded models are kept: their functions hold their variables weakly.
    loaded = [tf.saved_model.load(path) for path in (ours, theirs)]
    served = [each.signatures["serving_default"] for each in loaded]
    names = [next(iter(f.structured_input_signature[1])) for f in served]
    direct = tf.function(lambda x: model(x, training=False))
    rng = np.random.default_rng(0)
    results = []
    for size in batch_sizes:
        x = tf.constant(rng.random((size, *_SHAPES[network]), np.float32))
        servers = {
            "ewe_tf.export": lambda x=x: _answer(served[0](**{names[0]: x})),
            "model.export": lambda x=x: _answer(served[1](**{names[1]: x})),
            "model in a tf.function": lambda x=x: direct(x).numpy(),
        }
        times = interleaved(servers, repetitions, 1)
        for name, measured in times.items():
            wall = measured[:, 0]
            path = {"ewe_tf.export": ours, "model.export": theirs}.get(name)
            results.append(
                {
                    "network": network,
                    "batch_size": size,
                    "server": name,
                    "milliseconds": 1e3 * float(np.median(wall)),
                    "milliseconds_95": 1e3 * float(np.quantile(wall, 0.95)),
                    "of_model_export": float(np.median(wall / times["model.export"][:, 0])),
                    "export_seconds": seconds.get(name),
                    "megabytes": _megabytes(path) if path else None,
                    "repetitions": repetitions,
                }
            )
    return results


def _answer(outputs):
    return next(iter(outputs.values())).numpy()


def _megabytes(folder):
    return sum(f.stat().st_size for f in pathlib.Path(folder).rglob("*") if f.is_file()) / 2**20


def define_flags():
    """The flags of this program."""
    flags.DEFINE_multi_enum(
        "network", ["small_cnn", "resnet8"], list(_SHAPES), "Architectures; may be repeated."
    )
    flags.DEFINE_multi_integer("batch_size", [1, 128], "Rows of a request.")
    flags.DEFINE_integer("repetitions", 100, "Requests of each.", lower_bound=1)
    flags.DEFINE_string("output", None, "A JSON file to write the results to.")


def main(_):
    # TensorFlow tells about every file that it saves.
    logging.set_verbosity(logging.ERROR)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for network in FLAGS.network:
            results += measure(network, FLAGS.batch_size, FLAGS.repetitions, folder)
    columns = {
        "network": "network",
        "batch": "batch_size",
        "server": "server",
        "ms": ("milliseconds", 2),
        "95 %": ("milliseconds_95", 2),
        "of model.export": ("of_model_export", 2),
        "export s": ("export_seconds", 1),
        "MB": ("megabytes", 2),
    }
    _output.finish(results, columns)


if __name__ == "__main__":
    define_flags()
    app.run(main)
