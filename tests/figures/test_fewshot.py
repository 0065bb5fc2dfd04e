"""The few-shot page's figures and tables on stand-in records, and its words against the real ones."""

import statistics
from dataclasses import replace

import pytest
from standins import stand_in

from bitdoc.figures import draw, registry, tables, values
from bitdoc.figures.fewshot import by_setting, grown
from bitdoc.figures.fewshot import tables as page
from bitdoc.figures.fewshot.common import records_of
from bitdoc.literature import published
from bitdoc.records import runs
from bitdoc.studies.fewshot import likeness, scoreboard, short_rule, which_runs
from bitdoc.training import upstream


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    return tmp_path


def write(model, shots, accuracies, **setting):
    for seed, accuracy in enumerate(accuracies):
        runs.write(stand_in(model, shots, seed, accuracy, **setting))


def lines(ax):
    return [line.get_xydata().tolist() for line in ax.get_lines() if line.get_linestyle() in ("-", "--")]


def test_the_measured_panel_has_the_papers_layout(results):
    """Architectures across, a line for each upstream set and number of examples, light marks for runs."""
    write("BiT-T-R26x0.25", 5, (20, 22, 24))
    write("BiT-T-R26x0.5", 5, (30, 31, 35))
    write("BiT-T-R26x0.5-10pct", 1, (15, 16, 17))
    right = draw("few-shot").axes[1]
    assert [[1, 22], [2, 31]] in lines(right) and [[2, 16]] in lines(right)
    dots = sorted(y for line in right.get_lines() if line.get_linestyle() == "None" for y in line.get_ydata())
    assert dots == [15, 16, 17, 20, 22, 24, 30, 31, 35]
    assert [t.get_text() for t in right.get_xticklabels()] == ["R14x0.125", "R26x0.25", "R26x0.5", "R50x1", "R50x3"]
    assert {"100,000, 5", "10,000, 1"} <= {t.get_text() for t in right.texts}
    assert "100,000, 5 per class: R26x0.25 22, R26x0.5 31" in registry()["few-shot"].alt
    assert "older code" in registry()["few-shot"].measured and "stand-in" in registry()["few-shot"].measured


def test_networks_that_were_fine_tuned_otherwise_are_not_joined(results):
    write("BiT-T-R26x0.5", 5, (30, 31, 35), crop=64)
    write("BiT-T-R50x1", 5, (40, 41, 42), crop=32)
    write("BiT-T-R50x3", 5, (43, 44, 45), crop=32)
    found = lines(draw("few-shot").axes[1])
    assert [[2, 31]] in found and [[3, 41], [4, 44]] in found


def test_runs_of_one_network_that_differ_are_refused(results):
    write("R26x0.5", 1, (15.0,), base_lr=0.03)
    runs.write(stand_in("R26x0.5", 5, 0, 19.0, base_lr=0.3))
    with pytest.raises(runs.RecordError, match="cannot stand on one line: base_lr is 0.03 and 0.3"):
        draw("few-shot")


def test_without_records_nothing_is_promised(results):
    """No frame, no command, no word of runs to come."""
    for name in ("few-shot", "few-shot-miniature", "few-shot-r50x3"):
        texts = " ".join(t.get_text() for ax in draw(name).axes for t in ax.texts)
        assert "not run" not in texts and "--run" not in texts and "not measured" not in texts
    assert "nothing yet" in registry()["few-shot"].alt
    assert "nothing has been measured yet" in registry()["few-shot-miniature"].alt


def test_the_published_panel_is_the_papers(results):
    left = draw("few-shot").axes[0]
    medians = published.FIG6_MEDIANS.values["cifar10"]
    drawn = [list(line.get_ydata()) for line in left.get_lines()]
    for shots in (1, 5):
        for data in "SML":
            assert [medians[shots][net][data] for net in ("R50x1", "R101x1", "R50x3", "R101x3", "R152x4")] in drawn


