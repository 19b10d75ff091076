"""The graph of a benchmark, without running it."""

import pytest

from experiments.benchmark import SCHEMES
from experiments.benchmark import Benchmark
from experiments.fashion import BENCHMARK


def ancestors(stage):
    for needed in stage.inputs.values():
        yield needed
        yield from ancestors(needed)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_thief_never_sees_the_victims_rows_nor_the_judge_the_owners_models(scheme):
    cell = BENCHMARK.cell(scheme, 1)
    for role, stage in cell.suspects.items():
        if "thief" in stage.title:
            assert stage.function.__name__ == "stolen" and role in cell.verdicts
    parts = {s.config["part"] for s in ancestors(cell.judge) if "stranger" in s.title}
    assert parts == {"stranger"}
    in_house = {s.config["part"] for s in ancestors(cell.victims[0])}
    assert in_house <= {"victim"}
    twins = {t.config["part"] for t in cell.twins}
    assert twins == {"victim"} and all(t.config["share"] == 1.0 for t in cell.twins)


def test_ablations_differ_from_the_default_in_their_part_only():
    def scheme(name):
        return BENCHMARK.cell(name, 0).victims[0].config["scheme"]

    full = scheme("EWE")
    assert {**scheme("EWE without mixing"), "hull_weight": full["hull_weight"]} == full
    assert {**scheme("EWE without SNNL"), "snnl_weight": full["snnl_weight"]} == full
    naive = scheme("naive backdoor")
    assert [naive[k] for k in ("hull_weight", "snnl_weight", "control_weight")] == [0, 0, 0]
    assert naive["trigger_weight"] == full["trigger_weight"]


def test_all_that_records_need_is_asked_for():
    cell = BENCHMARK.cell("EWE", 0)
    assert set(cell.suspects.values()) | set(cell.verdicts.values()) <= set(cell.stages())


def test_seeds_share_nothing_and_schemes_share_the_unmarked():
    one, other = BENCHMARK.cell("EWE", 0), BENCHMARK.cell("EWE", 1)
    assert not set(one.stages()) & set(other.stages())
    naive = BENCHMARK.cell("naive backdoor", 0)
    assert set(one.twins) == set(naive.twins)
    assert isinstance(BENCHMARK, Benchmark)
