"""The sweep behind Fig. 6: plan, resuming, sharing, checking, and the figure on stand-in records."""

import argparse
from dataclasses import replace

import pytest
import torch

from bitdoc import data
from bitdoc.figures import draw, registry, values
from bitdoc.figures.fewshot import lead as figures
from bitdoc.literature import published
from bitdoc.records import runs
from bitdoc.studies import probe
from bitdoc.studies.fewshot import fig6, sweep
from bitdoc.training import finetune, recipe
from bitdoc.training.loop import TrainingError


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def cifar(monkeypatch):
    """Forty stand-in images in CIFAR-10's ten classes, and a recipe of two small steps."""
    pixels = torch.randint(0, 256, (40, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images = data.Images("cifar10", "train", "made", data.CIFAR10_CLASSES, torch.arange(40) % 10, pixels)
    monkeypatch.setattr(sweep, "cifar10", lambda datadir, split: replace(images, split=split))
    small = finetune.Recipe(20, 16, (0, 1, 1, 1, 2), batch=4, base_lr=0.01)
    monkeypatch.setattr(sweep, "miniature", lambda examples, **changes: replace(small, **changes))
    sweep.resized_test.cache_clear()
    sweep.held_out_split.cache_clear()
    yield images
    sweep.resized_test.cache_clear()
    sweep.held_out_split.cache_clear()


def flags(*arguments):
    parser = argparse.ArgumentParser()
    sweep.arguments(parser)
    return parser.parse_args(["--model", "R14x0.25", *arguments])


def test_the_plan_is_every_subset_at_every_number_of_shots():
    todo = fig6.plan("BiT-M-R50x3")
    assert len(todo) == 20 and len({run.name for run in todo}) == 20
    assert {run.shots for run in todo} == {1, 2, 5, 10}


def test_recipes_by_model():
    images = data.Images("cifar10", "train", "", data.CIFAR10_CLASSES, torch.zeros(1), torch.zeros(1, 3, 32, 32))
    full = sweep.recipe_for(fig6.Run("BiT-M-R50x3", "fine-tune", 5, 0), images)
    assert full == finetune.rule(50, (32, 32))
    assert sweep.recipe_for(fig6.Run(fig6.SHIPPED, "fine-tune", 5, 0), images) == finetune.miniature(50)
    scratch = sweep.recipe_for(fig6.Run("R26x0.5", "fine-tune", 5, 0), images)
    assert scratch == finetune.miniature(50, **recipe.FROM_SCRATCH)
    for model, changes in (("BiT-T-R50x3", {}), ("BiT-T-R50x1", {}), ("R50x3", recipe.THUMBNAIL_FROM_SCRATCH)):
        grown = sweep.recipe_for(fig6.Run(model, "fine-tune", 5, 0), images, grown=True)
        assert grown == recipe.thumbnail(50, **changes)


@pytest.mark.parametrize("start", [fig6.SHIPPED, "R26x0.5"])
def test_the_settings_in_use_are_the_best_of_the_recorded_trials(start):
    images = data.Images("cifar10", "train", "", data.CIFAR10_CLASSES, torch.zeros(1), torch.zeros(1, 3, 32, 32))
    used = sweep.recipe_for(fig6.Run(start, "fine-tune", 5, 0), images)
    trials = runs.load("few-shot-choice", model=start, method="fine-tune", examples_per_class=5)
    trials = [r for r in trials if r.setting["subset_seed"] in (0, 1)]  # the subsets that saw every setting
    settings = runs.group(trials, lambda r: (r.setting["base_lr"], *figures._enlarged(r).split(", ")))
    whole = {key: [r.result["top1"] for r in group] for key, group in settings.items() if len(group) == 2}
    assert len(whole) > 3
    best = max(whole, key=lambda key: sum(whole[key]))
    assert best == (used.base_lr, str(used.resize), used.interpolation)


def test_the_probes_penalty_is_the_best_of_the_recorded_trials():
    trials = runs.load("few-shot-choice", model=fig6.SHIPPED, method="linear-probe")
    by_penalty = runs.group(trials, "penalty")
    assert len(by_penalty) > 3 and len({len(group) for group in by_penalty.values()}) == 1
    assert max(by_penalty, key=lambda x: sum(r.result["top1"] for r in by_penalty[x])) == probe.PENALTY


def test_the_thumbnails_rate_is_the_best_of_the_recorded_trials():
    used, parents = recipe.thumbnail(50).base_lr, figures.fewshot_r50x3.PARENT
    trials = [r for r in runs.load("few-shot-choice") if r.model in (figures.fewshot_r50x3.GROWN, parents)]

    def accuracies(of):
        return {rate: [r.result["top1"] for r in group] for rate, group in runs.group(of, "base_lr").items()}

    parent = accuracies(r for r in trials if r.model == parents)
    assert len(parent) == 3 and {len(found) for found in parent.values()} == {4}
    everywhere = accuracies(r for r in trials if r.setting["examples_per_class"] == 5 and r.setting["base_lr"] >= 0.03)
    assert len(everywhere) == 2 and {len(found) for found in everywhere.values()} == {4}
    for tried in (parent, everywhere):
        assert max(tried, key=lambda rate: sum(tried[rate])) == used


def test_the_thumbnails_settings_from_random_weights_are_the_best_of_the_recorded_trials():
    trials = runs.group(
        runs.load("few-shot-choice", model="R50x3"),
        lambda r: (r.setting["base_lr"], r.setting["resize"], r.setting["examples_per_class"]),
    )
    used = recipe.thumbnail(50, **recipe.THUMBNAIL_FROM_SCRATCH)
    assert {len(group) for group in trials.values()} == {2}
    for shots in ((1, 5), (1, 5, 10)):  # five rates were tried with two numbers of examples, two rates with three
        total = {
            (rate, side): sum(r.result["top1"] for k in shots for r in trials[rate, side, k])
            for rate, side in {key[:2] for key in trials}
            if all((rate, side, k) in trials for k in shots)
        }
        assert len(total) > 3 and max(total, key=total.get) == (used.base_lr, used.resize)


def test_a_sweep_makes_only_what_is_missing(results, cifar):
    todo = fig6.plan("R14x0.25", shots=(1, 2), seeds=(0,))
    assert [r.name for r in sweep.sweep(todo[:1], None)] == ["R14x0.25_fine-tune_1_0"]
    assert [r.name for r in sweep.sweep(todo, None)] == ["R14x0.25_fine-tune_2_0"]
    assert sweep.sweep(todo, None) == []
    first = runs.load(fig6.EXPERIMENT)[0]
    assert first.setting["test_images"] == 40 and first.setting["test_split"] == "test"


def test_a_killed_sweep_loses_only_the_run_under_way(results, cifar, monkeypatch):
    todo = fig6.plan("R14x0.25", shots=(1,), seeds=(0, 1, 2))
    original = sweep.make

    def killed(run, *args, **options):
        if run.seed == 1:
            raise KeyboardInterrupt
        return original(run, *args, **options)

    monkeypatch.setattr(sweep, "make", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep.sweep(todo, None)
    monkeypatch.setattr(sweep, "make", original)
    assert len(sweep.sweep(todo, None)) == 2


def test_parts_share_a_sweep_without_overlap():
    todo = fig6.plan("R26x0.5")
    parts = [fig6.part(todo, f"{i}/3") for i in (1, 2, 3)]
    assert sorted((r for p in parts for r in p), key=lambda r: r.name) == sorted(todo, key=lambda r: r.name)
    for wrong in ("0/3", "4/3", "half"):
        with pytest.raises(TrainingError, match="expected i/n"):
            fig6.part(todo, wrong)


def test_choices_are_judged_on_held_out_training_images(results, cifar, monkeypatch):
    monkeypatch.setattr(sweep.held_out_split.__wrapped__, "__defaults__", (2,))
    rest, judged = sweep.held_out_split(None)
    assert len(rest) == 20 and len(judged) == 20 and judged.split == "held-out part of train"
    pixels = {tuple(p.flatten().tolist()) for p in rest.pixels}
    assert not any(tuple(p.flatten().tolist()) in pixels for p in judged.pixels)
    record = sweep.make(fig6.Run("R14x0.25", "fine-tune", 1, 0), None, held_out=True, base_lr=0.5)
    assert record.experiment == "few-shot-choice" and record.setting["test_split"] == "held-out part of train"


def test_dry_run_prints_and_makes_nothing(results, capsys):
    assert sweep.command(flags("--dry-run", "--shots", "1", "--seeds", "0", "1")) == 0
    out = capsys.readouterr().out
    assert "2 runs, 0 of them done" in out and "R14x0.25_fine-tune_1_1: 100 steps, 6,400 images of 64 px" in out
    assert list(results.iterdir()) == []


def test_check_repeats_a_cached_run(results, cifar, capsys):
    assert sweep.command(flags("--check")) == 1
    assert "no cached run to check" in capsys.readouterr().err
    assert sweep.command(flags("--run", "--shots", "2", "--seeds", "0")) == 0
    assert sweep.command(flags("--check")) == 0
    assert "recorded" in capsys.readouterr().out
    record = runs.load(fig6.EXPERIMENT)[0]
    runs.write(replace(record, result=record.result | {"top1": record.result["top1"] + 50}))
    assert sweep.command(flags("--check")) == 1


def stand_in(model, shots, seed, accuracy, **setting):
    base = {"method": "fine-tune", "examples_per_class": shots, "subset_seed": seed, "encoding": "stand-in"}
    return runs.RunRecord(
        fig6.EXPERIMENT,
        f"{model}_fine-tune_{shots}_{seed}",
        model,
        base | setting,
        {"top1": accuracy},
        environment={"device": "stand-in"},
        code={"digest": "stand-in"},
        date="2026-01-01T00:00:00+00:00",
    )


def test_the_figure_draws_dots_and_medians_of_the_records(results):
    five = {k: published.FIG6_R50X3_RUNS.values[k]["M"] for k in (1, 5)}
    for shots, accuracies in five.items():
        for seed, accuracy in enumerate(accuracies):
            runs.write(stand_in("BiT-M-R50x3", shots, seed, accuracy))
    assert fig6.medians(figures.records_of("BiT-M-R50x3")) == {1: 52.3, 5: 85.5}
    left = draw("few-shot").axes[0]
    dots, line = left.get_lines()
    assert sorted(dots.get_ydata()) == sorted(five[1] + five[5])
    assert list(line.get_xydata().flatten()) == [1, 52.3, 5, 85.5]
    assert "BiT-M-R50x3" in [t.get_text() for t in left.texts]
    assert "stand-in" in figures._caption() and "older code" in figures._caption()


def test_without_records_the_figure_shows_an_empty_place_and_the_command(results):
    texts = [t.get_text() for t in draw("few-shot").axes[0].texts]
    assert any("not run yet" in t and "--run --model BiT-M-R50x3" in t for t in texts)
    assert "nothing has been measured yet" in figures._alt()


def frames(ax):
    return [t.get_text() for t in ax.texts if "not run yet" in t.get_text()]


def test_r50x3_shows_every_published_run_and_a_place_for_each_run_to_come(results):
    left, right = draw("few-shot-r50x3").axes
    drawn = sorted(y for line in left.get_lines() if len(line.get_ydata()) == 5 for y in line.get_ydata())
    known = [y for p in (published.FIG6_R50X3_RUNS.values[k] for k in (1, 5)) for five in p.values() for y in five]
    assert drawn == sorted(known + [y for five in published.COURSE_REPORT_R50X3.values.values() for y in five])
    full, grown = frames(right)
    assert "BiT-M-R50x3, BiT-S-R50x3" in full and "--run --model BiT-M-R50x3" in full
    assert "--run --model BiT-T-R50x3\n--grow_from BiT-T-R50x1" in grown


def test_r50x3_fills_in_as_runs_are_made(results):
    for shots, accuracy in ((1, 30.0), (5, 44.0)):
        runs.write(stand_in("BiT-T-R50x3", shots, 0, accuracy))
        runs.write(stand_in("BiT-M-R50x3", shots, 0, accuracy + 30))
    right = draw("few-shot-r50x3").axes[1]
    assert [30.0, 44.0] in [list(line.get_ydata()) for line in right.get_lines()]
    full, grown = frames(right)
    assert "BiT-M-R50x3" not in full and "--run --model BiT-S-R50x3" in full
    assert "BiT-T-R50x3," not in grown and "not run yet: BiT-T-R50x1, R50x3" in grown
    assert "--run --model BiT-T-R50x3\n--grow_from BiT-T-R50x1" in grown
    assert "BiT-T-R50x3 has 30% at 1 and 44% at 5 per class" in registry()["few-shot-r50x3"].alt
    assert "Tiny ImageNet" in [t.get_text() for t in right.texts]


def test_r50x3_says_that_it_was_grown_where_its_weights_were(results):
    made = replace(stand_in("R50x3", 0, 0, 10.0), experiment="pretrain")
    runs.write(replace(made, setting={"weights_sha256": "w", "grown_from": "BiT-T-R50x1"}))
    runs.write(stand_in("BiT-T-R50x3", 1, 0, 30.0, weights_sha256="w"))
    assert "Tiny ImageNet, grown" in [t.get_text() for t in draw("few-shot-r50x3").axes[1].texts]


@pytest.mark.parametrize("command", ["draw", "dry-run", "run"])
def test_a_damaged_record_is_one_line(results, cifar, capsys, command):
    runs.write(stand_in("BiT-M-R50x3", 1, 0, 50.0))
    damaged = runs.path_of(fig6.EXPERIMENT, "BiT-M-R50x3_fine-tune_1_0")
    damaged.write_text("{")
    options = {"draw": [], "dry-run": ["--dry-run"], "run": ["--run", "--shots", "1", "--seeds", "0"]}[command]
    status = sweep.command(flags(*options))
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    if command == "draw":
        assert status == 1 and str(damaged) in said.err
    else:
        assert status == 0
    # A sweep, of another model even, puts it aside, and the figure can be drawn.
    assert damaged.exists() == (command != "run")


def test_a_dry_run_counts_a_damaged_record_as_missing(results, cifar, capsys):
    runs.write(stand_in("R14x0.25", 1, 0, 50.0))
    runs.path_of(fig6.EXPERIMENT, "R14x0.25_fine-tune_1_0").write_text("{")
    assert sweep.command(flags("--dry-run", "--shots", "1", "--seeds", "0")) == 0
    assert "1 runs, 0 of them done" in capsys.readouterr().out


@pytest.mark.parametrize("setting", [{"resize": 80}, {"interpolation": "bicubic"}, {"precision": "bfloat16"}])
def test_published_runs_are_compared_with_like_runs_only(results, setting):
    for seed in range(5):
        runs.write(stand_in("BiT-M-R50x3", 5, seed, 85.0, **(setting if seed == 4 else {})))
    with pytest.raises(runs.RecordError, match=next(iter(setting))):
        fig6.compare("BiT-M-R50x3")


def test_fewer_than_five_runs_are_not_held_against_five(results):
    runs.write(stand_in("BiT-M-R50x3", 5, 0, 85.0))
    lines, inside = fig6.compare("BiT-M-R50x3")
    assert lines[0].endswith("only 1 of 5 runs") and not inside


def test_runs_that_differ_are_not_drawn_on_one_line(results):
    runs.write(stand_in("R26x0.5", 1, 0, 15.0, base_lr=0.03))
    runs.write(stand_in("R26x0.5", 5, 0, 19.0, base_lr=0.3))
    with pytest.raises(runs.RecordError, match="cannot stand on one line: base_lr is 0.03 and 0.3"):
        draw("few-shot")


def test_the_shipped_network_is_measured_at_more_numbers_of_shots():
    assert {run.shots for run in fig6.plan(fig6.SHIPPED)} == {1, 2, 3, 5, 7, 10}
    assert {run.shots for run in fig6.plan("R26x0.5")} == {1, 2, 3, 5, 7, 10}
    assert {run.shots for run in fig6.plan(fig6.SHIPPED, shots=(1,))} == {1}


def test_architectures_are_drawn_by_upstream_size_and_shots(results):
    for arch, accuracies in (("R26x0.25", (20, 22, 24)), ("R26x0.5", (30, 31, 35))):
        for seed, accuracy in enumerate(accuracies):
            runs.write(stand_in(f"BiT-T-{arch}", 5, seed, accuracy))
    runs.write(stand_in("BiT-T-R26x0.25-10pct", 1, 0, 15))
    ax = draw("few-shot-sizes").axes[0]
    lines = [list(line.get_ydata()) for line in ax.get_lines() if line.get_linestyle() == "-"]
    assert [22, 31] in lines
    texts = [t.get_text() for t in ax.texts]
    assert "100%, 5" in texts and "10%, 1" in texts
    missing = next(t for t in texts if "not measured yet" in t)
    assert "BiT-T-R26x0.5-10pct" in missing and "BiT-T-R26x0.25," not in missing
    alt = figures.fewshot_sizes._alt()
    assert "100% upstream, 5 per class: R26x0.25 22, R26x0.5 31" in alt
    assert "Not measured yet: BiT-T-R14x0.125-10pct" in alt and "BiT-T-R26x0.5-10pct" in alt


def test_the_text_on_sizes_says_what_the_runs_say():
    points = {
        k: float(f().replace("−", "-")) for k, f in values().items() if k.startswith(("sizes-step", "sizes-data"))
    }
    for shots in (1, 5):
        assert points[f"sizes-step-100-{shots}"] > 3 > 2 > points[f"sizes-step-10-{shots}"], "they grow together"
    assert 3 < points["sizes-data-gain-R26x0.25-5"] < points["sizes-data-gain-R26x0.5-5"]


def test_the_text_on_r50x3_says_what_the_runs_say():
    read = lambda name: float(values()[name]().rstrip("%").replace("−", "-"))  # noqa: E731
    for shots in fig6.SHOTS:
        small, own = read(f"grown-gain-small-{shots}"), read(f"grown-gain-{shots}")
        assert small < own < 3, "the factors flatter transfer"
        assert abs(small - read(f"gain-{shots}")) < 0.2, "much as they are for the miniature"
    trained = {model: runs.load(fig6.EXPERIMENT, model=model) for model in ("R50x3", "BiT-T-R50x3", "BiT-T-R50x1")}
    assert {len(records) for records in trained.values()} == {20}
    assert 1 < read("grown-scratch-loss-5") < read("grown-scratch-loss-10") < 2.4, "25 steps are few"
    assert read("grown-scratch-rise-to-10") < read("grown-rise-to-10") / 2
    for shots in fig6.SHOTS:
        assert abs(read(f"grown-width-{shots}")) < 1, "width buys nothing here"
    assert read("grown-width-5") < 0, "at five the parent is ahead"
    for upstream in "SML":
        assert 0.3 < read("grown-rise-to-5") / read(f"r50x3-rise-{upstream}") < 0.4, "climbs a third as far"
    spread = {shots: read(f"grown-spread-{shots}") for shots in fig6.SHOTS}
    assert spread[1] < spread[10] < spread[5] < spread[2]
    assert min(spread[shots] for shots in (2, 5, 10)) > 3, "far more than width"
    assert read("grown-upstream-birth") == read("grown-upstream-parent")
    assert 0 < read("grown-upstream-trained") - read("grown-upstream-noise") < 1
    assert max(read("r50x3-width-5-S"), read("r50x3-width-5-M")) < 5 < read("r50x3-width-5-L")
    for shots in (1, 2):
        assert abs(read(f"grown-median-{shots}") - read(f"miniature-{shots}")) < 1, "level with the miniature"
    assert min(read("grown-behind-5"), read("grown-behind-10")) > 2, "behind it"


def test_the_table_of_upstream_networks_shows_the_newest_run_of_each_size(results):
    setting = {"fraction": 0.1, "steps": 1000, "batch": 128}
    for day, top1 in ((1, 11.0), (2, 12.5)):
        record = stand_in("R26x0.25", 1, day, top1, **setting)
        record = replace(record, experiment="pretrain", name=f"run-{day}", date=f"2026-01-0{day}T00:00:00+00:00")
        runs.write(replace(record, cost={"seconds": 600}))
    rows = figures.fewshot_sizes.upstream()
    assert rows[1] == ["R14x0.125", "10,000", "not measured yet", ""]
    assert rows[3] == ["R26x0.25", "10,000", "12.5%", "0.13 million"]
    assert rows[4][2] == "not measured yet"