def test_the_miniature_is_drawn_by_number_of_examples(results):
    write(which_runs.SHIPPED, 1, (24, 25, 29))
    write(which_runs.SHIPPED, 5, (40, 41, 45))
    dots, line = draw("few-shot-miniature").axes[0].get_lines()
    assert sorted(dots.get_ydata()) == [24, 25, 29, 40, 41, 45]
    assert line.get_xydata().tolist() == [[1, 25], [5, 41]]


def test_r50x3_shows_every_published_run(results):
    left, right = draw("few-shot-r50x3").axes
    drawn = sorted(y for line in left.get_lines() if len(line.get_ydata()) == 5 for y in line.get_ydata())
    known = [y for p in (published.FIG6_R50X3_RUNS.values[k] for k in (1, 5)) for five in p.values() for y in five]
    assert drawn == sorted(known + [y for five in published.COURSE_REPORT_R50X3.values.values() for y in five])
    assert not right.get_lines()


def test_r50x3_fills_in_as_runs_are_made(results):
    for shots, accuracy in ((1, 30.0), (5, 44.0)):
        write("BiT-T-R50x3", shots, (accuracy,))
        write("BiT-M-R50x3", shots, (accuracy + 30,))
    right = draw("few-shot-r50x3").axes[1]
    assert [30.0, 44.0] in [list(line.get_ydata()) for line in right.get_lines()]
    assert "BiT-T-R50x3 has 30% at 1 and 44% at 5 per class" in registry()["few-shot-r50x3"].alt
    assert "100,000 pictures" in [t.get_text() for t in right.texts]


def test_the_table_of_upstream_networks_shows_the_run_of_each_recipe(results):
    choice = replace(upstream.CHOICE, model="R26x0.25", fraction=0.1)
    record = stand_in("R26x0.25", 1, 0, 12.5, steps=1000, batch=128)
    runs.write(replace(record, experiment="pretrain", name=choice.tag))
    runs.write(replace(record, experiment="pretrain", name=replace(choice, seed=1).tag, result={"top1": 99.0}))
    rows = page.upstream()
    assert rows[1] == ["R14x0.125", "10,000", "not measured yet", ""]
    assert rows[3] == ["R26x0.25", "10,000", "12.5%", "0.13 million"]
    assert rows[4][2] == "not measured yet"


# What the page says in words, held against the committed runs.


def read(name: str) -> float:
    return float(values()[name]().rstrip("%").replace("−", "-"))


def test_most_of_the_gain_is_in_the_features():
    for shots in (1, 10):
        gain = read(f"miniature-{shots}") - read(f"scratch-{shots}")
        assert read(f"probe-{shots}") - read(f"scratch-{shots}") > gain / 2


def test_width_did_not_pay():
    of = lambda model, shots: statistics.median(  # noqa: E731
        r.result["top1"] for r in runs.load(which_runs.GROWN, model=model, examples_per_class=shots)
    )
    for shots in which_runs.SHOTS:
        assert abs(of(grown.GROWN, shots) - of(grown.PARENT, shots)) < 1, "less than a point"
    assert 5 < read("grown-wins") < 15, "neither wins on most subsets"
    assert read("grown-upstream-birth") == read("grown-upstream-parent"), "growing changes nothing"


def test_r50x1_says_the_same_of_steps_and_sides_and_no_transfer_gains_little_by_more_steps():
    for steps, side, low, high in ((500, 64, -2, 4), (25, 64, -15, -4), (100, 32, -18, -5), (100, 128, -18, -5)):
        found = by_setting.differences(steps, side, by_setting.LARGER)
        assert found and low < statistics.fmean(found) < high
    gain = scoreboard.beats_scratch().measured.split("at 10: +")[1].split(" ")[0]
    assert float(values()["no-transfer-gain"]().split(" ")[0]) < float(gain) / 4, "far less than transfer brings"


def test_nothing_drives_copies_apart_and_the_parent_is_ahead():
    for choice in likeness.GROWN:
        (record,) = runs.load(likeness.EXPERIMENT, name=choice.tag)
        assert record.result["birth"] == pytest.approx(1, abs=1e-3)
        assert record.result["noise"] == pytest.approx(1 / (1 + choice.noise**2), abs=0.005)
        assert record.result["end"] == pytest.approx(record.result["noise"], abs=0.01)
    best = max(page.pretraining(choice).result["top1"] for choice in likeness.GROWN)
    assert best < page.pretraining(likeness.PARENT).result["top1"]


