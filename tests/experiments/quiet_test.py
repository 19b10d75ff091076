"""The quiet import, with a stand-in for TensorFlow that talks as it does."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SAID = "I0000 port.cc:153] oneDNN custom operations are on. You may see\\nsomething new\\n"


def _import_experiments(folder, tensorflow, **environment):
    (folder / "tensorflow.py").write_text(tensorflow)
    environment = {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", **environment}
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", "import os, experiments; os.write(2, b'after\\n')"],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**inherited, **environment},
    )


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({}, ["something new", "after"]),
        ({"TF_CPP_MIN_LOG_LEVEL": "2"}, ["something new", "after"]),
        ({"TF_CPP_MIN_LOG_LEVEL": "0"}, ["after"]),
    ],
)
def test_only_known_lines_are_held_back(tmp_path, environment, expected):
    run = _import_experiments(tmp_path, f"import os; os.write(2, b'{SAID}')", **environment)
    assert run.returncode == 0
    assert run.stderr.splitlines() == expected


def test_a_failing_import_is_heard(tmp_path):
    text = f"import os; os.write(2, b'{SAID}'); raise ImportError('no such library')"
    run = _import_experiments(tmp_path, text)
    assert run.returncode == 1
    assert "something new" in run.stderr.splitlines()
    assert "ImportError: no such library" in run.stderr
    assert not [line for line in run.stderr.splitlines() if line.startswith("I0000")]
