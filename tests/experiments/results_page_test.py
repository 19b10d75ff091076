from experiments import results_page


def record(role, seed, held_out, key, **more):
    return {
        "experiment": "table", "dataset": "mnist", "scheme": "EWE", "seed": seed, "role": role,
        "name": role, "rate_held_out": held_out, "rate_key": key, "decision": "no evidence",
        "command": "python -m experiments.table", "hardware": "2 cores", "rows": 100, **more,
    }  # fmt: skip


def test_the_page_has_means_spread_and_worst_seeds():
    records = [
        record("victim", 0, 1.0, 1.0, price=0.1, accuracy=0.9),
        record("victim", 1, 0.9, 1.0, price=0.3, accuracy=0.8, key_refused="too common"),
        record("label-only", 0, 0.8, 1.0, decision="evidence", queries=12),
        record("label-only", 1, 0.6, 0.9, decision="evidence", queries=20),
        record("soft", 0, 0.9, 1.0),
        record("innocent", 0, 0.0, 0.0),
        record("innocent", 1, 0.02, 0.05),
    ]
    lines = results_page.markdown(records).splitlines()
    rows = [line for line in lines if line.startswith("| EWE")]
    # By hand: sample deviations of (0.8, 0.6) and (0.1, 0.3) are 0.1414, of (1, 0.9) 0.0707.
    assert rows[0] == (
        "| EWE | 2 | 85.0 / - | 0.20 ± 0.14 (0.30) | 95.0 | 70.0 ± 14.1 (60.0) | - | - | 90.0 "
        "| 1.0 (2.0) |"
    )
    assert rows[1] == (
        "| EWE | 95.0 ± 7.1 (90.0) | - | 2.5 (5.0) | 2 of 3 | 0 of 2 | 16 | 1 of 2 |"
    )
    assert "Seeds from 0 on; 100 rows for each party; 2 cores." in lines


def test_only_known_fields_are_kept():
    kept = results_page.kept(record("soft", 0, 0.5, None, trace="...", secret=1))
    assert "trace" not in kept and "secret" not in kept and "rate_key" not in kept
    assert kept["rate_held_out"] == 0.5
