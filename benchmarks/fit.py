"""What a watermark costs over a whole training: time and memory.

python -m benchmarks.fit --output=fit.json

In turn, each in a process of its own, from the call of `fit` to its return, tracing included:

- plain: Keras' `fit`, as many epochs as EWE's two stages together, on the task's rows;
- plain, rows of EWE: the same with so many more rows that the network sees as many as in EWE, the
  watermark's rows counted too;
- EWE: `ewe_tf.fit` with a fixed class pair and without in-house models, all else by default;
- EWE, in-house models: by default, with the innocent models and the surrogates that choose pair and
  keys. They are models of the same kind as the victim, trained as long as its task, so they cost
  what as many plain trainings cost;
- published: `EWE.paper()` with as many epochs of both stages.

Ratios are medians over the rounds. Peak memory is that of the whole process while it trains; what
training adds to what the process held before (interpreter, libraries, data) stands beside it.
"""

import numpy as np
from absl import app
from absl import flags

from benchmarks import _children
from benchmarks import _output

FLAGS = flags.FLAGS

_ALWAYS = ("plain", "plain, rows of EWE", "EWE")
_ONCE = ("EWE, in-house models", "published")


def measure(settings, repetitions, once):
    """One result (dict) for each contestant.

    Args:
        settings: arguments of `benchmarks._whole_fit.train` but the contestant.
        repetitions: rounds through all contestants.
        once: contestants that are measured in the first round alone.
    """
    rounds = []
    for number in range(repetitions):
        names = [*_ALWAYS, *(once if number == 0 else ())]
        rounds.append({})
        for name in names[:: 1 if number % 2 == 0 else -1]:
            print(f"Round {number + 1}: {name} ...", flush=True)
            rounds[-1][name] = _children.ask(
                "benchmarks._whole_fit", {"contestant": name, **settings}
            )
    return [_result(name, rounds, settings) for name in (*_ALWAYS, *once)]


def _result(name, rounds, settings):
    found = [one for one in rounds if name in one]

    def median(value):
        return round(float(np.median([value(one) for one in found])), 3)

    def ratio(key, other):
        return median(lambda one: one[name][key] / one[other][key])

    def added(one, which):
        return one[which]["megabytes_peak"] - one[which]["megabytes_before"]

    return {
        "training": name,
        **settings,
        "rounds": len(found),
        **{key: median(lambda one, key=key: one[name][key]) for key in found[0][name]},
        "of_plain": ratio("seconds", "plain"),
        "of_plain_rows_of_EWE": ratio("seconds", "plain, rows of EWE"),
        "processor_of_plain": ratio("processor_seconds", "plain"),
        "processor_of_plain_rows_of_EWE": ratio("processor_seconds", "plain, rows of EWE"),
        "peak_of_plain": ratio("megabytes_peak", "plain"),
        "megabytes_added": median(lambda one: added(one, name)),
        "added_of_plain": median(lambda one: added(one, name) / added(one, "plain")),
    }


def define_flags():
    """The flags of this program."""
    flags.DEFINE_string("network", "small_cnn", "An architecture of ewe_tf.models.")
    flags.DEFINE_integer("rows", 20_000, "Rows of the task's data.", lower_bound=1000)
    flags.DEFINE_integer("epochs", 10, "Epochs of task training.", lower_bound=1)
    flags.DEFINE_integer("further_epochs", 5, "Epochs of the mark.", lower_bound=1)
    flags.DEFINE_integer("batch_size", 128, "Task rows of a step.", lower_bound=32)
    flags.DEFINE_integer("repetitions", 3, "Rounds.", lower_bound=1)
    flags.DEFINE_bool("long", True, f"Also, once each: {'; '.join(_ONCE)}.")
    flags.DEFINE_string("output", None, "A JSON file to write the results to.")


def main(_):
    settings = {
        "network": FLAGS.network,
        "rows": FLAGS.rows,
        "epochs": FLAGS.epochs,
        "further_epochs": FLAGS.further_epochs,
        "batch_size": FLAGS.batch_size,
    }
    results = measure(settings, FLAGS.repetitions, _ONCE if FLAGS.long else ())
    columns = {
        "training": "training",
        "rounds": "rounds",
        "s": ("seconds", 1),
        "of plain": ("of_plain", 2),
        "of plain, rows of EWE": ("of_plain_rows_of_EWE", 2),
        "CPU s": ("processor_seconds", 1),
        "CPU of plain": ("processor_of_plain", 2),
        "peak MB": ("megabytes_peak", 0),
        "peak of plain": ("peak_of_plain", 2),
        "added MB": ("megabytes_added", 0),
        "added of plain": ("added_of_plain", 2),
    }
    _output.finish(results, columns)


if __name__ == "__main__":
    define_flags()
    app.run(main)
