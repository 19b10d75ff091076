import json
import xml.etree.ElementTree as ElementTree

import pytest

import ewe_tf
from ewe_tf.verification import Verdict
from ewe_tf.verification import VerdictError
from ewe_tf.verification import calibrate


@pytest.fixture
def verdict(make_key, suspect):
    return ewe_tf.verify(calibrate(make_key(), [suspect(0.0)]), suspect(0.9))


@pytest.mark.parametrize(
    "change",
    [{"p_value": 1e-9}, {"decision": "no evidence"}, {"hits": 99}, {"suspect": "another"}],
)
def test_an_edited_verdict_is_refused(verdict, change):
    fields = {**json.loads(verdict.to_json()), **change}
    with pytest.raises(VerdictError, match="was edited"):
        Verdict.from_json(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "[1]", "null", "{", '{"sha256": 3}', "[" * 100_000])
def test_something_else_is_no_verdict(text):
    with pytest.raises(VerdictError):
        Verdict.from_json(text)


def test_another_layout_of_the_same_json_is_the_same_verdict(verdict):
    again = json.dumps(json.loads(verdict.to_json()))
    assert Verdict.from_json(again) == verdict


def test_the_plot_ends_above_the_level_where_evidence_was_found(verdict, tmp_path):
    verdict.plot(tmp_path / "evidence.svg")
    root = ElementTree.parse(tmp_path / "evidence.svg").getroot()
    line = root.find("{*}polyline").get("points").split()
    assert len(line) == verdict.asked + 1
    last_y = float(line[-1].split(",")[1])
    (level,) = [e for e in root.findall("{*}line") if e.get("stroke-dasharray")]
    assert last_y <= float(level.get("y1"))
    text = " ".join(e.text for e in root.findall("{*}text"))
    assert "evidence at level 0.001" in text and "stolen" not in text


def test_a_verdict_of_fixed_size_has_no_plot(make_key, suspect, tmp_path):
    verdict = ewe_tf.verify(make_key(), suspect(0.9), sequential=False)
    with pytest.raises(ValueError, match="`plot` needs the path"):
        verdict.plot(tmp_path / "evidence.svg")
