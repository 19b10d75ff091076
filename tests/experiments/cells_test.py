"""The graph of the grid, without running it."""

import pytest

from experiments import extractions
from experiments import parties
from experiments import removals
from experiments.cells import Cell
from experiments.cells import Owner
from experiments.cells import product
from experiments.fashion import BENCHMARK
from experiments.schemes import SCHEMES
from experiments.schemes import SETS
from experiments.stages import Failure


def ancestors(stage):
    for needed in stage.inputs.values():
        yield needed
        yield from ancestors(needed)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_thief_never_sees_the_victims_rows_nor_the_judge_the_owners_models(scheme):
    owner = Owner(BENCHMARK, scheme, 1)
    parts = {s.config["part"] for s in ancestors(owner.judge) if "stranger" in s.title}
    assert parts == {"stranger"}
    in_house = {s.config["part"] for s in ancestors(owner.victims[0])}
    assert in_house <= {"victim"}
    twins = {t.config["part"] for t in owner.twins}
    assert twins == {"victim"} and all(t.config["share"] == 1.0 for t in owner.twins)
    cell = Cell(owner, "soft", "finetune")
    assert [s.function.__name__ for s in (cell.copy, cell.suspect)] == ["stolen", "removed"]
    assert cell.copy.inputs == {"victim": owner.victims[0]}


def test_the_judge_calibrates_with_fine_tuned_strangers_of_each_family():
    owner = Owner(BENCHMARK, "EWE", 0)
    families = [name.split(",")[0] for name in owner.strangers]
    assert {families.count(one) for one in families} == {3}
    assert len(set(families)) == BENCHMARK.strangers
    assert {*owner.judge.inputs.values()} == {owner.victims[0], *owner.strangers.values()}
    for name, stage in owner.strangers.items():
        if "clean" in stage.inputs:
            assert stage.inputs["clean"] == owner.strangers[name.split(",")[0]]


def test_the_price_is_that_of_the_same_pairs():
    first, second = Owner(BENCHMARK, "EWE", 0).victims
    assert second.inputs == {"first": first}
    pairs = [
        {"source": 8, "target": 2, "null_rate": 0.0, "attribute": [0, -1]},
        {"source": 3, "target": 1, "null_rate": 0.0, "attribute": [1, 1]},
    ]
    arguments = parties._of_pairs({**second.config["scheme"], "marks": 2}, pairs)
    # No innocent models: there is nothing to choose.
    scheme = parties._scheme({**second.config, "scheme": arguments}, None, [])
    assert scheme.target == {(8, 0, -1): 2, (3, 1, 1): 1} and not scheme.rehearsal
    # Of strange inputs each victim chooses for itself.
    first, second = Owner(BENCHMARK, "EWE of strange inputs", 0).victims
    assert second.inputs == first.inputs


def test_ablations_differ_from_the_default_in_their_part_only():
    def scheme(name):
        return Owner(BENCHMARK, name, 0).victims[0].config["scheme"]

    full = scheme("EWE")
    assert {**scheme("EWE without mixing"), "hull_weight": full["hull_weight"]} == full
    assert {**scheme("EWE without SNNL"), "snnl_weight": full["snnl_weight"]} == full
    naive = scheme("naive backdoor")
    assert [naive[k] for k in ("hull_weight", "snnl_weight", "control_weight")] == [0, 0, 0]
    assert naive["trials"] == 1
    strange = scheme("EWE of strange inputs")
    assert naive["trigger_weight"] == strange["trigger_weight"] and "source" not in strange
    assert set(SETS["ablation"]) < set(SCHEMES)


def test_a_word_sets_what_it_names_and_nothing_else():
    plain = Owner(BENCHMARK, "EWE", 0).victims[0].config["scheme"]
    owner = Owner(BENCHMARK, "EWE:hull_weight=0.2:share=0.003", 0)
    changed = {**plain, "hull_weight": 0.2, "source": {"share": 0.003, "weight": 3.0}}
    assert owner.victims[0].config["scheme"] == changed
    assert owner.scheme == "EWE hull_weight=0.2 share=0.003"
    for wrong, message in (
        ("EWF", "there is no scheme 'EWF'"),
        ("EWE:trials=0", "`trials` must be an integer of at least 1"),
        ("EWE:share=0.5", r"`share` must be in \[0, 0.02\]"),
        ("EWE:components=0", "`components` must be at least 1"),
        ("EWE of strange inputs:share=0.01", "has no setting 'share=0.01'"),
        ("DynaMarks:epochs=3", "scheme 'DynaMarks' has no setting 'epochs=3'"),
    ):
        with pytest.raises(ValueError, match=message):
            Owner(BENCHMARK, wrong, 0)


