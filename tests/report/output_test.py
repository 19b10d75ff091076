import csv
import html.parser
import json
import re

import numpy as np
import pytest

from ewe_tf import report
from ewe_tf.report import charts
from ewe_tf.report import curves
from ewe_tf.report.pictures import project
from ewe_tf.report.pictures import trigger_table


class Checker(html.parser.HTMLParser):
    """Collects text and addresses, and fails on tags that do not close in order."""

    VOID = {"meta", "img", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.words, self.addresses, self.tags = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def parse(path):
    checker = Checker()
    checker.feed(path.read_text())
    assert checker.open == []
    return checker


def model(role, rate, seed=0, **more):
    return {
        "experiment": "digits",
        "dataset": "digits",
        "scheme": "ewe",
        "seed": seed,
        "role": role,
        "accuracy": 0.9,
        "rate_held_out": rate,
        "rate_key": rate,
        "decision": "no evidence" if role == "innocent" else "evidence",
        "p_value": 0.5 if role == "innocent" else 1e-12,
        "queries": 20,
        "command": "python -m experiments.digits --seeds=2",
        **more,
    }


@pytest.fixture
def records(tmp_path):
    generator = np.random.default_rng(0)
    controls = generator.random((3, 8, 8, 1))
    np.savez(tmp_path / "triggers.npz", controls=controls, triggers=controls * 0.9)
    np.savez(
        tmp_path / "features.npz",
        points=generator.random((9, 4)),
        groups=np.arange(9) % 3,
        names=np.array(["task", "target", "watermark"]),
    )
    found = []
    for seed in (0, 1):
        found += [
            model("victim", 0.99, seed, price=0.3, twin_accuracy=0.903),
            model("label-only", 0.8 + 0.1 * seed, seed),
            model("innocent", 0.02, seed),
        ]
        found += [
            model(
                "label-only",
                0.9 - rate,
                seed,
                attack=f"pruning sparsity={rate}",
                family="pruning",
                settings={"sparsity": rate},
                labels=100,
                cost=1.5,
                stolen_rate=0.9,
                scratch_accuracy=0.7,
                needed_accuracy=0.8,
                succeeded=rate > 0.5,
            )
            for rate in (0.2, 0.6)
        ]
    curve = {"name": "label-only", "queries": [1, 2, 3], "p_value": [0.1, 0.01, 0.0001]}
    return [
        *found,
        {"figure": "triggers", "file": "triggers.npz", "seed": 1},
        {"figure": "features", "file": "features.npz"},
        {"figure": "evidence", "curves": [curve], "alpha": 1e-3},
    ]


def test_page_is_one_whole_file_with_the_numbers(tmp_path, records):
    path = report.write(records, tmp_path, title="Digits <1>")
    page = parse(path)
    words = " ".join(page.words)
    assert "Digits <1>" in words and "0.30 points" in words
    assert "85.0 %" in words and "the worst 80 %" in words
    assert "2 of 2" in words and "pruning sparsity=0.6" in words
    assert "2 of 4 removals succeed against ewe" in words and "✗ removed 2 of 2" in words
    assert "acc. 90.0 (−1.5)" in words and "90.0 → 30.0 ●" in words
    assert "needs 80.0: " in words and "✓ held" in words
    assert "Seeds 0, 1." in words and "python -m experiments.digits --seeds=2" in words
    for address in page.addresses:
        assert address.startswith(("data:image/png;base64,", "#"))
    assert "script" not in page.tags and "link" not in page.tags
    assert page.tags.count("img") == 9
    # Scatter, null, two charts of a removal, features, evidence: without their legends.
    assert len(re.findall('role="img"', path.read_text())) == 6


def test_json_and_csv_hold_the_same_records(tmp_path, records):
    report.write(records, tmp_path)
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["records"] == records
    assert len(content["summary"]) == 5
    with open(tmp_path / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10 and [row["role"] for row in rows[:2]] == ["victim", "label-only"]
    assert float(rows[1]["rate_held_out"]) == 0.8 and rows[1]["attack"] == ""


def test_several_schemes_stand_side_by_side(tmp_path, records):
    others = [{**r, "scheme": "paper & co"} for r in records if "figure" not in r]
    failed = model("failed", None, 3, error="victim: <out of memory>")
    page = parse(report.write([*records, *others, failed], tmp_path))
    words = " ".join(page.words)
    assert "Schemes side by side" in words and "All figures of paper & co" in words
    assert "Not measured" in words and "ewe, seed 3: victim: <out of memory>" in words


def test_accused_innocent_is_marked_without_colour(tmp_path):
    accused = model("innocent", 0.6, decision="evidence")
    words = " ".join(parse(report.write([accused], tmp_path)).words)
    assert "✗ 1 of 1 accused" in words


def test_bare_records_are_enough(tmp_path):
    bare = {"experiment": "x", "dataset": "y", "scheme": "z", "seed": 0, "role": "soft"}
    assert "soft" in parse(report.write([bare], tmp_path / "new" / "folder")).words


def test_nothing_to_report(tmp_path):
    with pytest.raises(ValueError, match="at least one model's record"):
        report.write([], tmp_path)


def test_missing_file_of_a_figure_stops_before_anything_is_written(tmp_path, records):
    with pytest.raises(FileNotFoundError):
        report.write(records, tmp_path / "out", arrays=tmp_path / "absent")
    assert not (tmp_path / "out").exists()


def test_a_curve_needs_two_settings_and_keeps_others_apart(records):
    def tuned(rate, labels):
        more = {"settings": {"learning_rate": rate, "labels": labels}, "family": "finetune"}
        return model("soft", rate, attack=f"finetune {rate} {labels}", **more)

    assert curves.removal_curves([tuned(0.1, 10)]) == []
    found = curves.removal_curves([tuned(rate, n) for rate in (0.1, 0.2) for n in (10, 20)])
    assert [title for title, _ in found] == [
        "Removal: finetune over learning rate",
        "Removal: finetune over labels",
    ]
    assert found[0][1].count("ewe, soft, labels 20: accuracy") == 2
    assert curves.query_curve(records) is None


def test_no_evidence_any_more_is_hollow():
    copies = [
        model("label-only", 0.9, thief_queries=1000, extraction="label-only"),
        model("label-only", 0.1, thief_queries=10, extraction="label-only", decision="no evidence"),
    ]
    markup = curves.query_curve(copies)
    assert markup.count("s0 hollow") == 2 and markup.count('class="mark s0"') == 3


def test_points_of_equal_rates_are_kept_apart():
    assert charts._swarm([0.1, 0.1, 0.1, 0.5]) == [0, 1, -1, 0]


def test_labels_are_kept_apart():
    assert charts._spread_labels([50.0, 10.0, 12.0]) == [50.0, 10.0, 23.0]


def test_projection_keeps_distances_of_a_plane():
    generator = np.random.default_rng(1)
    plane = generator.normal(size=(20, 2)) * [3, 1]
    basis, _ = np.linalg.qr(generator.normal(size=(6, 2)))
    projected = project(plane @ basis.T + 5)
    np.testing.assert_allclose(
        np.linalg.norm(projected[:, None] - projected, axis=-1),
        np.linalg.norm(plane[:, None] - plane, axis=-1),
        atol=1e-9,
    )
    assert projected[:, 0].var() >= projected[:, 1].var()
    np.testing.assert_array_equal(project(plane), plane)
    with pytest.raises(ValueError, match=r"shape \(3, 1\)"):
        project(np.zeros((3, 1)))


def test_the_difference_is_shown_where_it_is_small():
    images = np.random.default_rng(2).random((2, 4, 4, 3))
    assert trigger_table(images, images).count("<tr>") == 2
    assert trigger_table(images, 1 - images).count("<tr>") == 2
    assert "at most 0.05" in trigger_table(images, np.clip(images - 0.05, -1, 1))
    with pytest.raises(ValueError, match="same shape"):
        trigger_table(images, images[:1])
