"""A BiT-T network without weights is pre-trained first: planned by measured speed, resumed as planned, then used."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest
import torch

from bitdoc import data
from bitdoc.network import weights
from bitdoc.records import files, runs
from bitdoc.studies.fewshot import make_runs as fewshot
from bitdoc.studies.fewshot import which_runs
from bitdoc.studies.fewshot.flags import Setup
from bitdoc.training import finetune, pretrain, recipe, upstream
from bitdoc.training.engine import Engine
from bitdoc.training.loop import TrainingError
from bitdoc.training.recipe import Upstream
from bitdoc.training.upstream import Wanted

NAME = "BiT-T-R14x0.125"
SMALL = Upstream(phases="16x1,20x0.5", batch=8)


@pytest.fixture
def world(monkeypatch, tmp_path, tiny_imagenet):
    """Stand-ins for Tiny ImageNet and CIFAR-10, and recipes of a few steps."""
    rng = torch.Generator().manual_seed(0)
    cifar = torch.randint(0, 256, (20, 3, 32, 32), generator=rng, dtype=torch.uint8)
    sets = {
        "tiny-imagenet": tiny_imagenet,
        "cifar10": data.Images("cifar10", "train", "made", data.CIFAR10_CLASSES, torch.arange(20) % 10, cifar),
    }
    monkeypatch.setattr(data, "load", lambda name, split, datadir: replace(sets[name], split=split))
    monkeypatch.setattr(upstream, "CHOICE", SMALL)
    small = finetune.Recipe(20, 16, (0, 1, 1, 1, 2), batch=4, base_lr=0.01)
    monkeypatch.setattr(fewshot, "miniature", lambda examples, **changes: replace(small, **changes))
    monkeypatch.setattr(fewshot, "thumbnail", lambda examples, **changes: replace(small, **{"base_lr": 0.02} | changes))
    for cached in (fewshot.cifar10, fewshot.resized_test):
        cached.cache_clear()
    yield tmp_path
    for cached in (fewshot.cifar10, fewshot.resized_test):
        cached.cache_clear()


def command_line(*arguments):
    parser = argparse.ArgumentParser()
    fewshot.arguments(parser)
    return parser.parse_args(arguments)


def command(*arguments):
    return fewshot.command(command_line("--model", NAME, "--shots", "1", "--seeds", "0", "1", *arguments))


def test_pre_trains_once_and_then_sweeps(world, capsys):
    assert command("--run") == 0
    (pretraining,) = runs.load("pretrain")
    assert pretraining.setting["steps"] == 6 and pretraining.setting["precision"] == "float32"
    sweep = runs.load(which_runs.EXPERIMENT)
    assert [record.model for record in sweep] == [NAME, NAME]
    assert {record.setting["weights_sha256"] for record in sweep} == {pretraining.setting["weights_sha256"]}
    assert (
        "no weights of BiT-T-R14x0.125: pre-training R14x0.125 on tiny-imagenet, 16x1,20x0.5" in capsys.readouterr().out
    )
    assert command("--run", "--seeds", "0", "1", "2") == 0
    assert "pre-training" not in capsys.readouterr().out and len(runs.load(which_runs.EXPERIMENT)) == 3


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:2000], lambda raw: raw[:3000] + b"x" + raw[3001:], lambda raw: b""]
)
def test_a_damaged_network_in_the_cache_is_made_again(world, capsys, damage):
    upstream.provide(Wanted(NAME), Engine())
    kept = files.cache_folder() / f"{NAME}.npz"
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    upstream.provide(Wanted(NAME), Engine())
    assert f"{kept} is truncated or altered and is passed over" in capsys.readouterr().err
    assert kept.read_bytes() == whole


def test_a_grown_network_is_measured_beside_its_parent_and_random_weights(world, monkeypatch, capsys):
    monkeypatch.setattr(upstream, "PARENT", replace(SMALL, phases="16x1"))
    monkeypatch.setattr(upstream, "GROWTH", replace(SMALL, phases="16x0.5"))
    grown = ["--model", "BiT-T-R14x0.5", "--grow_from", "BiT-T-R14x0.25", "--precision", "bfloat16"]
    assert command("--run", *grown) == 0
    assert not runs.load(which_runs.EXPERIMENT), "these are no runs of Fig. 6"
    sweep = runs.load(which_runs.GROWN)
    assert sorted(r.model for r in sweep) == sorted(["BiT-T-R14x0.5", "BiT-T-R14x0.25", "R14x0.5"] * 2)
    scratch = recipe.THUMBNAIL_FROM_SCRATCH["base_lr"]
    assert {(r.model, r.setting["base_lr"]) for r in sweep} == {
        ("BiT-T-R14x0.5", 0.02),
        ("BiT-T-R14x0.25", 0.02),
        ("R14x0.5", scratch),
    }
    assert {r.setting["precision"] for r in sweep} == {"bfloat16"}
    made = {r.setting["weights_sha256"]: r.setting["grown_from"] for r in runs.load("pretrain")}
    assert {made[r.setting["weights_sha256"]] for r in sweep if r.model == "BiT-T-R14x0.5"} == {"BiT-T-R14x0.25"}
    capsys.readouterr()
    assert command("--dry-run", *grown) == 0
    assert capsys.readouterr().out == "6 runs, 6 of them done\n"


def test_a_ladder_is_climbed_from_its_first_network_on(world, monkeypatch):
    first, second = "BiT-T-R14x0.125-first", "BiT-T-R14x0.25-second"
    small = replace(SMALL, model="R14x0.125")
    ladder = {first: small, second: replace(small, model="R14x0.25", grown_from=first, noise=0.2)}
    monkeypatch.setattr(upstream, "LADDER", ladder)
    assert fewshot.command(command_line("--run", "--model", second, "--shots", "1", "--seeds", "0")) == 0
    made = sorted(runs.load("pretrain"), key=lambda r: r.model)
    assert [(r.model, r.setting["grown_from"]) for r in made] == [("R14x0.125", ""), ("R14x0.25", first)]
    assert made[1].setting["parent_weights_sha256"] == made[0].setting["weights_sha256"]
    (run,) = runs.load(which_runs.EXPERIMENT)
    assert (run.model, run.setting["weights_sha256"]) == (second, made[1].setting["weights_sha256"])


def test_the_ladder_is_that_of_the_records():
    for name, choice in upstream.LADDER.items():
        assert weights.ModelName.parse(name).arch == choice.model
        assert upstream.choice_for(name) == choice
        assert not choice.grown_from or choice.grown_from in upstream.LADDER
        assert runs.exists("pretrain", choice.tag)


@pytest.mark.parametrize("model", ["BiT-T-R50x1", "BiT-T-R50x3", "BiT-T-R50x3-10pct"])
def test_the_recipe_of_wide_networks_is_that_of_the_records(model):
    """They are made by it where they have no weights, and the runs of Fig. 6 began with what it made."""
    name = weights.ModelName.parse(model)
    record = runs.read_named(runs.path_of("pretrain", upstream.choice_for(model).tag))
    made = {record.setting["weights_sha256"]}
    made |= {r.setting["weights_sha256"] for r in runs.load("pretrain", run=record.name)}  # in float16
    used = {r.setting["weights_sha256"] for r in runs.load(which_runs.EXPERIMENT, model=model)}
    assert record.model == name.arch and used <= made
    assert record.result["top1"] > {"": 40, "10pct": 20}[name.suffix]


def test_a_run_is_repeated_by_the_recipe_of_its_record(world, monkeypatch):
    monkeypatch.setattr(upstream, "PARENT", SMALL)
    monkeypatch.setattr(upstream, "GROWTH", SMALL)
    assert command("--run", "--model", "BiT-T-R14x0.5", "--grow_from", "BiT-T-R14x0.25") == 0
    used = []
    original = fewshot.finetune
    spy = lambda name, task, by, **options: used.append(by) or original(name, task, by, **options)  # noqa: E731
    monkeypatch.setattr(fewshot, "finetune", spy)
    record, again = fewshot.check("R14x0.5", Setup(), which_runs.GROWN)
    assert (
        used[0].plain().items() <= record.setting.items()
        and used[0].base_lr == recipe.THUMBNAIL_FROM_SCRATCH["base_lr"]
    )
    assert again == record.result["top1"]


def test_minutes_bound_it_and_a_stopped_one_goes_on_as_planned(world, monkeypatch):
    monkeypatch.setattr(upstream, "seconds_per_step", lambda choice, side, classes, engine: 20.0 * side)
    with pytest.raises(
        TrainingError, match="30 minutes are too few to pre-train R14x0.125 on this device: all 6 steps"
    ):
        upstream.provide(Wanted(NAME, minutes=30), Engine())
    monkeypatch.setattr(upstream, "seconds_per_step", lambda choice, side, classes, engine: 1.0)

    class Stopped(Exception):
        pass

    def stopped(*args, **options):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(upstream, "pretrain", stopped)
        with pytest.raises(Stopped):
            upstream.provide(Wanted(NAME, minutes=30), Engine())
    monkeypatch.setattr(upstream, "seconds_per_step", stopped)  # is not measured a second time
    upstream.provide(Wanted(NAME, minutes=30), Engine())
    assert weights.find(NAME).parent == world / "cache"


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"phases": 3}', '{"unheard": 1}', '{"batch": 0}', "null", "[" * 9999]
)
def test_a_damaged_plan_is_named_and_made_anew(world, monkeypatch, capsys, damage):
    monkeypatch.setattr(upstream, "seconds_per_step", lambda choice, side, classes, engine: 1.0)
    plan = upstream._within(upstream.choice_for(NAME), 30, None, Engine())
    (note,) = (world / "cache" / "upstream").glob("*.json")
    whole = note.read_text()
    for text in (damage, whole.replace('"batch": 8', '"batch": 16')):
        note.write_text(text)
        assert upstream._within(upstream.choice_for(NAME), 30, None, Engine()) == plan
        assert "is damaged or of another run, and is made anew" in capsys.readouterr().err
        assert note.read_text() == whole


def test_every_phase_is_shortened_by_the_same_share():
    choice = Upstream(phases="32x10,64x2", batch=100)
    seconds = {32: 0.1, 64: 0.4}  # 10,000 and 2,000 steps: 1,000 s and 800 s
    assert upstream.shortened(choice, 100_000, 60, seconds) == choice
    half = upstream.shortened(choice, 100_000, 1800 / 60 / 2 / upstream.SHARE, seconds)
    assert half.phases == "32x5,64x1"
    steps = [last for last, _ in half.plan(100_000)]
    assert steps == [5000, 6000], "which take 5000 * 0.1 + 1000 * 0.4 = 900 seconds"


def test_speed_is_measured_after_the_warm_up(monkeypatch):
    choice = Upstream(model="R14x0.125", batch=4)
    assert 0 < upstream.seconds_per_step(choice, 16, 4, Engine(), steps=2) < 60
    ticks = iter([0.0, 100.0, 101.0, 103.0, 104.0])
    monkeypatch.setattr(upstream.time, "perf_counter", lambda: next(ticks))
    assert upstream.seconds_per_step(choice, 16, 4, Engine(), steps=3) == 1.0


def test_pre_training_in_bfloat16_writes_a_record_that_says_so(world):
    # At 16 pixels the CPU's bfloat16 gradient of a strided convolution that leaves one pixel is at times not finite.
    choice = replace(SMALL, model="R14x0.125", phases="32x1")
    pretrain.pretrain(choice, None, world, engine=Engine(precision="bfloat16"))
    assert runs.load("pretrain")[0].setting["precision"] == "bfloat16"


def test_other_models_are_not_pre_trained(world):
    upstream.provide(Wanted("BiT-M-R50x3"), Engine())
    upstream.provide(Wanted("R14x0.125"), Engine())
    with pytest.raises(weights.WeightsError, match="no folder nowhere"):
        upstream.provide(Wanted(NAME, "nowhere"), Engine())
    assert not (world / "cache").exists()


def test_the_name_tells_the_share_of_the_upstream_images():
    assert upstream.choice_for("BiT-T-R26x0.25-10pct") == replace(upstream.CHOICE, model="R26x0.25", fraction=0.1)
    assert upstream.choice_for("BiT-T-R50x3").fraction == 1 and upstream.choice_for("BiT-T-R50x3").model == "R50x3"
    grown = upstream.choice_for("BiT-T-R50x3-2.5pct", "BiT-T-R50x1")
    assert grown == replace(upstream.GROWTH, model="R50x3", fraction=0.025, grown_from="BiT-T-R50x1")
    parent = upstream.choice_for("BiT-T-R50x1", base=upstream.PARENT)
    assert parent == replace(upstream.PARENT, model="R50x1")
    with pytest.raises(TrainingError, match="cannot pre-train BiT-T-R50x3-CIFAR10: expected BiT-T-R50x3 or"):
        upstream.choice_for("BiT-T-R50x3-CIFAR10")


def test_minutes_are_counted_for_the_share_of_the_images_that_is_used(world, monkeypatch):
    """A tenth of the images takes a tenth of the steps: where all of a plan fits, nothing is cut."""
    counted = []
    original = upstream.shortened
    spy = lambda choice, examples, *rest: counted.append(examples) or original(choice, examples, *rest)  # noqa: E731
    monkeypatch.setattr(upstream, "shortened", spy)
    monkeypatch.setattr(upstream, "seconds_per_step", lambda *_, **__: 0.01)
    images = data.load("tiny-imagenet", "train", None)
    for name, share in (("BiT-T-R14x1", 1), ("BiT-T-R14x1-50pct", 0.5)):
        upstream._within(upstream.choice_for(name, base=SMALL), 60, None, Engine.start("cpu"))
        assert counted.pop() == len(images) * share


def test_two_phases_of_one_side_are_both_counted():
    with pytest.raises(TrainingError, match="all 8,000 steps take about 133 minutes"):
        upstream.shortened(Upstream(phases="32x4,48x2,32x2", batch=1), 1000, 0.1, {32: 1.0, 48: 1.0})
