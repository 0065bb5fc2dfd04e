"""The sweep behind Fig. 6: plan, resuming, sharing, checking, and the figure on stand-in records."""

import argparse
from dataclasses import replace

import pytest
import torch
from standins import stand_in

from bitdoc import data
from bitdoc.figures.fewshot import grown as grown_figures
from bitdoc.figures.fewshot import tables
from bitdoc.records import runs
from bitdoc.studies import probe
from bitdoc.studies.fewshot import make_runs, which_runs
from bitdoc.studies.fewshot.flags import Setup
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
    monkeypatch.setattr(make_runs, "cifar10", lambda datadir, split: replace(images, split=split))
    small = finetune.Recipe(20, 16, (0, 1, 1, 1, 2), batch=4, base_lr=0.01)
    monkeypatch.setattr(make_runs, "miniature", lambda examples, **changes: replace(small, **changes))
    make_runs.resized_test.cache_clear()
    make_runs.held_out_split.cache_clear()
    yield images
    make_runs.resized_test.cache_clear()
    make_runs.held_out_split.cache_clear()


def flags(*arguments):
    parser = argparse.ArgumentParser()
    make_runs.arguments(parser)
    return parser.parse_args(["--model", "R14x0.25", *arguments])


def test_the_plan_is_every_subset_at_every_number_of_shots():
    todo = which_runs.plan("BiT-M-R50x3")
    assert len(todo) == 20 and len({run.name for run in todo}) == 20
    assert {run.shots for run in todo} == {1, 2, 5, 10}


def test_recipes_by_model():
    images = data.Images("cifar10", "train", "", data.CIFAR10_CLASSES, torch.zeros(1), torch.zeros(1, 3, 32, 32))
    full = make_runs.recipe_for(which_runs.Run("BiT-M-R50x3", "fine-tune", 5, 0), images, Setup())
    assert full == finetune.rule(50, (32, 32))
    shipped = make_runs.recipe_for(which_runs.Run(which_runs.SHIPPED, "fine-tune", 5, 0), images, Setup())
    assert shipped == finetune.miniature(50)
    scratch = make_runs.recipe_for(which_runs.Run("R26x0.5", "fine-tune", 5, 0), images, Setup())
    assert scratch == finetune.miniature(50, **recipe.FROM_SCRATCH)
    for model, changes in (("BiT-T-R50x3", {}), ("BiT-T-R50x1", {}), ("R50x3", recipe.THUMBNAIL_FROM_SCRATCH)):
        grown = make_runs.recipe_for(which_runs.Run(model, "fine-tune", 5, 0), images, Setup(grown=True))
        assert grown == recipe.thumbnail(50, **changes)


@pytest.mark.parametrize("start", [which_runs.SHIPPED, "R26x0.5"])
def test_the_settings_in_use_are_the_best_of_the_recorded_trials(start):
    images = data.Images("cifar10", "train", "", data.CIFAR10_CLASSES, torch.zeros(1), torch.zeros(1, 3, 32, 32))
    used = make_runs.recipe_for(which_runs.Run(start, "fine-tune", 5, 0), images, Setup())
    trials = runs.load("few-shot-choice", model=start, method="fine-tune", examples_per_class=5)
    trials = [r for r in trials if r.setting["subset_seed"] in (0, 1)]  # the subsets that saw every setting
    settings = runs.group(trials, lambda r: (r.setting["base_lr"], *tables._enlarged(r).split(", ")))
    whole = {key: [r.result["top1"] for r in group] for key, group in settings.items() if len(group) == 2}
    assert len(whole) > 3
    best = max(whole, key=lambda key: sum(whole[key]))
    assert best == (used.base_lr, str(used.resize), used.interpolation)


@pytest.mark.parametrize("model", ["BiT-T-R50x3", "R50x3", "BiT-T-R50x1"])
def test_the_rates_of_wide_networks_are_the_best_of_the_recorded_trials(model):
    images = data.Images("cifar10", "train", "", data.CIFAR10_CLASSES, torch.zeros(1), torch.zeros(1, 3, 32, 32))
    used = make_runs.recipe_for(which_runs.Run(model, "fine-tune", 5, 0), images, Setup())
    by_rate = runs.group(runs.load("few-shot-choice", model=model), "base_lr")
    assert len(by_rate) == 3 and {len(group) for group in by_rate.values()} == ({4} if "BiT" in model else {2})
    assert max(by_rate, key=lambda rate: sum(r.result["top1"] for r in by_rate[rate])) == used.base_lr