def test_the_rise_grows_with_the_upstream_set():
    rises = [read(f"rise-{name}") for name in ("none", "tenth", "all")] + [read(f"r50x3-rise-{u}") for u in "SM"]
    assert rises == sorted(set(rises))
    assert statistics.median(published.FIG6_R50X3_RUNS.values[5]["L"]) == pytest.approx(93, abs=0.5)


def test_the_wide_network_was_trained_as_the_page_says():
    """Thirty passes in six minutes on one card; a tenth of the pictures, ninety times."""
    whole, tenth = (page.pretraining(upstream.choice_for(f"BiT-T-R50x3{suffix}")) for suffix in ("", "-10pct"))
    assert 5.5 < whole.cost["seconds"] / 60 < 6.5 and whole.setting["processes"] == 1
    for record, pictures, passes in ((whole, 100_000, 30), (tenth, 10_000, 90)):
        seen = record.setting["steps"] * record.setting["batch"]
        assert seen / pictures == pytest.approx(passes, rel=0.001)


def test_a_tenth_is_learned_by_heart():
    assert read("upstream-loss-tenth") < read("upstream-loss-all") / 2


def test_five_birds_want_a_network_that_has_seen_more():
    assert read("bird-data") > 2 * read("bird-size") > 0


def test_the_report_lies_inside_the_papers_spread():
    for shots in (1, 5):
        five = published.FIG6_R50X3_RUNS.values[shots]["M"]
        assert min(five) < read(f"r50x3-report-{shots}") < max(five)


def test_subsets_and_steps_are_as_the_page_says():
    more = {("BiT-T-R50x3", k): n for k, n in ((1, 10), (2, 10), (5, 8), (10, 8))}
    more |= {("BiT-T-R26x0.5", k): 50 for k in (1, 5)} | {("BiT-T-R50x1", k): 8 for k in (5, 10)}
    for model in ("BiT-T-R26x0.5", "R26x0.5", "BiT-T-R50x3", "BiT-T-R50x3-10pct", "BiT-T-R50x1", "R50x3"):
        for shots, group in runs.group(records_of(model), "examples_per_class").items():
            expected = list(range(more.get((model, shots), 5)))
            assert sorted(r.setting["subset_seed"] for r in group) == expected, (model, shots)
        assert {tuple(r.setting["schedule"])[-1] for r in records_of(model)} <= {100}


def test_the_table_of_medians_shows_median_and_range():
    rows = page.medians()
    assert rows[0] == ["network", "1", "2", "5", "10"] and len(rows) == 7
    ours = sorted(r.result["top1"] for r in records_of("R50x3") if r.setting["examples_per_class"] == 5)
    assert rows[3][3] == f"{ours[2]:.1f} ({ours[0]:.1f}–{ours[-1]:.1f})"
    assert "few-shot-medians" in tables()


def test_a_hundred_steps_are_enough_at_the_size_of_the_upstream_pictures():
    longer, shorter = (by_setting.gain(steps, short_rule.USUAL_SIDE) for steps in (500, 25))
    assert longer.subsets == shorter.subsets == 5
    assert longer.low < 0 < longer.high < 2 and shorter.high < -1  # "enough": no gain shows, and none above 2 points
    sides = [by_setting.gain(short_rule.USUAL_STEPS, side) for side in (32, 96, 128)]
    assert max(side.high for side in sides) < -2


def test_the_grown_network_is_no_better_than_its_parent_and_its_loss_first_rose():
    parent, grown = (page.pretraining(upstream.LADDER[f"BiT-T-{arch}-regularized"]) for arch in ("R26x0.5", "R50x1"))
    assert abs(grown.result["top1"] - parent.result["top1"]) < 0.5
    loss = grown.curve["loss"]
    assert max(loss[:10]) > loss[0] + 0.1 and loss[-1] < loss[0]
    assert grown.setting["steps"] * grown.setting["batch"] == pytest.approx(7 * 100_000, rel=0.001)