def test_seeds_share_nothing_and_schemes_share_the_unmarked():
    one, other = Owner(BENCHMARK, "EWE", 0), Owner(BENCHMARK, "EWE", 1)
    assert not set(one.stages()) & set(other.stages())
    for scheme in SCHEMES:
        third = Owner(BENCHMARK, scheme, 0)
        assert third.twins == one.twins and third.strangers == one.strangers


@pytest.mark.parametrize("extraction", [*extractions.EXTRACTIONS, *extractions.SETS["queries"]])
def test_every_theft_is_named_and_sends_no_more_than_the_thief_has(extraction):
    cell = Cell(Owner(BENCHMARK, "EWE", 0), extraction)
    _, theft = extractions.parse(extraction)
    config = cell.copy.config
    rows = config["rows"]
    assert theft.attack(**config["settings"]).queries_needed(rows) <= BENCHMARK.rows
    assert cell.role == extraction.replace(":", " ")
    hops = [s for s in [cell.copy, *ancestors(cell.copy)] if s.function.__name__ == "stolen"]
    assert len(hops) == (2 if extraction == "second hop" else 1)


@pytest.mark.parametrize("removal", [*removals.SETS["all"], *removals.SETS["finetune curve"]])
def test_every_removal_has_its_scratch_baseline(removal):
    cell = Cell(Owner(BENCHMARK, "EWE", 0), "soft", removal)
    assert cell.scratch.config["labels"] == cell.labels
    assert cell.suspect.inputs == {"suspect": cell.copy}
    spends = [step["labels"] for step in cell.suspect.config["chain"]]
    assert max(spends) == cell.labels
    for step in cell.suspect.config["chain"]:
        removals.attack_of(step, pool=None)


def test_half_the_queries_is_a_word_of_the_language():
    owner = Owner(BENCHMARK, "EWE", 0)
    half = Cell(owner, "half-the-queries").copy.config
    spelled = Cell(owner, "label-only:share=0.5").copy.config
    assert half["rows"] == BENCHMARK.rows // 2 and half | {"name": "label-only"} == spelled


def test_labels_are_a_number_or_a_share_and_chains_spend_the_same_ones():
    owner = Owner(BENCHMARK, "EWE", 0)
    assert Cell(owner, "soft", "finetune:labels=0.02").labels == 200
    assert Cell(owner, "soft", "prune+finetune:labels=3000").labels == 3000
    assert Cell(owner, "soft", "int8+jpeg").labels == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stealth",), "no extraction 'stealth'. There are: label-only, soft"),
        (("soft", "prune+wash"), "no removal 'wash'. There are: prune, "),
        (("soft", "finetune:lr=1"), "no setting 'lr=1'. It has: .*learning_rate="),
        (("soft", "prune:sparsity=1.5"), r"`sparsity` must be .* sparsity=1.5"),
        (("label-only:share=0",), r"`share` must be in \(0, 1\]"),
        (("soft", "finetune:labels=20000"), "`labels` of 'finetune' must be 1 to 10000"),
    ],
)
def test_what_does_not_exist_is_an_error_before_anything_runs(arguments, message):
    with pytest.raises(ValueError, match=message):
        Cell(Owner(BENCHMARK, "EWE", 0), *arguments)


def test_an_unknown_scheme_names_the_others():
    with pytest.raises(ValueError, match="no scheme 'ewf'. There are: naive backdoor"):
        Owner(BENCHMARK, "ewf", 0)


def test_a_failed_stage_becomes_a_record_with_its_error():
    owners, (cell,) = product([BENCHMARK], ["EWE"], [3], [("soft", "finetune")])
    broken = Failure(cell.suspect, "no luck")
    outcomes = dict.fromkeys([*owners[0].stages(), *cell.stages(), cell.suspect], broken)
    record = cell.record(outcomes, "test")
    assert (record["role"], record["seed"], record["attack"]) == ("failed", 3, "finetune")
    assert record["error"].endswith("no luck")
