"""How long trigger generation takes.

python -m benchmarks.triggers --output=triggers.json

For as many keys as asked and 65 gradient steps on each (the largest number that the published
algorithm takes; EWE's own default is 20): EWE's ascent with its default layer, the same with the
three published layers, and the published alternating steps at a half-batch of 256, on a model
that always answers with the target, so that no step away is saved. Each is one compiled graph
over all batches, traced within the time.
"""

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

import ewe_tf
from benchmarks import _output
from benchmarks._images import learnable
from benchmarks._timing import interleaved
from ewe_tf import models
from ewe_tf.triggers import AlternatingSteps
from ewe_tf.triggers import GradientAscent
from ewe_tf.triggers import Patch
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.making import make_rule
from ewe_tf.watermarks.paper_rule import make_paper_rule
from ewe_tf.watermarks.paper_rule import weighted_layers

FLAGS = flags.FLAGS

_SHAPE, _TARGET, _RANGE, _STEPS = (28, 28, 1), 3, (0.0, 1.0), 65


def rules(network="two_conv"):
    """Dict from a name to a function without arguments that makes the rule anew."""
    model = models.build(network, _SHAPE, 10, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    *_, head = model.weights
    head.assign(100.0 * np.eye(10, dtype=np.float32)[_TARGET])
    classifier = Classifier.of(model)
    layers = weighted_layers(model)
    images, _ = learnable(1000, _SHAPE)
    patch = Patch().fitted(images, _RANGE)
    distance = ewe_tf.EWE().distance

    def bounded(names):
        ascent = GradientAscent(steps=_STEPS)
        return make_rule(
            classifier, names, None, patch, ascent, images, images, _TARGET, distance, _RANGE
        )

    def published():
        # 10 rounds of at most 50 steps away and 10 towards, and 5 steps away at the end.
        steps = AlternatingSteps()
        return make_paper_rule(
            classifier, layers, [1.0] * 3, patch, steps, images, images, _TARGET, distance, 256,
            _RANGE,
        )  # fmt: skip

    return {
        "EWE, last hidden layer": lambda: bounded(layers[-1:]),
        "EWE, three layers": lambda: bounded(layers),
        "published, three layers": published,
    }


def measure(network, keys, repetitions):
    """One result (dict) for each rule: seconds of making rule and triggers from the beginning."""
    images, _ = learnable(keys, _SHAPE, seed=1)
    contestants = {
        name: lambda make=make: make().apply(images) for name, make in rules(network).items()
    }
    results = []
    for name, measured in interleaved(contestants, repetitions, 1).items():
        wall, processor = np.median(measured, axis=0)
        results.append(
            {
                "network": network,
                "rule": name,
                "keys": keys,
                "steps": _STEPS,
                "repetitions": repetitions,
                "seconds": float(wall),
                "processor_seconds": float(processor),
            }
        )
    return results


def define_flags():
    """The flags of this program."""
    flags.DEFINE_multi_string(
        "network", ["small_cnn", "two_conv"], "Architectures of ewe_tf.models; may be repeated."
    )
    flags.DEFINE_integer("keys", 500, "Triggers to make.", lower_bound=1)
    flags.DEFINE_integer("repetitions", 3, "Times each is made.", lower_bound=1)
    flags.DEFINE_string("output", None, "A JSON file to write the results to.")


def main(_):
    # Every rule is a new graph on purpose, which TensorFlow warns of.
    tf.get_logger().setLevel("ERROR")
    results = [
        entry
        for network in FLAGS.network
        for entry in measure(network, FLAGS.keys, FLAGS.repetitions)
    ]
    columns = {
        "network": "network",
        "rule": "rule",
        "keys": "keys",
        "steps": "steps",
        "s": ("seconds", 2),
        "CPU s": ("processor_seconds", 2),
    }
    _output.finish(results, columns)


if __name__ == "__main__":
    define_flags()
    app.run(main)
