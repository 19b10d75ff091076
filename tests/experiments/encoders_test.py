"""The graph and the check of the encoder experiment, without running it."""

import pytest

from experiments import encoders


@pytest.fixture(scope="module")
def parts():
    return encoders.cell(1, 500, 4, 1e-3)


def test_no_party_sees_anothers_images(parts):
    suspects, judge, verdicts = parts
    strangers = [stage for role, stage in suspects.items() if role.startswith("stranger")]
    assert len(strangers) == 4
    others = [stage for role, stage in suspects.items() if role.startswith("bystander")]
    assert {s.config["part"] for s in strangers + others} == {"stranger"}
    assert not {*others} & {*judge.inputs.values()} and len(others) == encoders.BYSTANDERS
    assert suspects["copy of the clean encoder"].inputs == {"victim": suspects["twin"]}
    assert suspects["twin"].config["part"] == "victim"
    assert suspects["victim"].inputs == {"clean": suspects["twin"]}
    assert {*judge.inputs.values()} == {suspects["victim"], *strangers}
    assert set(verdicts) == set(suspects)


def test_thieves_ask_the_marked_encoder(parts):
    suspects = parts[0]
    for role in encoders.THIEVES:
        assert suspects[role].inputs == {"victim": suspects["victim"]}


def row(role, decision):
    return {"role": role, "name": role, "seed": 0, "decision": decision}


@pytest.mark.parametrize(
    ("role", "decision", "wrong"),
    [
        ("victim", "evidence", False),
        ("crops", "no evidence", True),
        ("StolenEncoder", "could not tell", True),
        ("innocent", "evidence", True),
        ("twin", "no evidence", False),
    ],
)
def test_copies_need_evidence_and_clean_encoders_none(role, decision, wrong):
    assert bool(encoders.check([row(role, decision)])) == wrong
