"""What marks in the answers cost a server: latency and size against the undefended export.

python -m benchmarks.dynamarks_serving
python -m benchmarks.dynamarks_serving --models=mobilenet_v2 --calls=50
"""

import json
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

import ewe_tf

SHAPES = {
    "small_cnn": ((28, 28, 1), 10),
    "resnet8": ((32, 32, 3), 10),
    "mobilenet_v2": ((224, 224, 3), 1000),
}
SCHEMES = {
    "static": {},
    "dynamic": {"carrier": "dynamic"},
    "static and hard channel": {"hard_rate": 0.5},
}

FLAGS = flags.FLAGS
flags.DEFINE_list("models", ["small_cnn", "resnet8", "mobilenet_v2"], "Any of these.")
flags.DEFINE_list("schemes", list(SCHEMES), "Any of these.")
flags.DEFINE_list("batches", ["1", "128"], "Rows of a request.")
flags.DEFINE_integer("calls", 200, "Timed requests for each model.", lower_bound=3)
flags.DEFINE_string("output", None, "File for the JSON lines, if any.")


def build(name):
    """A classifier with random weights: speed and size do not depend on them."""
    shape, classes = SHAPES[name]
    if name == "mobilenet_v2":
        return keras.applications.MobileNetV2(shape, weights=None, classes=classes)
    return ewe_tf.models.build(name, shape, classes, seed=0)


def size(folder):
    """Bytes of all files."""
    return sum(f.stat().st_size for f in pathlib.Path(folder).rglob("*") if f.is_file())


def latencies(folders, rows, calls):
    """Milliseconds of each call of `serving_default`, the servers taking turns."""
    servers = [tf.saved_model.load(folder) for folder in folders]
    times = [[] for _ in servers]
    for call in range(calls + 3):
        # Nobody is always first.
        for i in np.roll(np.arange(len(servers)), call):
            started = time.perf_counter()
            servers[i].signatures["serving_default"](inputs=rows)["probabilities"].numpy()
            times[i].append(1000 * (time.perf_counter() - started))
    return [t[3:] for t in times]


def measure(name, scheme, temporary):
    """Records of one model under one scheme, one for each batch size."""
    model = build(name)
    shape, _ = SHAPES[name]
    rng = np.random.default_rng(0)
    probes = rng.random((8, *shape), np.float32)
    defended = ewe_tf.DynaMarks(**SCHEMES[scheme]).wrap(model, probes, seed=0)
    folders = [
        ewe_tf.export(m, f"{temporary}/{name}_{scheme.replace(' ', '_')}_{which}")
        for which, m in (("plain", model), ("defended", defended.model))
    ]
    sizes = [size(folder) for folder in folders]
    for batch in map(int, FLAGS.batches):
        rows = tf.constant(rng.random((batch, *shape), np.float32))
        calls = max(3, FLAGS.calls // (20 if name == "mobilenet_v2" else 1))
        plain, marked = latencies(folders, rows, calls)
        # Pairs of neighbouring calls share whatever else the machine is doing.
        ratios = [m / p for m, p in zip(marked, plain, strict=True)]
        yield {
            "model": name,
            "scheme": scheme,
            "batch": batch,
            "plain_ms": statistics.median(plain),
            "defended_ms": statistics.median(marked),
            "ratio": statistics.median(ratios),
            "plain_bytes": sizes[0],
            "size_ratio": sizes[1] / sizes[0],
        }


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    logging.set_verbosity(logging.ERROR)
    print(f"{'model':<14}{'scheme':<26}{'batch':>5}{'plain ms':>10}{'defended':>10}{'ratio':>7}"
          f"{'size':>12}{'ratio':>7}")  # fmt: skip
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in FLAGS.models:
            for scheme in FLAGS.schemes:
                for r in measure(name, scheme, temporary):
                    lines.append(json.dumps(r))
                    print(
                        f"{name:<14}{scheme:<26}{r['batch']:>5}{r['plain_ms']:>10.2f}"
                        f"{r['defended_ms']:>10.2f}{r['ratio']:>7.2f}{r['plain_bytes']:>12}"
                        f"{r['size_ratio']:>7.3f}",
                        flush=True,
                    )
    if FLAGS.output:
        pathlib.Path(FLAGS.output).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    app.run(main)
