"""The graph and the bars of the MEA-Defender benchmark, without running it."""

import pytest

from experiments import mea_defender
from experiments.mea_defender import SCHEMES
from experiments.mea_defender import THIEVES
from experiments.mea_defender import Setting
from experiments.mea_defender import bars


def ancestors(stage):
    for needed in stage.inputs.values():
        yield needed
        yield from ancestors(needed)


@pytest.fixture(scope="module")
def cell():
    return Setting().cell("MEA-Defender", 1, list(THIEVES), removal=True)


def test_all_that_records_read_is_asked_for(cell):
    asked = set(cell.stages())
    assert {*cell.suspects.values(), cell.judge} <= asked
    assert {*cell.verdicts.values(), *cell.questions.values()} <= asked
    assert set(THIEVES) | set(mea_defender.REMOVAL) | {"victim", "twin"} <= set(cell.suspects)


def test_no_party_sees_anothers_rows(cell):
    strangers = [s for role, s in cell.suspects.items() if role.startswith("stranger")]
    assert {s.config["part"] for s in strangers} == {"stranger"}
    owned = [s.config["part"] for s in ancestors(cell.suspects["victim"])]
    assert owned == ["victim"] * Setting().innocents
    assert cell.suspects["twin"].config["part"] == "victim"


def test_ablations_leave_out_what_they_say():
    of = SCHEMES
    assert of["combination only"]["verification_weight"] == 0
    assert of["verification only"]["combination_weight"] == 0
    assert of["verification only"]["evasion_weight"] == 0
    assert of["without combination"] == {"name": "mea_defender", "combination_weight": 0.0}
    assert of["without evasion"] == {"name": "mea_defender", "evasion_weight": 0.0}


def record(role, **changes):
    return {
        "role": role, "name": role, "seed": 0, "attack": "", "rate_held_out": 0.0,
        "decision": "no evidence", "price": 1.0, "rate_plain": [0.01, 0.02],
        "rate_mixers": {"sides": 0.05, "stripes": 0.9}, "trained_mixers": ["sides"], **changes,
    }  # fmt: skip


GOOD = {
    "victim": {"rate_held_out": 0.95, "price": 2.0, "rate_plain": [0.0399, 0.0499]},
    "twin": {},
    "innocent": {"rate_held_out": 0.03},
    "soft": {"rate_held_out": 0.6, "decision": "evidence"},
    "label-only": {"rate_held_out": 0.4},
}


@pytest.mark.parametrize(
    ("role", "change", "sentence"),
    [
        ("victim", {"rate_held_out": 0.94}, "victim's success 94.0%"),
        ("victim", {"price": 2.25}, "price 2.25 points"),
        ("victim", {"rate_plain": [0.0, 0.06]}, "called target 4.0% more often"),
        ("victim", {"rate_mixers": {"sides": 0.11}}, "an evasion mixer fires 11.0%"),
        ("twin", {"rate_held_out": 0.04}, "twin, clean, answers 4.0%"),
        ("innocent", {"decision": "evidence"}, "innocent, clean, is accused"),
        ("soft", {"decision": "could not tell"}, "no evidence on the soft-label copy"),
        ("soft", {"rate_held_out": 0.59}, "soft copies answer 59.0%"),
        ("label-only", {"rate_held_out": 0.39}, "label-only copies answer 39.0%"),
    ],
)
def test_a_bar_that_is_missed_is_named_and_no_other(role, change, sentence):
    good = [record(one, **settings) for one, settings in GOOD.items()]
    assert bars(good) == []
    edited = [{**r, **change} if r["role"] == role else r for r in good]
    wrong = bars(edited)
    assert len(wrong) == 1 and sentence in wrong[0]
