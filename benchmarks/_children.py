"""Measurements in new processes, which nothing that was measured before has warmed or filled."""

import json
import os
import subprocess
import sys


def ask(module, arguments):
    """The JSON that `python -m MODULE ARGUMENTS-AS-JSON` prints last.

    Raises:
        RuntimeError: if the process fails, with the end of what it said.
    """
    return json.loads(output([sys.executable, "-m", module, json.dumps(arguments)])[-1])


def output(command):
    """Lines that a command prints, with this process's packages on its path."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return done.stdout.splitlines()
