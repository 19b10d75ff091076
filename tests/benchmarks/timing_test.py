import numpy as np
import pytest

from benchmarks._timing import interleaved


def test_contestants_take_turns_and_every_other_round_runs_backwards():
    calls = []
    names = ("first", "second")
    contestants = {name: lambda name=name: calls.append(name) for name in names}
    seconds = interleaved(contestants, repetitions=2, calls=2)
    warm = ["first", "second"]
    assert calls == [*warm, *["first"] * 2, *["second"] * 4, *["first"] * 2]
    assert {name: s.shape for name, s in seconds.items()} == dict.fromkeys(names, (2, 2))
    assert all(np.all(s >= 0) for s in seconds.values())


def test_every_rule_of_trigger_generation_can_be_made():
    from benchmarks.triggers import rules

    for make in rules("small_cnn").values():
        assert make().changes_images


@pytest.mark.slow
def test_every_step_trains():
    from benchmarks.step import steps

    contestants = steps("small_cnn", 32, (8, 8, 1))
    assert {name: rows for name, (rows, _) in contestants.items()} == {
        "plain": 96,
        "plain, task rows": 32,
        "EWE": 96,
        "published": 32,
        "published, pair": 64,
    }
    for name, (_, step) in contestants.items():
        if name == "published, pair":
            continue
        losses = [step() for _ in range(8)]
        assert np.all(np.isfinite(losses)) and losses[-1] < losses[0]
