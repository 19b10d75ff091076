"""The graph and the bars of the experiment on marks in the answers; a run at toy size."""

import json

import numpy as np
import pytest

from experiments import dynamarks
from experiments import marked_answers
from experiments import stages
from experiments.cache import Cache
from experiments.marked_answers import CLIENTS
from experiments.marked_answers import RELATIVES
from experiments.marked_answers import REMOVALS
from experiments.marked_answers import THIEVES
from experiments.marked_answers import Graph

TRAINING = {
    "optimizer": "Adam", "rate": 5e-3, "batch_size": 32, "epochs": 5, "further_epochs": 1,
    "further_rate": 5e-4,
}  # fmt: skip


def graph(**changes):
    fields = {
        "task": "digits", "architecture": "small_cnn", "other": "wide_cnn", "training": TRAINING,
        "rows": 300, "carrier": "static", "seed": 0,
    }  # fmt: skip
    return Graph(**{**fields, **changes})


def ancestors(stage):
    for needed in stage.inputs.values():
        yield needed
        yield from ancestors(needed)


def test_every_role_is_asked_once_and_stages_are_shared():
    asked = [*graph().thefts(), *graph().removals(), *graph().relatives()]
    places = [(one.scheme, one.role, one.attack) for one in asked]
    assert len(set(places)) == len(places)
    assert {*THIEVES, "second hop", "alice and bob collude"} <= {one.role for one in asked}
    assert {one.attack for one in asked} == {"", *REMOVALS}
    assert set(RELATIVES) <= {one.scheme for one in asked}
    victims = {s for one in asked for s in ancestors(one.stage) if s.kind.startswith("unmarked")}
    # The victim and the stranger of the ensemble.
    assert sorted(v.config["part"] for v in victims) == ["stranger", "victim"]
    assert graph(seed=1).victim() != graph().victim()


def test_a_record_finds_its_stages_when_all_are_finished(tmp_path):
    """As after a killed run: a finished verdict hides what it was made of."""
    (asked,) = (one for one in graph().thefts() if one.role == "victim")
    verdict, owner = asked.stages()
    values = {verdict: {"p_value": 0.5, "accuracy": 0.9}, owner: {"agreement": 1.0}}
    cache = Cache(tmp_path)
    for stage, value in values.items():
        (tmp_path / stage.key).mkdir()
        text = json.dumps({"value": value, "seconds": 1.0, "config": {}})
        (tmp_path / stage.key / "result.json").write_text(text)
    outcomes = stages.run(asked.stages(), cache)
    found = graph().record(asked, outcomes)
    assert (found["role"], found["p_value"], found["agreement"]) == ("victim", 0.5, 1.0)
    assert graph().record(asked, {})["role"] == "failed"


def test_the_innocent_copy_asked_a_server_without_a_mark():
    (innocent,) = (one for one in graph().thefts() if one.role == "innocent")
    (copy,) = (s for name, s in innocent.stage.inputs.items() if name != "served")
    assert copy.inputs["served0"].config["defence"] == "none"
    assert innocent.stage.inputs["served"].config["defence"] == "DynaMarks"


def test_colluders_ask_two_servers_of_one_key():
    (both,) = (one for one in graph().thefts() if one.role == "alice and bob collude")
    servers = both.stage.inputs["suspect0"].inputs.values()
    assert [s.config["client"] for s in servers] == list(CLIENTS[:2])
    assert len({s.config["seed"] for s in servers}) == 1


def record(role, p_value, seed=0, **more):
    return {
        "scheme": "DynaMarks, static", "role": role, "attack": "", "p_value": p_value,
        "accuracy": 0.9, "probes": 1000, "agreement": 1.0, "seed": seed, **more,
    }  # fmt: skip


def test_bars_hold_at_every_seed_or_fail():
    good = [record(role, 1e-8) for role in ("victim", "full", "other architecture", "rounded to 2")]
    good.append(record("innocent", 0.5, accuracy=0.909))
    assert all(holds for _, _, holds in dynamarks.bars(good))
    for bad in (
        record("full", 1e-5, seed=1), record("victim", 1e-9, agreement=0.9999),
        record("innocent", 0.5, accuracy=0.93),
    ):  # fmt: skip
        assert sum(not holds for _, _, holds in dynamarks.bars([*good, bad])) == 1
    # What a removal attack leaves has no bar.
    washed = record("full", 0.5, **{"attack": "finetune"})
    assert all(holds for _, _, holds in dynamarks.bars([*good, washed]))


def test_null_record_sees_p_values_that_are_not_uniform():
    uniform = (np.arange(1000) + 0.5) / 1000
    fair = dynamarks.null_record([{"p_values": uniform, "log_e_values": np.zeros(1000)}], 1e-3)
    assert fair["kolmogorov_smirnov"] > 0.99 and fair["below_1e-4"] == 0
    assert dynamarks.bars([], fair)[0][2]
    unfair = [{"p_values": uniform**2, "log_e_values": np.full(1000, 8.0)}]
    unfair = dynamarks.null_record(unfair, 1e-3)
    # (i + 1/2)^2 / 10^6 is below 1e-4 for i = 0 to 9; e^8 is above 1,000.
    assert (unfair["below_1e-4"], unfair["sequential_claims"]) == (10, 1000)
    assert unfair["kolmogorov_smirnov"] < 1e-6 and not dynamarks.bars([], unfair)[0][2]


def test_tables_show_every_suspect():
    records = [
        record("full", 1e-9, decision="evidence", queries=200),
        record("alice and bob collude", 0.01, clients={"alice": 0.02, "bob": 0.3}),
        {**record("full", 0.2), "scheme": "DAWN"}, {**record("full", None), "scheme": "MAD"},
    ]  # fmt: skip
    text = dynamarks.tables(records)
    assert "1.0e-09" in text and "alice 2e-02, bob 3e-01" in text
    assert "DAWN" in text and "MAD" in text


@pytest.mark.slow
def test_a_whole_run_at_toy_size(tmp_path, monkeypatch):
    monkeypatch.setattr(marked_answers, "REMOVALS", ("round:bits=4", "finetune"))
    monkeypatch.setattr(marked_answers, "THIEVES", {"full": THIEVES["full"]})
    # Of 300 queries 0.5 % may be none.
    for name, (defence, _, answers) in list(RELATIVES.items())[:2]:
        monkeypatch.setitem(RELATIVES, name, (defence, {"rate": 0.1}, answers))
    one = graph()
    asked = [*one.thefts(), *one.removals(), *one.relatives()]
    nulls = one.null(1, 3)
    wanted = [*(stage for a in asked for stage in a.stages()), *nulls]
    stages.run(wanted, Cache(tmp_path))
    # All from the cache now.
    outcomes = stages.run(wanted, Cache(tmp_path))
    records = [one.record(a, outcomes) for a in asked]
    assert [r["error"] for r in records if r["role"] == "failed"] == []
    json.dumps(records, allow_nan=False)
    assert len(outcomes[nulls[0]].value["p_values"]) == 3
    of = {(r["scheme"], r["role"], r["attack"]): r for r in records}
    marked = of["DynaMarks, static", "victim", ""]
    assert marked["agreement"] == 1 and marked["p_value"] < 1e-3
    labels = of["DynaMarks, static", "copy tells labels", ""]
    assert labels["decision"] == "could not tell" and "hard channel" in labels["reason"]
    assert of["DynaMarks, static", "label only, hard channel", ""]["flipped"] > 0
    assert of["CosWM", "victim", ""]["score"] > 1 and of["DAWN", "full", ""]["p_value"] <= 1
    assert "p_value" not in of["MAD", "full", ""]
