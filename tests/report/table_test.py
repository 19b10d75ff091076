import pytest

from ewe_tf import report
from ewe_tf.report.table import percent
from ewe_tf.report.table import small
from ewe_tf.report.table import spread


def test_columns_are_aligned():
    table = report.text_table(["role", "rate"], [["victim", "99.0"], ["innocent", "1.0"]])
    assert table.splitlines() == [
        "role      rate",
        "────────  ────",
        "victim    99.0",
        "innocent   1.0",
    ]


def test_row_of_another_length():
    with pytest.raises(ValueError):
        report.text_table(["a", "b"], [["1"]])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "-"),
        (0.0213, "0.021"),
        (1.0, "1"),
        (3.2e-14, "3e-14"),
        (2e-4, "2e-4"),
        (0, "<1e-300"),
    ],
)
def test_p_values(value, words):
    assert small(value) == words


def test_shares():
    assert percent(0.94119) == "94.1" and percent(0.5, 0) == "50" and percent(None) == "-"


def test_worst_is_the_smallest_of_copies_and_the_largest_of_innocents():
    row = {"rate_key": 0.5, "rate_key_sd": 0.1, "rate_key_min": 0.4, "rate_key_max": 0.6}
    assert spread({**row, "role": "soft"}, "rate_key") == "50.0 ± 10.0 (40.0)"
    assert spread({**row, "role": "innocent"}, "rate_key") == "50.0 ± 10.0 (60.0)"


def test_results_in_the_terminal():
    base = {"experiment": "rows", "dataset": "rows", "scheme": "ewe", "seed": 1}
    text = report.results_table(
        [
            {**base, "role": "victim", "accuracy": 0.9, "price": 0.25, "decision": "evidence"},
            {**base, "role": "soft", "attack": "noise 0.5", "rate_held_out": 0.75},
            {**base, "role": "failed", "error": "no convergence"},
        ]
    )
    lines = text.splitlines()
    assert lines[0] == "ewe on rows"
    assert lines[1].split() == [
        "model",
        "attack",
        "n",
        "accuracy",
        "held-out",
        "key",
        "p",
        "queries",
        "verdict",
    ]
    assert lines[3].split() == ["victim", "1", "90.0", "-", "-", "-", "-", "evidence", "1/1"]
    assert lines[4].split()[:5] == ["soft", "noise", "0.5", "1", "-"]
    assert "price of the mark: 0.25 points" in text
    assert lines[-1] == "FAILED ewe, seed 1: no convergence"
