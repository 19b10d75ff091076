import xml.etree.ElementTree as ElementTree

import pytest

from ewe_tf.report.svg import MARKERS
from ewe_tf.report.svg import Axis
from ewe_tf.report.svg import Chart
from ewe_tf.report.svg import nice_ticks


def test_ticks_are_round_and_inside():
    assert nice_ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks(83.2, 87.9) == [84, 85, 86, 87]
    assert nice_ticks(-3, 12, about=3) == [0, 5, 10]


def test_axes_map_data_to_fractions():
    assert Axis(10, 20).fraction(12.5) == 0.25
    assert Axis(1e-6, 1, log=True).fraction(1e-3) == pytest.approx(0.5)
    assert Axis(0, 1).fraction(7) == 1.0
    assert [text for _, text in Axis(1e-30, 1, log=True).marks()][:2] == ["1", "1e-05"]


@pytest.mark.parametrize("arguments", [(1, 1), (2, 1), (0, 1, "", True)])
def test_impossible_axes(arguments):
    with pytest.raises(ValueError, match="`low` must be below `high`"):
        Axis(*arguments)


def test_chart_places_points_and_is_well_formed():
    chart = Chart(
        Axis(0, 10), Axis(0, 1), "a <b>", width=200, height=100, left=20, right=0, top=0, bottom=20
    )
    assert chart.place(5, 0.5) == (110, 40)
    for series, kind in enumerate(MARKERS):
        chart.point(series, 0.5, series, title=f"{kind} & more")
    chart.line([(0, 0), (10, 1)], 1)
    chart.rule("level", y=0.5)
    chart.words("<end>", 10, 1, series=2)
    root = ElementTree.fromstring(chart.svg())
    assert root.get("aria-label") == "a <b>"
    marks = [one for one in root if "mark" in (one.get("class") or "")]
    assert len(marks) == 6 and len({one.get("class") for one in marks}) == 6
    assert marks[0].find("title").text == "circle & more"
    (line,) = [one for one in root if (one.get("class") or "").startswith("line")]
    assert line.get("d") == "M20,80L200,0" and line.get("stroke-dasharray")
