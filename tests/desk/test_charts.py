"""Drawings of a report: sound XML, marks in their places, the finding in words."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from bitdoc.desk import charts, report


def marks(svg, kind):
    return [node for node in ElementTree.fromstring(svg).iter() if node.get("class") == kind]


def test_higher_is_higher_and_later_is_further_right():
    svg = charts.learning({10: [50.0, 60.0, 40.0], 40: [80.0]})
    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in marks(svg, "dot")]
    assert len(dots) == 4 and dots[3][0] > dots[0][0] and dots[3][1] < dots[1][1] < dots[0][1] < dots[2][1]
    assert ElementTree.fromstring(svg).get("aria-label") == "Learning curve: 50 % with 10, 80 % with 40"


def test_reliability_tells_its_numbers():
    svg = charts.reliability([(0.55, 0.5, 10), (0.95, 0.7, 30)])
    small, large = (float(dot.get("r")) for dot in marks(svg, "dot"))
    assert small < large
    assert "95 % sure, 70 % right (30)" in ElementTree.fromstring(svg).get("aria-label")


def test_a_training_without_validation_has_one_line():
    assert len(marks(charts.training([(1, 2.0), (2, 1.0)], [], 2), "second")) == 0
    assert len(marks(charts.training([(1, 2.0), (2, 1.0)], [(2, 1.5)], 2), "second-dot")) == 1


@pytest.mark.parametrize(
    ("learning", "told"),
    [
        ({20: [50.0, 52.0, 51.0], 40: [60.0]}, "still rises"),
        ({20: [50.0, 70.0, 55.0], 40: [60.0]}, "no larger than chance"),
        ({20: [60.0, 60.0, 61.0], 40: [60.5]}, "is flat"),
        ({20: [95.0], 40: [100.0]}, "nothing left to gain"),
    ],
)
def test_whether_more_labels_would_help(learning, told):
    assert told in report.more_labels(learning)