def test_the_probes_penalty_is_the_best_of_the_recorded_trials():
    trials = runs.load("few-shot-choice", model=which_runs.SHIPPED, method="linear-probe")
    by_penalty = runs.group(trials, "penalty")
    assert len(by_penalty) > 3 and len({len(group) for group in by_penalty.values()}) == 1
    assert max(by_penalty, key=lambda x: sum(r.result["top1"] for r in by_penalty[x])) == probe.PENALTY


def test_the_thumbnails_rate_is_the_best_of_the_recorded_trials():
    used, parents = recipe.thumbnail(50).base_lr, grown_figures.PARENT
    trials = [r for r in runs.load("few-shot-grown-choice") if r.model in (grown_figures.GROWN, parents)]

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
        runs.load("few-shot-grown-choice", model="R50x3"),
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
    todo = which_runs.plan("R14x0.25", shots=(1, 2), seeds=(0,))
    assert [r.name for r in make_runs.sweep(todo[:1], Setup())] == ["R14x0.25_fine-tune_1_0"]
    assert [r.name for r in make_runs.sweep(todo, Setup())] == ["R14x0.25_fine-tune_2_0"]
    assert make_runs.sweep(todo, Setup()) == []
    first = runs.load(which_runs.EXPERIMENT)[0]
    assert first.setting["test_images"] == 40 and first.setting["test_split"] == "test"


def test_a_killed_sweep_loses_only_the_run_under_way(results, cifar, monkeypatch):
    todo = which_runs.plan("R14x0.25", shots=(1,), seeds=(0, 1, 2))
    original = make_runs.make

    def killed(run, *args, **options):
        if run.seed == 1:
            raise KeyboardInterrupt
        return original(run, *args, **options)

    monkeypatch.setattr(make_runs, "make", killed)
    with pytest.raises(KeyboardInterrupt):
        make_runs.sweep(todo, Setup())
    monkeypatch.setattr(make_runs, "make", original)
    assert len(make_runs.sweep(todo, Setup())) == 2


def test_parts_share_a_sweep_without_overlap():
    todo = which_runs.plan("R26x0.5")
    parts = [which_runs.part(todo, f"{i}/3") for i in (1, 2, 3)]
    assert sorted((r for p in parts for r in p), key=lambda r: r.name) == sorted(todo, key=lambda r: r.name)
    for wrong in ("0/3", "4/3", "half"):
        with pytest.raises(TrainingError, match="expected i/n"):
            which_runs.part(todo, wrong)


def test_choices_are_judged_on_held_out_training_images(results, cifar, monkeypatch):
    monkeypatch.setattr(make_runs.held_out_split.__wrapped__, "__defaults__", (2,))
    rest, judged = make_runs.held_out_split(None)
    assert len(rest) == 20 and len(judged) == 20 and judged.split == "held-out part of train"
    pixels = {tuple(p.flatten().tolist()) for p in rest.pixels}
    assert not any(tuple(p.flatten().tolist()) in pixels for p in judged.pixels)
    record = make_runs.make(
        which_runs.Run("R14x0.25", "fine-tune", 1, 0), Setup(held_out=True, changes={"base_lr": 0.5})
    )
    assert record.experiment == "few-shot-choice" and record.setting["test_split"] == "held-out part of train"


def test_dry_run_prints_and_makes_nothing(results, capsys):
    assert make_runs.command(flags("--dry-run", "--shots", "1", "--seeds", "0", "1")) == 0
    out = capsys.readouterr().out
    assert "2 runs, 0 of them done" in out and "R14x0.25_fine-tune_1_1: 100 steps, 6,400 images of 64 px" in out
    assert list(results.iterdir()) == []


def test_check_repeats_a_cached_run(results, cifar, capsys):
    assert make_runs.command(flags("--check")) == 1
    assert "no cached run of R14x0.25 to check" in capsys.readouterr().err
    assert make_runs.command(flags("--run", "--shots", "2", "--seeds", "0")) == 0
    assert make_runs.command(flags("--check")) == 0
    assert "recorded" in capsys.readouterr().out
    record = runs.load(which_runs.EXPERIMENT)[0]
    runs.write(replace(record, result=record.result | {"top1": record.result["top1"] + 50}))
    assert make_runs.command(flags("--check")) == 1


@pytest.mark.parametrize("command", ["draw", "dry-run", "run"])
def test_a_damaged_record_is_one_line(results, cifar, capsys, command):
    runs.write(stand_in("BiT-M-R50x3", 1, 0, 50.0))
    damaged = runs.path_of(which_runs.EXPERIMENT, "BiT-M-R50x3_fine-tune_1_0")
    damaged.write_text("{")
    options = {"draw": [], "dry-run": ["--dry-run"], "run": ["--run", "--shots", "1", "--seeds", "0"]}[command]
    status = make_runs.command(flags(*options))
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
    runs.path_of(which_runs.EXPERIMENT, "R14x0.25_fine-tune_1_0").write_text("{")
    assert make_runs.command(flags("--dry-run", "--shots", "1", "--seeds", "0")) == 0
    assert "1 runs, 0 of them done" in capsys.readouterr().out


