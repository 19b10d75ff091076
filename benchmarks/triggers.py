"""How long trigger generation takes.

python -m benchmarks.triggers --output=triggers.json

On the published two-conv net, for as many keys as asked and 65 gradient steps on each (the largest
number that the published algorithm takes): EWE's ascent with its default layer, the same with the
three published layers, and the published alternating steps at a half-batch of 256, on a model
that always answers with the target, so that no step away is saved. Each is one compiled graph
over all batches; the first call traces it.
"""

import time

import keras
import numpy as np
from absl import app
from absl import flags

import ewe_tf
from benchmarks import _output
from benchmarks._images import learnable
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


def rules():
    """Dict from a name to a function without arguments that makes the rule anew."""
    model = models.build("two_conv", _SHAPE, 10, seed=0)
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
            classifier, names, patch, ascent, images, images, _TARGET, distance, _RANGE
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


def measure(keys, repetitions):
    """One result (dict) for each rule: seconds of making rule and triggers from the beginning."""
    images, _ = learnable(keys, _SHAPE, seed=1)
    results = []
    for name, make in rules().items():
        seconds = []
        for _ in range(repetitions):
            keras.backend.clear_session()
            started = time.perf_counter()
            triggers = make().apply(images)
            seconds.append(time.perf_counter() - started)
        assert triggers.shape == images.shape
        results.append(
            {
                "rule": name,
                "keys": keys,
                "steps": _STEPS,
                "repetitions": repetitions,
                "seconds": float(np.median(seconds)),
                "seconds_worst": float(np.max(seconds)),
            }
        )
    return results


def define_flags():
    """The flags of this program."""
    flags.DEFINE_integer("keys", 500, "Triggers to make.", lower_bound=1)
    flags.DEFINE_integer("repetitions", 5, "Times each is made.", lower_bound=1)
    flags.DEFINE_string("output", None, "A JSON file to write the results to.")


def main(_):
    columns = {
        "rule": lambda entry: entry["rule"],
        "keys": lambda entry: str(entry["keys"]),
        "steps": lambda entry: str(entry["steps"]),
        "s": _output.numbers("seconds", 2),
        "worst": _output.numbers("seconds_worst", 2),
    }
    _output.finish(measure(FLAGS.keys, FLAGS.repetitions), columns)


if __name__ == "__main__":
    define_flags()
    app.run(main)
