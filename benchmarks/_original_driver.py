"""Runs in the interpreter that the authors' code needs (Python 3.6 or newer, TensorFlow 1.14).

    INTERPRETER _original_driver.py CHECKOUT BATCH_SIZE

Builds the checkout's own two-conv network for MNIST (its `models.py`), then reads one word a line
and answers with one JSON line each, the seconds that the work took. No part of `ewe_tf` is
imported here, and nothing of the checkout is changed.
"""

import json
import os
import sys
import time

import numpy as np
import tensorflow as tf

_CLASSES, _TARGET, _STEP = 10, 7, 0.01
_FACTORS, _TEMPERATURES = [32.0, 32.0, 32.0], [1.0, 1.0, 1.0]


def main(checkout, batch_size):
    sys.path.insert(0, checkout)
    os.chdir(checkout)
    # Whatever the checkout prints must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    v1 = tf.compat.v1
    if hasattr(v1, "disable_eager_execution"):
        v1.disable_eager_execution()
    import models

    x = v1.placeholder(tf.float32, [batch_size, 28, 28, 1])
    y = v1.placeholder(tf.float32, [batch_size, _CLASSES])
    w = v1.placeholder(tf.float32, [batch_size])
    t = v1.placeholder(tf.float32, [3])
    training = v1.placeholder(tf.float32)
    model = models.EWE_2_conv(
        x, y, w, batch_size, _CLASSES, 1e-3, _FACTORS, t, _TARGET, training, "cosine"
    )
    session = v1.Session()
    session.run(v1.global_variables_initializer())

    rng = np.random.RandomState(0)
    images = rng.rand(batch_size, 28, 28, 1).astype("float32")
    half = batch_size // 2
    groups = np.repeat([1.0, 0.0], half)
    common = {x: images, y: np.eye(_CLASSES)[rng.randint(_CLASSES, size=batch_size)]}
    common.update({t: _TEMPERATURES, training: 1})

    def normal():
        session.run(model.optimize, _with(common, w, 0 * groups))

    def watermark():
        session.run(model.optimize, _with(common, w, groups))

    def triggers():
        """65 steps on one half-batch of triggers, as its program makes them."""
        rows = images[:half]
        partners = images[half:]
        fed = {w: groups, t: _TEMPERATURES, training: 0}
        for step in range(65):
            # 50 steps away in the first round, each after a look at the rate; then 10 towards
            # the target's representations, then 5 away.
            away = step < 50 or step >= 60
            if step < 50:
                twice = np.concatenate([rows, rows])
                session.run(model.error, {x: twice, y: common[y], training: 0})
            objective, sign = (model.ce_trigger, -1) if away else (model.snnl_trigger, 1)
            other = rows if away else partners
            gradient = session.run(objective, _with(fed, x, np.concatenate([rows, other])))[0]
            rows = np.clip(rows + sign * _STEP * np.sign(gradient[:half]), 0, 1)

    work = {"normal": normal, "watermark": watermark, "triggers": triggers}
    answers.write(json.dumps({"tensorflow": tf.__version__, "python": sys.version.split()[0]}))
    answers.write("\n")
    answers.flush()
    for line in sys.stdin:
        started = time.perf_counter()
        work[line.strip()]()
        answers.write(json.dumps(time.perf_counter() - started) + "\n")
        answers.flush()


def _with(fed, key, value):
    fed = dict(fed)
    fed[key] = value
    return fed


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), int(sys.argv[2]))
