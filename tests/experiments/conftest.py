"""Stages that cost nothing, in a module that other processes find."""

import shutil
import sys

import pytest

from experiments import cache as cache_module
from experiments import fingerprint as fingerprint_module
from experiments import progress as progress_module
from experiments import stages as stages_module
from experiments import workers as workers_module
from experiments.cache import Cache

TOY = """
import os, time
import numpy as np

def journal(config, event):
    with open(config["journal"], "a") as file:
        file.write(event + "\\n")

def number(config, inputs, folder):
    journal(config, folder.name)
    time.sleep(config.get("sleep", 0))
    rows = np.random.default_rng(config["seed"]).random(5)
    np.savez(folder / "rows.npz", rows=rows)
    return {"sum": rows.sum(), "count": np.int64(5)}

def add(config, inputs, folder):
    journal(config, folder.name)
    time.sleep(config.get("sleep", 0))
    rows = sum(one.arrays("rows.npz")["rows"] for one in inputs.values()) * config["factor"]
    np.savez(folder / "rows.npz", rows=rows)
    return {"sum": float(rows.sum()), "inputs": [one.value["sum"] for one in inputs.values()]}

def fail(config, inputs, folder):
    journal(config, folder.name)
    (folder / "half.npz").write_bytes(b"half")
    raise RuntimeError(config["message"])

def die(config, inputs, folder):
    journal(config, folder.name)
    print("last words", flush=True)
    os.kill(os.getpid(), 9)

def not_json(config, inputs, folder):
    return {"value": config["nan"] and float("nan"), "object": object()}
"""

GRID = """
import toy_stages as toy
from experiments.stages import Stage

def grid(journal):
    common = {"journal": journal, "sleep": 0.08}
    targets = []
    for seed in range(4):
        victim = Stage(toy.number, {**common, "seed": seed})
        for kind in (1, 2):
            stolen = Stage(toy.add, {**common, "factor": kind}, {"victim": victim})
            for strength in (3, 5):
                pair = {"stolen": stolen, "victim": victim}
                targets.append(Stage(toy.add, {**common, "factor": strength}, pair))
    return targets
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The stage functions above, in a module that other processes find.

    They also find a copy of the runner there, without what the programs import with it: that
    takes longer than all the stages here.
    """
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "__init__.py").touch()
    runner = (
        cache_module, fingerprint_module, progress_module, stages_module, workers_module,
    )  # fmt: skip
    for module in runner:
        shutil.copy(module.__file__, tmp_path / "experiments")
    (tmp_path / "toy_stages.py").write_text(TOY)
    (tmp_path / "toy_grid.py").write_text(GRID)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("toy_stages", "toy_grid"):
        sys.modules.pop(name, None)
    import toy_stages

    return toy_stages


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")
