"""The scratch baseline, with numbers worked out by hand."""

import pytest

from experiments.success import count
from experiments.success import judge_removal


def washed(accuracy, decision="no evidence", before="evidence"):
    return {
        "accuracy": accuracy,
        "decision": decision,
        "stolen_accuracy": 0.9,
        "stolen_decision": before,
        "scratch_accuracy": 0.6,
    }


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        # Half of what the theft gave over scratch: 0.6 + (0.9 - 0.6) / 2.
        (washed(0.76), True),
        (washed(0.74), False),
        (washed(0.89, decision="evidence"), False),
        (washed(0.89, decision="could not tell"), True),
        (washed(0.89, before="no evidence"), None),
    ],
)
def test_the_mark_must_be_gone_and_the_theft_worth_it(record, expected):
    found = judge_removal(record)
    assert found["succeeded"] is expected
    assert found["needed_accuracy"] == pytest.approx(0.75)
    assert found["cost"] == pytest.approx(100 * (0.9 - record["accuracy"]))


def test_a_theft_that_gave_nothing_must_not_fall_below_scratch():
    worthless = washed(0.65) | {"stolen_accuracy": 0.5}
    assert judge_removal(worthless)["needed_accuracy"] == 0.6
    assert judge_removal(worthless)["succeeded"] is True


def test_only_copies_with_evidence_count():
    records = [{"succeeded": value} for value in (True, False, None, True)]
    assert count([*records, {"role": "soft"}]) == (2, 3)
