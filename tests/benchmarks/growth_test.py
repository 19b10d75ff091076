import pytest

from benchmarks import growth


def test_the_exponent_is_that_of_the_power_law():
    assert growth.exponent([(1, 99.0), (10, 2.0), (20, 8.0)]) == pytest.approx(2.0)


def test_the_plot_has_a_panel_for_each_curve(tmp_path):
    results = [
        {"curve": curve, "contestant": name, "at": at, "seconds": at * 1e-3}
        for curve in ("layers", "keys asked")
        for name in ("EWE", "plain")
        for at in growth.CURVES[curve][1]
    ]
    growth.plot(results, tmp_path / "growth.svg")
    drawn = (tmp_path / "growth.svg").read_text()
    assert drawn.count(">processor seconds<") == 2 and ">EWE (1.0)<" in drawn


@pytest.mark.slow
def test_curves_are_measured():
    found = growth.measure(["SNNL rows"], 1)
    assert [entry["at"] for entry in found] == list(growth.CURVES["SNNL rows"][1])
    assert all(entry["seconds"] > 0 for entry in found)
