import json
import re

import pytest

from experiments.picture import draw
from experiments.picture import rows_of

PLACE = {"experiment": "toy", "dataset": "toys", "scheme": "EWE"}


def test_bars_are_means_and_lines_are_the_worst(tmp_path):
    records = [
        {**PLACE, "seed": seed, "role": role, "rate_held_out": rate}
        for role, rates in (("label-only", (0.25, 0.75)), ("innocent", (0.0, 0.125)))
        for seed, rate in enumerate(rates)
    ]
    records.append({**records[0], "attack": "fine-tuning", "rate_held_out": 0.0})
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    drawn = draw(rows_of(path), ["EWE"], "a < b")
    # From 150 to 714: halfway, a quarter, and an eighth of the way.
    widths = [float(w) for w in re.findall(r'width="([\d.]+)"/>', drawn)]
    assert [w for w in widths if w != 11] == [282.0, 70.5]
    assert 'class="worst" d="M291.0,' in drawn and ">50.0<" in drawn and ">12.5<" in drawn
    assert "a &lt; b" in drawn


def test_unknown_schemes_are_named():
    row = {**PLACE, "role": "soft", "rate_held_out": 0.5, "rate_held_out_min": 0.25}
    assert ">50.0<" in draw([row], ["EWE"], "")
    with pytest.raises(ValueError, match="no scheme 'MEA'"):
        draw([row], ["MEA"], "")
