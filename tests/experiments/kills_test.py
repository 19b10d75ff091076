"""A real grid that is killed ten times; the toy one of `stages_test` runs by default."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
def test_a_killed_grid_ends_like_one_that_was_left_alone(tmp_path):
    command = [sys.executable, "-m", "experiments.kills", "--kills=10", f"--output={tmp_path}"]
    run = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "FAILS" not in run.stdout
