"""Stages as tasks of a real Ray cluster on this machine; needs the extra `ray`."""

import importlib.util
import pathlib
import subprocess
import sys
import time

import pytest

from experiments.cache import Cache
from experiments.progress import Progress
from experiments.ray_tasks import RayTasks
from experiments.stages import Failure
from experiments.stages import Stage
from experiments.stages import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra `ray`"),
]

# Ray's own workers take the ports from 10002 on.
PORT = 6399


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a cluster of two cores that lives as long as the tests."""
    script = pathlib.Path(sys.executable).with_name("ray")
    where = ["--head", "--node-ip-address=127.0.0.1", f"--port={PORT}", "--num-cpus=2"]
    more = ["--include-dashboard=false", "--disable-usage-stats", "--object-store-memory=80000000"]
    path = tmp_path_factory.mktemp("ray") / "log"
    with open(path, "w") as log:
        head = subprocess.Popen(
            [script, "start", *where, *more, "--block"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 120
    while "Ray runtime started" not in path.read_text() and time.monotonic() < deadline:
        assert head.poll() is None, path.read_text()
        time.sleep(0.5)
    yield f"127.0.0.1:{PORT}"
    head.terminate()
    head.wait()


@pytest.fixture
def executor(cluster, cache, toy):
    return RayTasks(cache, cluster)


def test_a_grid_runs_as_tasks_over_the_same_cache(toy, cache, tmp_path, executor):
    from toy_grid import grid

    targets = grid(str(tmp_path / "journal"))
    assert executor.capacity == 2
    outcomes = run(targets, cache, executor=executor, progress=Progress(quiet=True))
    local = Cache(tmp_path / "local")
    expected = run(targets, local, progress=Progress(quiet=True))
    assert len(outcomes) == len(expected) == 28
    for stage, result in expected.items():
        assert outcomes[stage].value == result.value
    assert [run([t], cache, progress=Progress(quiet=True))[t].value for t in targets[:2]] == [
        expected[t].value for t in targets[:2]
    ]


def test_errors_and_lost_tasks_are_failures_and_do_not_stop_the_others(
    toy, cache, tmp_path, executor
):
    journal = {"journal": str(tmp_path / "journal")}
    broken = Stage(toy.fail, {**journal, "message": "no luck"})
    dying = Stage(toy.die, journal)
    fine = [Stage(toy.number, {**journal, "seed": seed}) for seed in range(4)]
    outcomes = run([broken, dying, *fine], cache, executor=executor, progress=Progress(quiet=True))
    assert outcomes[broken].error == "RuntimeError: no luck"
    assert isinstance(outcomes[dying], Failure) and "was lost" in outcomes[dying].error
    assert cache.failure(dying.key)["error"] == outcomes[dying].error
    assert all(outcomes[stage].value["count"] == 5 for stage in fine)


def test_no_cluster_is_said_before_anything_runs(cache):
    with pytest.raises(ConnectionError, match="no Ray cluster at '127.0.0.1:1'.*ray start"):
        RayTasks(cache, "127.0.0.1:1")
