"""The scoreboard of Fig. 6: intervals, verdicts, and the six rows against made runs."""

import statistics

import pytest
from scipy import stats
from standins import stand_in

from bitdoc.records import runs
from bitdoc.studies.fewshot import scoreboard as board
from bitdoc.studies.fewshot.scoreboard import Estimate


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    return tmp_path


def write(model, shots, accuracies):
    for seed, accuracy in enumerate(accuracies):
        runs.write(stand_in(model, shots, seed, accuracy))


@pytest.mark.parametrize("degrees", [4, 5, 9, 19, 49, 1000])
def test_student(degrees):
    assert board.student(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=2e-3)


def test_an_estimate_is_the_textbooks_interval():
    values = [3.0, 5.0, 4.0, 8.0, 6.0]
    low, high = stats.t.interval(0.95, 4, statistics.fmean(values), stats.sem(values))
    found = board.estimate(values)
    assert (found.mean, found.subsets) == (5.2, 5)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    assert str(found) == "+5.2 (2.8 to 7.6)"
    assert board.estimate(values[:4]) is None, "four runs are too few for an interval"


def test_the_ratio_of_spreads_covers_one_for_equal_samples():
    same = [1.0, 2.0, 3.0, 4.0, 5.0]
    found = board.ratio_of_spreads([10 * x for x in same], same)
    assert found.mean == pytest.approx(10) and 1 < found.low < 10 < found.high
    assert board.ratio_of_spreads(same, same).low < 1 < board.ratio_of_spreads(same, same).high
    assert board.ratio_of_spreads(same, same[:3]) is None


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([(1, 3)], "yes"),
        ([(-1, 3)], "open"),
        ([(-3, -1)], "no"),
        ([(1, 3), (2, 4)], "yes"),
        ([(1, 3), (-1, 4)], "open"),
        ([(1, 3), (-2, -1)], "no"),
        ([None], "open"),
        ([(1, 3), None], "open"),
    ],
)
def test_verdict(intervals, expected):
    found = [None if pair is None else Estimate(sum(pair) / 2, *pair, 5) for pair in intervals]
    assert board.verdict(found, above=0) == expected


def test_only_runs_on_the_same_subset_are_compared(results):
    write(board.NETWORK, 1, (30, 31, 32, 33, 34, 35))
    write(board.SCRATCH, 1, (10, 11, 12, 13, 14))
    found = board.gain(board.by_subset(board.NETWORK, 1), board.by_subset(board.SCRATCH, 1))
    assert found == Estimate(20, 20, 20, 5)


def test_nothing_measured_is_open(results):
    assert [row.agrees for row in board.behaviors()] == ["open"] * 7
    assert {row.measured for row in board.behaviors()} == {"not measured"}


def test_each_row_can_say_yes_and_no(results):
    wide, narrow, narrower, tenth = board.NETWORK, board.SMALL, board.SMALLER, board.TENTH
    luck = (-4, -2, 0, 2, 4)

    def make(one, two, five, ten, spread_at_five, scratch=12):
        for shots, level, scale in ((1, one, 1), (2, two, 1), (5, five, spread_at_five), (10, ten, spread_at_five)):
            write(wide, shots, [level + scale * x for x in luck])
            write(board.SCRATCH, shots, [scratch + x for x in luck])
            write(wide + tenth, shots, [level - 9 + scale * x for x in luck])
            write(narrow, shots, [level - 8 + scale * x for x in luck])
            write(narrow + tenth, shots, [level - 10 + scale * x for x in luck])
            write(narrower, shots, [level - 16 + scale * x for x in luck])
            write(narrower + tenth, shots, [level - 11 + scale * x for x in luck])

    make(40, 60, 80, 99, 0.1)
    assert [row.agrees for row in board.behaviors()] == ["yes"] * 7
    for path in results.rglob("*.json"):
        path.unlink()
    make(40, 39, 38, 37, 5, scratch=42)
    for shots, level in ((1, 40), (5, 38)):
        write(wide + tenth, shots, [level + 9 + x for x in luck])
        write(wide, shots, [level + (5 if shots == 5 else 1) * x for x in luck])
    write(narrow, 5, [38 + 5 * x for x in luck])
    write(narrower, 5, [37 + 5 * x for x in luck])
    write(narrow + tenth, 5, [36 + x for x in luck])
    write(narrower + tenth, 5, [30 + x for x in luck])
    assert [row.agrees for row in board.behaviors()] == ["no"] * 7


def test_the_committed_runs_say_what_the_page_says():
    """Four yes and the rise no; the scatter and what size brings R50x3 are open: the page explains all three."""
    assert [row.agrees for row in board.behaviors()] == ["yes", "no", "open", "yes", "yes", "open", "yes"]
    paper_rise = float(board.the_rise().published.split(" ")[0])
    ours = board.gain(board.by_subset(board.NETWORK, 5), board.by_subset(board.NETWORK, 1))
    assert 0.6 < ours.mean / paper_rise < 0.7, "two thirds as steep"
    assert len(board.by_subset(board.SMALL, 5)) == 50, "the page says how many"
    for shots in (1, 2, 5, 10):
        width = board.gain(board.by_subset(board.NETWORK, shots), board.by_subset(board.ALIKE, shots))
        assert (width.low > 0) == (shots >= 5), "the lead over R50x1 is sure at five and ten examples only"
