"""MEA-Defender under a MirroredStrategy on two logical CPUs."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found():
    program = pathlib.Path(__file__).with_name("two_replicas_of_composites.py")
    root = str(program.parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("mode", ["explicit", "mgda"])
def test_a_step_on_two_replicas_is_the_mean_of_steps_on_their_blocks(found, mode):
    two, blocks = found["steps"][mode]["two"], found["steps"][mode]["blocks"]
    for i, weights in enumerate(two["weights"]):
        mean = np.mean([block["weights"][i] for block in blocks], axis=0)
        np.testing.assert_allclose(weights, mean, rtol=1e-4, atol=1e-5)
    assert two["loss"] == pytest.approx(np.mean([b["loss"] for b in blocks]), rel=1e-4)


def test_released_weights_are_finite(found):
    assert np.isfinite(found["steps"]["released"]["two"]["loss"])


def test_the_whole_road(found):
    assert found["whole_road"]["accuracy"] > 0.9 and found["whole_road"]["held_out"] > 0.6
