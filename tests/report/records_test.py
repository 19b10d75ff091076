import json

import pytest

from ewe_tf import report
from ewe_tf.report import records as records_lib


def record(**more):
    base = {"experiment": "toy", "dataset": "rows", "scheme": "ewe", "seed": 0, "role": "soft"}
    return base | more


def test_written_lines_come_back(tmp_path):
    written = [record(accuracy=0.5, extra=[1, 2]), {"figure": "features", "file": "f.npz"}]
    report.write_records(tmp_path / "r.jsonl", written)
    assert report.read_records(tmp_path / "r.jsonl") == written
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl"]
    with open(tmp_path / "r.jsonl", "a") as file:
        file.write("\n\n")
    assert report.read_records(tmp_path / "r.jsonl") == written


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "r.jsonl"
    report.write_records(path, [record()])
    before = path.read_bytes()
    with pytest.raises(ValueError):
        report.write_records(path, [record(), record(accuracy=float("nan"))])
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (record(seed="0"), "field `seed` of type int"),
        (record(role=None), "field `role` of type str"),
        (record(accuracy=93.1), r"`accuracy` must lie in \[0, 1\]. Received: accuracy=93.1"),
        (record(p_value=-0.1), "p_value=-0.1"),
        ({"figure": "pie"}, "triggers, features, evidence"),
    ],
)
def test_wrong_record_is_named_with_its_line(tmp_path, line, message):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(record()) + "\n" + json.dumps(line) + "\n")
    with pytest.raises(ValueError, match=f"line 2: .*{message}"):
        report.read_records(path)


def test_line_that_is_not_json(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"figure": "features"}\n{"cut off')
    with pytest.raises(ValueError, match="r.jsonl, line 2"):
        report.read_records(tmp_path / "r.jsonl")


def test_summary_has_mean_spread_and_verdicts():
    rates = [0.8, 0.9, 1.0]
    verdicts = ["evidence", "no evidence", "evidence"]
    rows = report.summarise(
        [
            record(
                seed=seed,
                rate_held_out=rate,
                decision=decision,
                p_value=10.0**-seed,
                queries=10 * seed,
            )
            for seed, (rate, decision) in enumerate(zip(rates, verdicts, strict=True))
        ]
    )
    (row,) = rows
    assert row["count"] == 3 and row["seeds"] == [0, 1, 2]
    assert row["rate_held_out"] == pytest.approx(0.9)
    assert row["rate_held_out_sd"] == pytest.approx(0.1)
    assert (row["rate_held_out_min"], row["rate_held_out_max"]) == (0.8, 1.0)
    assert (row["evidence"], row["verdicts"]) == (2, 3)
    assert row["p_value"] == 1.0 and row["queries"] == 10
    assert row["accuracy"] is None and row["rate_key_sd"] is None


def test_summary_of_an_attack_counts_successes_where_there_was_evidence():
    outcomes = [(True, 0.2, 0.6), (False, 0.1, 0.5), (None, 0.3, 0.7)]
    rows = report.summarise(
        [
            record(attack="noise", succeeded=won, rate_low=low, rate_high=high, cost=low)
            for won, low, high in outcomes
        ]
    )
    assert (rows[0]["succeeded"], rows[0]["tried"]) == (1, 2)
    assert (rows[0]["rate_low"], rows[0]["rate_high"]) == (0.1, 0.7)
    assert rows[0]["cost"] == pytest.approx(0.2) and rows[0]["labels"] is None


def test_summary_keeps_groups_apart_and_orders_roles():
    mixed = [
        record(role="innocent"),
        record(role="second hop"),
        record(role="soft", attack="pruning 0.5"),
        record(role="soft", attack="pruning 0.25"),
        record(role="soft"),
        record(role="victim"),
        record(role="victim", scheme="paper"),
        record(role="failed", error="broken"),
        {"figure": "features", "file": "f.npz"},
    ]
    rows = report.summarise(mixed)
    found = [(row["scheme"], row["role"], row["attack"]) for row in rows]
    assert found == [
        ("ewe", "victim", ""),
        ("ewe", "soft", "pruning 0.5"),
        ("ewe", "soft", "pruning 0.25"),
        ("ewe", "soft", ""),
        ("ewe", "second hop", ""),
        ("ewe", "innocent", ""),
        ("paper", "victim", ""),
    ]
    assert [r["error"] for r in records_lib.failures(mixed)] == ["broken"]
