"""What a watermark costs in a training step.

python -m benchmarks.step --output=step.json

In turn, for each network and batch size: Keras' own train step with as many rows as EWE's and
with the task's rows alone; EWE's step with its default settings (task rows, triggers, target rows
and hull rows in one batch); the published step (`EWE.paper()`: SNNL of the whole batch at up to
three layers, whatever the batch holds); and a published pair of steps, normal and watermark, which
is what a batch of task rows takes there at a ratio of 1. Ratios are medians over the rounds, of
wall-clock time; those of processor time are beside them in the file, and depend less on what else
the machine does.
"""

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

import ewe_tf
from benchmarks import _output
from benchmarks._timing import interleaved
from ewe_tf import models
from ewe_tf.watermarks.alternating import AlternatingTrainer
from ewe_tf.watermarks.batches import Layout
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.paper_rule import weighted_layers
from ewe_tf.watermarks.trainer import EntangledTrainer
from ewe_tf.watermarks.trainer import Weights

FLAGS = flags.FLAGS

_CLASSES = 10


def steps(network, batch_size, input_shape, layers=None):
    """The contestants: dict from name to `(rows, function that makes one step)`.

    Args:
        network: an architecture of `ewe_tf.models`.
        batch_size: task rows of a step.
        input_shape: height, width, channels.
        layers: names of the layers that both schemes entangle; `None` for the default of each.
    """
    scheme, paper = ewe_tf.EWE(), ewe_tf.EWE.paper()
    layout = Layout(batch_size, scheme.rows, scheme.rows, scheme.rows)
    # Hull rows are made within the step.
    rows = layout.rows + scheme.rows

    def entangled(classifier):
        weights = Weights(
            scheme.trigger_weight,
            scheme.hull_weight,
            scheme.snnl_weight,
            scheme.hull_share,
            scheme.control_weight,
        )
        return EntangledTrainer(
            classifier,
            classifier.layer_names(layers),
            layout,
            weights,
            scheme.distance,
            True,
            seed=0,
        )

    def alternating(classifier):
        names = layers or weighted_layers(classifier.model)
        factors, temperatures = [paper.factors] * len(names), [paper.temperatures] * len(names)
        rate = paper.temperature_rate
        return AlternatingTrainer(classifier, names, factors, temperatures, rate, paper.distance)

    make = _maker(network, input_shape)
    halves = np.repeat([1, 0], batch_size // 2).astype(np.int32)
    published = make(alternating, *_weighted_batch(batch_size, input_shape), halves)

    def pair():
        # Both kinds of batch cost the same: a product decides which it is.
        published()
        published()

    return {
        "plain": (rows, make(None, *_batch(rows, input_shape))),
        "plain, task rows": (batch_size, make(None, *_batch(batch_size, input_shape))),
        "EWE": (rows, make(entangled, *_weighted_batch(layout.rows, input_shape))),
        "published": (batch_size, published),
        "published, pair": (2 * batch_size, pair),
    }


def _maker(network, input_shape):
    def make(trainer, *batch):
        model = models.build(network, input_shape, _CLASSES, seed=0)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        trained = model
        if trainer is not None:
            trained = trainer(Classifier.of(model))
            trained.compile(optimizer=model.optimizer, jit_compile=model.jit_compile)
        batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
        trained.make_train_function()

        def step():
            # Reading the loss waits for the step to be finished.
            return float(trained.train_function(batches)["loss"])

        return step

    return make


def _batch(rows, input_shape):
    rng = np.random.default_rng(0)
    return rng.random((rows, *input_shape), np.float32), rng.integers(_CLASSES, size=rows)


def _weighted_batch(rows, input_shape):
    x, y = _batch(rows, input_shape)
    return x, np.eye(_CLASSES, dtype=np.float32)[y], np.ones(rows, np.float32)


def measure(network, batch_size, input_shape, repetitions, calls):
    """Rows of the table (dicts) for one network and batch size."""
    contestants = steps(network, batch_size, input_shape)
    calls_of = {name: step for name, (_, step) in contestants.items()}
    seconds = interleaved(calls_of, repetitions, calls)
    results = []
    for name, (rows, _) in contestants.items():
        wall, processor = np.median(seconds[name], axis=0)
        entry = {
            "network": network,
            "batch_size": batch_size,
            "input_shape": input_shape,
            "step": name,
            "rows": rows,
            "milliseconds": round(1e3 * wall, 3),
            "processor_milliseconds": round(1e3 * processor, 3),
            "repetitions": repetitions,
        }
        for other in ("plain", "EWE"):
            ratio = np.median(seconds[name] / seconds[other], axis=0)
            entry[f"of_{other}"], entry[f"processor_of_{other}"] = np.round(ratio, 3).tolist()
        results.append(entry)
    return results


def define_flags():
    """The flags of this program."""
    flags.DEFINE_multi_string(
        "network", ["small_cnn", "two_conv"], "Architectures of ewe_tf.models; may be repeated."
    )
    flags.DEFINE_multi_integer(
        "batch_size", [128, 512], "Task rows of a step; may be repeated.", lower_bound=32
    )
    flags.DEFINE_list("input_shape", ["28", "28", "1"], "Height, width, channels.")
    flags.DEFINE_integer("repetitions", 15, "Measurements of each.", lower_bound=1)
    flags.DEFINE_integer("calls", 3, "Steps that one measurement takes.", lower_bound=1)
    flags.DEFINE_string("output", None, "A JSON file to write the results to.")


def main(_):
    # Each network is a new graph on purpose, which TensorFlow warns of.
    tf.get_logger().setLevel("ERROR")
    shape = tuple(int(side) for side in FLAGS.input_shape)
    results = []
    for network in FLAGS.network:
        for batch_size in FLAGS.batch_size:
            print(f"{network}, batch size {batch_size} ...", flush=True)
            results += measure(network, batch_size, shape, FLAGS.repetitions, FLAGS.calls)
    columns = {
        "network": "network",
        "batch": "batch_size",
        "step": "step",
        "rows": "rows",
        "ms": ("milliseconds", 1),
        "of plain": ("of_plain", 2),
        "of EWE": ("of_EWE", 2),
        "CPU ms": ("processor_milliseconds", 1),
        "CPU of plain": ("processor_of_plain", 2),
        "CPU of EWE": ("processor_of_EWE", 2),
    }
    _output.finish(results, columns)


if __name__ == "__main__":
    define_flags()
    app.run(main)
