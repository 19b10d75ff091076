import importlib.util
import json

import pytest

from benchmarks import suite


def test_every_part_is_a_program():
    for part in [*suite.PARTS, "original"]:
        assert importlib.util.find_spec(f"benchmarks.{part}")
    assert list(suite.commands(["step"], None, None)) == ["step"]
    assert suite.commands([], "a", "b") == {
        "original": ["benchmarks.original", "--original=a", "--python=b"]
    }


def test_a_part_that_fails_gives_nothing(tmp_path, capfd):
    assert suite.run("nonsense", ["nonsense"], tmp_path) is None
    assert "No module named" in capfd.readouterr().err


@pytest.mark.slow
def test_results_come_as_json(tmp_path):
    command = ["benchmarks.import_time", "--repetitions=1"]
    found = suite.run("import_time", command, tmp_path)
    assert [entry["part"] for entry in found["results"]][0] == "tensorflow and keras"
    assert found["machine"]["cores"] >= 1 and json.dumps(found)
