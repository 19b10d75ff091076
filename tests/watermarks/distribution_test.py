"""Entangled training under a MirroredStrategy on two logical CPUs."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def found():
    program = pathlib.Path(__file__).with_name("two_replicas.py")
    root = str(program.parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("name", "targets"), [("all", 4), ("no targets", 0)])
def test_each_replica_has_its_own_task_trigger_and_target_rows(found, name, targets):
    seen = []
    for block in found["rows_of_each_replica"][name]:
        x, y = np.array(block["x"]), np.array(block["y"])
        assert len(x) == 16 + targets
        task, triggers, rest = x[:12], x[12:16], x[16:]
        assert task.max() < 96 and triggers.min() >= 1000
        np.testing.assert_array_equal(y[:12], task % 3)
        assert np.all(y[12:] == 1) and np.all(rest % 3 == 1) and np.all(rest < 96)
        seen += [*task, *triggers]
    assert len(set(seen)) == 2 * 16


def test_a_step_on_two_replicas_is_a_step_on_one(found):
    one, two = (found["the_same_step"][n] for n in ("one", "two"))
    for a, b in zip(one["weights"], two["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert two["accuracy"] == pytest.approx(one["accuracy"])


def test_the_whole_road(found):
    road = found["whole_road"]
    assert road["accuracy"] > 0.9 and road["held_out"] > 0.8
    assert road["val_loss"][-1] == pytest.approx(road["evaluated"], rel=1e-4)
    assert {"accuracy", "loss", "snnl", "trigger_accuracy"} == set(road["again"])
