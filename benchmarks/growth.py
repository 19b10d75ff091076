"""How cost grows: with rows, features, layers and keys.

python -m benchmarks.growth --output=growth.json --plot=growth.svg

Every curve has medians of interleaved measurements on synthetic images, and for each contestant
the exponent of the power law through its last two points: 1 is proportional. What starts with
tracing (whole trainings, trigger generation) includes it. Seconds are those of the processor, all
threads together, which depend less on what else the machine does.
"""

import itertools
import math

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

from benchmarks import _children
from benchmarks import _output
from benchmarks._images import learnable
from benchmarks._timing import interleaved
from benchmarks.step import steps
from benchmarks.triggers import rules
from benchmarks.verification import tasks
from ewe_tf.losses import soft_nearest_neighbor_loss

FLAGS = flags.FLAGS

_SHAPE = (28, 28, 1)
_STEPS = {"plain": "plain, same rows", "EWE": "EWE", "published": "published"}


def _steps(network, batch_size, layers=None):
    contestants = steps(network, batch_size, _SHAPE, layers)
    return {name: contestants[key][1] for key, name in _STEPS.items()}


def by_batch_size(batch_size):
    """Steps of the two-conv net."""
    return _steps("two_conv", batch_size)


def by_layers(count):
    """Steps of the two-conv net with its last `count` layers entangled."""
    return _steps("two_conv", 128, ("conv1", "conv2", "features")[-count:])


def by_features(count):
    """The SNNL and its gradient, of EWE's 32 rows and of a published batch of 512."""
    return {f"{rows} rows": _snnl(rows, count) for rows in (32, 512)}


def by_snnl_rows(count):
    """The SNNL and its gradient for 128 features."""
    return {"128 features": _snnl(count, 128)}


def _snnl(rows, features):
    x = tf.constant(np.random.default_rng(0).random((rows, features), np.float32))
    groups = tf.constant(np.arange(rows) % 2)

    @tf.function
    def both():
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = soft_nearest_neighbor_loss(x, groups, 1.0)
        return tape.gradient(value, x)

    return lambda: both().numpy()


def by_keys_made(count):
    """Trigger generation by 65 steps; the rule is made anew each time."""
    images, _ = learnable(count, _SHAPE)
    name = "EWE, last hidden layer"
    return {name: lambda: rules()[name]().apply(images)}


def by_keys_asked(count):
    """Verdicts that ask every key."""
    chosen = ("answers alone", "innocent, sequential")
    return {name: task for name, task in tasks(count).items() if name in chosen}


def by_task_rows(rows):
    """Whole trainings, 4 + 2 epochs of the small net, each in a new process."""
    settings = {"network": "small_cnn", "rows": rows, "epochs": 4, "further_epochs": 2}

    def train(name):
        asked = {"contestant": name, "batch_size": 128, **settings}
        return _children.ask("benchmarks._whole_fit", asked)["processor_seconds"]

    return {name: lambda name=name: train(name) for name in ("plain", "EWE")}


# What is measured, over which numbers, and the words on the plot.
CURVES = {
    "batch size": (by_batch_size, (64, 128, 256, 512), "step, task rows"),
    "layers": (by_layers, (1, 2, 3), "step, entangled layers"),
    "features": (by_features, (128, 1024, 8192, 25088), "SNNL and gradient, features"),
    "SNNL rows": (by_snnl_rows, (32, 128, 512, 1024), "SNNL and gradient, rows"),
    "keys made": (by_keys_made, (64, 128, 256, 512), "trigger generation, keys"),
    "keys asked": (by_keys_asked, (50, 100, 200, 400), "verdict, keys"),
    "task rows": (by_task_rows, (2500, 5000, 10000, 20000), "whole training, rows of the task"),
}


def measure(names, repetitions):
    """One result (dict) for each curve, contestant and point."""
    results = []
    for name in names:
        contestants_at, points, _ = CURVES[name]
        for point in points:
            print(f"{name}: {point} ...", flush=True)
            if contestants_at is by_task_rows:
                runs = contestants_at(point)
                seconds = {n: [run() for _ in range(repetitions)] for n, run in runs.items()}
            else:
                timed = interleaved(contestants_at(point), repetitions, 1)
                seconds = {n: rows[:, 1] for n, rows in timed.items()}
            for contestant, values in seconds.items():
                entry = {"curve": name, "contestant": contestant, "at": point}
                results.append({**entry, "seconds": float(np.median(values))})
    return results


def lines(results):
    """Dict from (curve, contestant) to its points `[(at, seconds), ...]`."""
    found = {}
    for entry in results:
        at = found.setdefault((entry["curve"], entry["contestant"]), [])
        at.append((entry["at"], entry["seconds"]))
    return found


def exponent(points):
    """Of the power law through the last two points."""
    (x1, y1), (x2, y2) = points[-2:]
    return math.log(y2 / y1) / math.log(x2 / x1)


def plot(results, path):
    """Writes a panel for each curve, both axes logarithmic."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from matplotlib import ticker

    matplotlib.rcParams["svg.fonttype"] = "none"

    names = list(dict.fromkeys(entry["curve"] for entry in results))
    across = min(3, len(names))
    figure, axes = pyplot.subplots(
        -(-len(names) // across), across, figsize=(3.6 * across, 3.2 * -(-len(names) // across)),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for axis in axes.flat[len(names) :]:
        axis.remove()
    for name, axis in zip(names, axes.flat, strict=False):
        markers = itertools.cycle("os^dv")
        for (curve, contestant), points in lines(results).items():
            if curve == name:
                words = f"{contestant} ({exponent(points):.1f})"
                axis.plot(*zip(*points, strict=True), marker=next(markers), label=words)
        ticks = CURVES[name][1]
        axis.set(xscale="log", yscale="log", xticks=ticks, xticklabels=ticks)
        axis.set(title=CURVES[name][2], ylabel="processor seconds")
        axis.minorticks_off()
        low, high = axis.get_ylim()
        axis.set_ylim(low / 1.5, high * 1.5)
        axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8, title="(exponent)", title_fontsize=7)
    figure.savefig(path, dpi=120)


def define_flags():
    """The flags of this program."""
    flags.DEFINE_string("plot", None, "A picture of the curves to write, .svg or .png.")
    flags.DEFINE_integer("repetitions", 3, "Measurements of each.", lower_bound=1)
    flags.DEFINE_list("curves", ["all"], "Curves to measure.")
    flags.DEFINE_string("output", None, "A JSON file to write the results to.")


def main(_):
    # Each network is a new graph on purpose, which TensorFlow warns of.
    tf.get_logger().setLevel("ERROR")
    names = list(CURVES) if FLAGS.curves == ["all"] else FLAGS.curves
    if unknown := set(names) - set(CURVES):
        raise app.UsageError(f"--curves must be all, or some of {list(CURVES)}: not {unknown}")
    results = measure(names, FLAGS.repetitions)
    if FLAGS.plot:
        plot(results, FLAGS.plot)
    found = [
        {
            "curve": curve,
            "words": CURVES[curve][2],
            "contestant": contestant,
            "points": points,
            "seconds": ", ".join(f"{x}: {y:.3g}" for x, y in points),
            "exponent": exponent(points),
        }
        for (curve, contestant), points in lines(results).items()
    ]
    columns = {"curve": "words", "contestant": "contestant", "seconds": "seconds"}
    _output.finish(found, {**columns, "exponent": ("exponent", 2)})


if __name__ == "__main__":
    define_flags()
    app.run(main)
