import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from ewe_tf import versions as versions_module
from experiments import fingerprint
from experiments.cache import Cache
from experiments.progress import Progress
from experiments.progress import Times
from experiments.progress import clock
from experiments.progress import overview
from experiments.stages import Failure
from experiments.stages import Stage
from experiments.stages import run

DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from experiments.cache import Cache
from experiments.progress import Progress
from experiments.stages import run
from toy_grid import grid
outcomes = run(grid(sys.argv[3]), Cache(sys.argv[2]), jobs=2, progress=Progress(quiet=True))
assert not any(hasattr(one, "error") for one in outcomes.values())
"""


@pytest.fixture
def quiet():
    return Progress(stream=io.StringIO())


def common(tmp_path, **more):
    return {"journal": str(tmp_path / "journal"), **more}


def starts(tmp_path):
    path = tmp_path / "journal"
    return path.read_text().split() if path.exists() else []


def finished(root):
    return {path.parent.name: path.stat().st_ino for path in root.glob("*/result.json")}


def contents(root):
    """What every finished stage holds, without how long it took and where it noted it."""
    found = {}
    for folder in (path.parent for path in root.glob("*/result.json")):
        stored = json.loads((folder / "result.json").read_text())
        with np.load(folder / "rows.npz") as arrays:
            found[folder.name] = stored["value"], arrays["rows"].tolist()
    return found


def test_value_files_and_inputs(toy, cache, tmp_path, quiet):
    left = Stage(toy.number, common(tmp_path, seed=1))
    right = Stage(toy.number, common(tmp_path, seed=2))
    both = Stage(toy.add, common(tmp_path, factor=10), {"left": left, "right": right})
    outcomes = run([both], cache, progress=quiet)
    expected = [np.random.default_rng(seed).random(5) for seed in (1, 2)]
    np.testing.assert_allclose(outcomes[both].arrays("rows.npz")["rows"], 10 * sum(expected))
    assert outcomes[left].value == {"sum": expected[0].sum(), "count": 5}
    assert outcomes[both].config["factor"] == 10
    assert list((cache.root / "working").iterdir()) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_is_computed_twice(toy, cache, tmp_path, quiet, jobs):
    shared = Stage(toy.number, common(tmp_path, seed=0))
    targets = [
        Stage(toy.add, common(tmp_path, factor=n), {"a": shared, "b": shared}) for n in (1, 2)
    ]
    run([*targets, targets[0]], cache, jobs=jobs, progress=quiet)
    assert sorted(starts(tmp_path)) == sorted([shared.key, targets[0].key, targets[1].key])
    again = run(targets, cache, jobs=jobs, progress=quiet)
    assert len(starts(tmp_path)) == 3
    assert again[targets[1]].value["inputs"] == [again[targets[1]].value["inputs"][0]] * 2


def test_identity_is_function_config_and_inputs(toy):
    first = Stage(toy.number, {"seed": 1, "size": (2, 3)}, title="one name")
    same = Stage(toy.number, {"size": [2, 3], "seed": 1}, title="another")
    assert first == same and first.key == same.key
    others = [
        Stage(toy.number, {"seed": 2, "size": [2, 3]}),
        Stage(toy.add, {"seed": 1, "size": [2, 3]}),
        Stage(toy.number, {"seed": 1, "size": [2, 3]}, {"x": first}),
        Stage(toy.number, {"seed": 1, "size": [2, 3]}, {"y": first}),
        Stage(toy.number, {"seed": 1, "size": [2, 3]}, {"x": Stage(toy.number)}),
    ]
    assert len({first.key, *(other.key for other in others)}) == 6


def test_finished_target_does_not_need_its_inputs(toy, cache, tmp_path, quiet):
    source = Stage(toy.number, common(tmp_path, seed=3))
    target = Stage(toy.add, common(tmp_path, factor=1), {"x": source})
    run([target], cache, progress=quiet)
    os.rename(cache.root / source.key, tmp_path / "elsewhere")
    assert set(run([target], cache, progress=quiet)) == {target}


@pytest.mark.parametrize("jobs", [1, 2])
def test_failures_are_recorded_and_stop_only_what_needs_them(toy, cache, tmp_path, jobs):
    broken = Stage(toy.fail, common(tmp_path, message="no luck"), title="broken one")
    child = Stage(toy.add, common(tmp_path, factor=1), {"x": broken})
    grandchild = Stage(toy.add, common(tmp_path, factor=2), {"x": child})
    fine = [Stage(toy.number, common(tmp_path, seed=seed)) for seed in (1, 2, 3)]
    stream = io.StringIO()
    outcomes = run([grandchild, *fine], cache, jobs=jobs, progress=Progress(stream=stream))
    assert isinstance(outcomes[broken], Failure)
    assert "RuntimeError: no luck" in outcomes[broken].trace
    assert outcomes[child].error == "needs broken one, which failed"
    assert isinstance(outcomes[grandchild], Failure)
    assert all(outcomes[one].value["count"] == 5 for one in fine)
    assert cache.failure(broken.key)["error"] == "RuntimeError: no luck"
    assert not cache.has(broken.key) and not (cache.root / "working" / broken.key).exists()
    assert "broken one  FAILED: RuntimeError: no luck" in stream.getvalue()
    assert "3 of 6 stages failed" in stream.getvalue()


def test_process_that_dies_is_a_failure_and_is_replaced(toy, cache, tmp_path, quiet):
    dying = Stage(toy.die, common(tmp_path))
    fine = [Stage(toy.number, common(tmp_path, seed=seed)) for seed in range(5)]
    outcomes = run([dying, *fine], cache, jobs=2, progress=quiet)
    assert "code -9" in outcomes[dying].error
    assert cache.failure(dying.key) is not None
    assert cache.log(dying.key).read_text() == "last words\n"
    assert all(outcomes[one].value["count"] == 5 for one in fine)


@pytest.mark.parametrize("nan", [True, False])
def test_value_that_is_not_json_fails(toy, cache, quiet, nan):
    stage = Stage(toy.not_json, {"nan": nan})
    assert "JSON" in run([stage], cache, progress=quiet)[stage].error


def test_failed_stage_is_tried_again(toy, cache, tmp_path, quiet):
    stage = Stage(toy.number, {"journal": str(tmp_path / "absent" / "journal"), "seed": 1})
    assert isinstance(run([stage], cache, progress=quiet)[stage], Failure)
    (tmp_path / "absent").mkdir()
    assert run([stage], cache, progress=quiet)[stage].value["count"] == 5
    assert cache.failure(stage.key) is None


def drive(tmp_path, root, journal):
    return subprocess.Popen(
        [sys.executable, "-P", "-c", DRIVER, str(tmp_path), str(root), str(journal)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_killed_ten_times_it_ends_like_an_undisturbed_run(toy, tmp_path):
    from toy_grid import grid

    journal = tmp_path / "journal"
    undisturbed = Cache(tmp_path / "undisturbed")
    run(grid(str(journal)), undisturbed, progress=Progress(quiet=True))
    journal.unlink()

    root, generator = tmp_path / "disturbed", random.Random(0)
    done, kills = {}, 0
    for number in range(10):
        before = len(starts(tmp_path))
        process = drive(tmp_path, root, journal)
        # In turn soon after a stage has begun, and soon after one has finished.
        enough = len(finished(root)) + number % 2
        while process.poll() is None and (
            len(starts(tmp_path)) == before or len(finished(root)) < enough
        ):
            time.sleep(0.005)
        time.sleep(generator.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        time.sleep(0.05)
        counts = starts(tmp_path)
        for key, inode in finished(root).items():
            done.setdefault(key, (inode, counts.count(key)))
    assert drive(tmp_path, root, journal).wait() == 0
    assert kills and done
    assert contents(root) == contents(undisturbed.root)
    assert len(finished(root)) == 4 + 8 + 16
    for key, (inode, count) in done.items():
        assert finished(root)[key] == inode and starts(tmp_path).count(key) == count
    assert list((root / "working").iterdir()) == []


def test_two_runs_at_once_share_the_work(toy, tmp_path):
    root, journal = tmp_path / "shared", tmp_path / "journal"
    processes = [drive(tmp_path, root, journal) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(starts(tmp_path)) == len(set(starts(tmp_path))) == 28


def test_lock_of_a_living_process_is_waited_for(toy, cache, tmp_path):
    stage = Stage(toy.number, common(tmp_path, seed=1, sleep=0.2))
    threads = [threading.Thread(target=cache.compute, args=(stage.job(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert starts(tmp_path) == [stage.key]


def test_progress_on_a_terminal_and_elsewhere(toy, cache, tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stages = [Stage(toy.number, common(tmp_path, seed=n), title=f"seed {n}") for n in (1, 2)]
    run(stages[:1], cache, progress=Progress(stream=io.StringIO()))
    terminal, plain = Terminal(), io.StringIO()
    run(stages, cache, progress=Progress(stream=terminal))
    assert "1 stages to compute (1 number), 1 cached" in terminal.getvalue()
    assert "left | seed 2 (0 s)" in terminal.getvalue()
    assert "1 stages in 0 s, 0 s of work" in terminal.getvalue()
    run(stages, cache, progress=Progress(stream=plain))
    assert plain.getvalue() == "0 stages to compute, 2 cached\n"
    assert [clock(7.4), clock(185), clock(7440)] == ["7 s", "3:05 min", "2:04 h"]


def test_results_of_other_code_are_used_and_counted(toy, cache, tmp_path, monkeypatch):
    stages = [Stage(toy.number, common(tmp_path, seed=n)) for n in (1, 2, 3)]
    run(stages[:1], cache, progress=Progress(stream=io.StringIO()))
    current = fingerprint.current()
    assert cache.result(stages[0].key).code == current
    # As it was recorded before there were fingerprints.
    path = cache.root / stages[0].key / "result.json"
    path.write_text(path.read_text().replace('"code"', '"formerly"'))
    monkeypatch.setattr(fingerprint, "current", lambda: "other")
    run(stages[1:2], cache, progress=Progress(stream=io.StringIO()))
    monkeypatch.undo()
    run(stages[2:], cache, progress=Progress(stream=io.StringIO()))
    plain = io.StringIO()
    run(stages, cache, progress=Progress(stream=plain))
    assert plain.getvalue() == (
        "0 stages to compute, 3 cached (2 by other code; an empty --cache computes all anew)\n"
    )
    assert len(starts(tmp_path)) == 3


def test_a_fingerprint_changes_with_a_source(tmp_path):
    for package, module in (("ewe_tf", versions_module), ("experiments", fingerprint)):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        shutil.copy(module.__file__, tmp_path / package)
    code = "from experiments import fingerprint; print(fingerprint.current())"
    command = [sys.executable, "-c", code]
    found = {}
    for name, text in (("a", "x = 1"), ("b", "x = 2"), ("a again", "x = 1")):
        (tmp_path / "ewe_tf" / "part.py").write_text(text)
        found[name] = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    assert found["a"] == found["a again"] != found["b"]


def test_time_left_is_that_of_the_same_kind_over_the_jobs(toy):
    def stage(seed, kind):
        return Stage(toy.number, {"seed": seed}, kind=kind)

    times = Times()
    assert times.left([stage(0, "slow")], jobs=2) is None
    times.learn(stage(1, "slow"), 30)
    times.learn(stage(2, "quick"), 1)
    times.learn(stage(3, "quick"), 3)
    waiting = [stage(4, "slow"), stage(5, "quick"), stage(6, "quick")]
    assert times.left(waiting, jobs=1) == 30 + 2 + 2
    assert times.left(waiting, jobs=2) == 30  # The slow one alone takes that long.
    assert times.left(waiting, jobs=1, spent={waiting[0]: 20.0}) == 10 + 2 + 2
    unknown = Stage(toy.add, {"factor": 1})
    assert times.left([unknown], jobs=1) == pytest.approx(34 / 3)


def test_overview_tells_finished_running_failed_and_waiting(toy, cache, tmp_path, quiet):
    source = Stage(toy.number, common(tmp_path, seed=1))
    broken = Stage(toy.fail, common(tmp_path, message="no luck"), {"x": source})
    waiting = Stage(toy.add, common(tmp_path, factor=1), {"x": source})
    busy = Stage(toy.add, common(tmp_path, factor=2), {"x": source})
    run([broken], cache, progress=quiet)
    with cache._lock(busy.key):
        lines = overview([broken, waiting, busy], cache).splitlines()
    assert [line.split()[:5] for line in lines] == [
        ["stages", "finished", "running", "failed", "waiting"],
        ["number", "1", "0", "0", "0"],
        ["fail", "0", "0", "1", "0"],
        ["add", "0", "1", "0", "1"],
        ["together", "1", "1", "1", "1"],
    ]
    assert not cache.busy(busy.key)


def inner(config, inputs, folder):
    return None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((lambda config, inputs, folder: None,), "top of an importable module"),
        ((inner, {"x": object()}), "`config` must be JSON"),
        ((inner, {"x": float("nan")}), "`config` must be JSON"),
    ],
)
def test_stages_that_could_not_be_found_again(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stage(*arguments)


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True])
def test_wrong_jobs(cache, jobs):
    with pytest.raises(ValueError, match="`jobs` must be a positive integer"):
        run([], cache, jobs=jobs)
