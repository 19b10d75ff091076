"""One whole training in a process of its own: `python -m benchmarks._whole_fit '{...}'`.

Prints seconds and memory of the training alone as JSON: imports, data and the model come before.
"""

import json
import sys
import time

import numpy as np

import ewe_tf
from benchmarks._images import learnable
from ewe_tf import models

_SHAPE, _TARGET = (28, 28, 1), 3
_OPTIMIZER, _LOSS = "adam", "sparse_categorical_crossentropy"


def train(contestant, network, rows, epochs, further_epochs, batch_size):
    """Trains; returns a dict of seconds and of megabytes."""
    x, y = learnable(rows, _SHAPE)
    source = learnable(6000, _SHAPE, seed=1)
    model = models.build(network, _SHAPE, 10, seed=0)
    model.compile(_OPTIMIZER, _LOSS, metrics=["accuracy"])
    if contestant == "plain, rows of EWE":
        x, y = _as_many_rows(x, y, epochs, further_epochs, batch_size)
    arguments = {"batch_size": batch_size, "verbose": 0}
    others = source[0][source[1] == 0]
    schemes = {
        "EWE": {"source": others, "target": _TARGET, "innocents": 0, "rehearsal": False},
        "EWE, in-house models": {"source": source},
    }
    before = _forget_peak()
    wall, processor = time.perf_counter(), time.process_time()
    if contestant.startswith("plain"):
        model.fit(x, y, epochs=epochs + further_epochs, **arguments)
    else:
        if contestant == "published":
            scheme = ewe_tf.EWE.paper(source=others, target=_TARGET, epochs=further_epochs)
        else:
            scheme = ewe_tf.EWE(epochs=further_epochs, **schemes[contestant])
        ewe_tf.fit(model, x, y, watermark=scheme, epochs=epochs, seed=0, **arguments)
    return {
        "seconds": time.perf_counter() - wall,
        "processor_seconds": time.process_time() - processor,
        "megabytes_before": before,
        "megabytes_peak": _status("VmHWM"),
    }


def _as_many_rows(x, y, epochs, further_epochs, batch_size):
    """Data of which `epochs + further_epochs` passes are the rows that EWE sees, all kinds."""
    added = 4 * ewe_tf.EWE().rows / batch_size
    rows = len(x) * (epochs + further_epochs * (1 + added)) / (epochs + further_epochs)
    which = np.resize(np.arange(len(x)), round(rows))
    return x[which], y[which]


def _forget_peak():
    """Resident megabytes, from which on the peak is counted."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return _status("VmRSS")


def _status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024


if __name__ == "__main__":
    print(json.dumps(train(**json.loads(sys.argv[1]))))
