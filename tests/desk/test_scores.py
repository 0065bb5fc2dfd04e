"""Numbers of a report against hand-made answers."""

from __future__ import annotations

import pytest
import torch

from bitdoc.desk import scores
from bitdoc.desk.scores import Outcome

#: Four answers on two classes: right and sure, right and unsure, wrong and sure, right and sure.
SHARES = torch.tensor([[0.95, 0.05], [0.55, 0.45], [0.9, 0.1], [0.05, 0.95]])
OUTCOME = Outcome([3, 5, 7, 9], torch.tensor([0, 0, 1, 1]), SHARES)


def test_counts():
    assert OUTCOME.accuracy == 75
    assert scores.confusion(OUTCOME).tolist() == [[2, 0], [1, 1]]
    assert scores.of_classes(OUTCOME) == [100, 50]
    assert scores.mistakes(OUTCOME) == [2]
    assert OUTCOME.plain()["mean_of_classes"] == 75


def test_reliability():
    bins = scores.reliability(OUTCOME)
    assert [count for *_, count in bins] == [1, 3]
    assert bins[1][0] == pytest.approx(0.9333, abs=1e-3) and bins[1][1] == pytest.approx(2 / 3)
    expected = 100 * (1 * abs(0.55 - 1) + 3 * abs(0.9333 - 2 / 3)) / 4
    assert scores.calibration_error(OUTCOME) == pytest.approx(expected, abs=0.01)


def test_the_interval_holds_the_accuracy_and_shrinks():
    widths = []
    for n in (20, 80, 320):
        low, high = scores.interval(torch.arange(n) % 4 > 0)
        assert low < 75 < high
        widths.append(high - low)
    assert widths[0] > 1.7 * widths[1] > 2.8 * widths[2]
    # The normal approximation: 1.96 * sqrt(p (1 - p) / n).
    assert widths[2] == pytest.approx(2 * 196 * (0.75 * 0.25 / 320) ** 0.5, rel=0.1)


@pytest.mark.parametrize(("n", "least"), [(5, 47.8), (40, 91.2)])
def test_all_right_is_no_certainty(n, least):
    low, high = scores.interval(torch.ones(n, dtype=torch.bool))
    assert high == 100 and low == pytest.approx(least, abs=0.05)
    assert scores.interval(torch.zeros(n, dtype=torch.bool)) == (0, pytest.approx(100 - least, abs=0.05))


def test_a_class_that_was_not_tested_has_no_accuracy():
    outcome = Outcome([0], torch.tensor([0]), torch.tensor([[0.5, 0.3, 0.2]]))
    assert scores.of_classes(outcome) == [100, None, None]


def test_median_and_spread():
    assert scores.median_and_spread([3.0, 1.0, 2.0]) == (2, 1, 3)
    assert scores.median_and_spread([4.0, 1.0, 2.0, 3.0]) == (2.5, 1, 4)