@pytest.mark.parametrize("setting", [{"resize": 80}, {"interpolation": "bicubic"}, {"precision": "bfloat16"}])
def test_published_runs_are_compared_with_like_runs_only(results, setting):
    for seed in range(5):
        runs.write(stand_in("BiT-M-R50x3", 5, seed, 85.0, **(setting if seed == 4 else {})))
    with pytest.raises(runs.RecordError, match=next(iter(setting))):
        which_runs.compare("BiT-M-R50x3")


def test_fewer_than_five_runs_are_not_held_against_five(results):
    runs.write(stand_in("BiT-M-R50x3", 5, 0, 85.0))
    lines, inside = which_runs.compare("BiT-M-R50x3")
    assert lines[0].endswith("only 1 of 5 runs") and not inside


def test_records_that_differ_are_one_line_of_text_when_drawing_too(results, capsys):
    runs.write(stand_in("R26x0.5", 1, 0, 15.0, base_lr=0.03))
    runs.write(stand_in("R26x0.5", 5, 0, 19.0, base_lr=0.3))
    assert make_runs.command(flags()) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: R26x0.5_fine-tune_1_0 and R26x0.5_fine-tune_5_0 cannot stand on one line: base_lr")
    assert said.count("\n") == 1


def test_what_older_records_do_not_tell_does_not_part_them(results):
    for seed, digest in enumerate((None, "a", "a")):
        told = {} if digest is None else {"test_digest": digest}
        runs.write(stand_in("BiT-M-R50x3", 5, seed, 85.0, **told))
    which_runs.check_lines()
    runs.write(stand_in("BiT-M-R50x3", 5, 3, 85.0, test_digest="b"))
    with pytest.raises(runs.RecordError, match="test_digest is 'a' and 'b'"):
        which_runs.check_lines()


def test_other_images_do_not_count_as_done(results, cifar, monkeypatch, capsys):
    assert make_runs.command(flags("--run", "--shots", "1", "--seeds", "0")) == 0
    other = replace(cifar, pixels=255 - cifar.pixels)
    monkeypatch.setattr(make_runs, "cifar10", lambda datadir, split: replace(other, split=split))
    assert make_runs.command(flags("--run", "--shots", "1", "--seeds", "0")) == 0, "nothing is to be made"
    assert make_runs.command(flags("--run", "--shots", "1", "--seeds", "0", "1")) == 1
    assert "belongs to another run: the test images is" in capsys.readouterr().err
    assert len(runs.load(which_runs.EXPERIMENT)) == 1
    assert make_runs.command(flags("--check")) == 1
    assert "no cached run of R14x0.25 to check whose weights and images are here" in capsys.readouterr().err


def test_one_process_checks(results, cifar, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(make_runs, "check", None)
    assert make_runs.command(flags("--check")) == 0


def test_one_process_draws(results, cifar, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(which_runs, "check_lines", None)  # would fail if it were called
    assert make_runs.command(flags()) == 0


def test_a_check_repeats_a_run_of_the_model_that_is_named(results, cifar, capsys):
    assert make_runs.command(flags("--run", "--shots", "2", "--seeds", "0")) == 0
    assert make_runs.check("R14x0.25", Setup())[0].model == "R14x0.25"
    with pytest.raises(runs.RecordError, match="no cached run of R26x0.5 to check"):
        make_runs.check("R26x0.5", Setup())


def test_the_shipped_network_is_measured_at_more_numbers_of_shots():
    assert {run.shots for run in which_runs.plan(which_runs.SHIPPED)} == {1, 2, 3, 5, 7, 10}
    assert {run.shots for run in which_runs.plan("R26x0.5")} == {1, 2, 3, 5, 7, 10}
    assert {run.shots for run in which_runs.plan(which_runs.SHIPPED, shots=(1,))} == {1}


def test_images_of_another_folder_are_others(monkeypatch, tmp_path):
    """What is read once a process is told apart by its folder in full, whatever variable or working folder named it."""
    monkeypatch.setattr(data, "load", lambda name, split, datadir: datadir)
    for folder in ("a", "b"):
        (tmp_path / folder / "data").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / folder)
        monkeypatch.delenv("BITDOC_DATA", raising=False)
        assert make_runs.cifar10(Setup().datadir, "test") == str(tmp_path / folder / "data")
        monkeypatch.setenv("BITDOC_DATA", str(tmp_path / folder))
        assert make_runs.cifar10(Setup().datadir, "test") == str(tmp_path / folder)
    make_runs.cifar10.cache_clear()
