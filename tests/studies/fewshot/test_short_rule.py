"""What the short rule costs: one setting is changed at a time, judged on held-out training images."""

from dataclasses import replace

import pytest
import torch

from bitdoc import data
from bitdoc.records import runs
from bitdoc.studies.fewshot import make_runs, short_rule, which_runs
from bitdoc.training import recipe


def test_the_plan_changes_one_setting_at_a_time():
    settings = {(run.steps, run.side) for run in short_rule.plan()}
    assert settings == {(25, 64), (100, 64), (500, 64), (100, 32), (100, 96), (100, 128)}
    assert len(short_rule.plan()) == len(settings) * len(which_runs.SEEDS) == len({r.name for r in short_rule.plan()})


def test_every_length_has_the_rules_shape():
    assert short_rule.Run(100, 64, 0).recipe == recipe.miniature(50)
    assert short_rule.Run(25, 64, 0).recipe.schedule == (5, 10, 15, 20, 25)
    assert short_rule.Run(500, 64, 0).recipe.schedule == recipe.rule(50, (32, 32)).schedule
    small = short_rule.Run(100, 32, 0).recipe
    assert (small.resize, small.crop) == (32, 32)
    assert replace(small, resize=64, crop=64) == recipe.miniature(50)


@pytest.fixture
def few_pictures(monkeypatch, tmp_path):
    """A hundred stand-in pictures in ten classes, of which twenty are held out, and runs of one step."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    pixels = torch.randint(0, 256, (100, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images = data.Images("cifar10", "train", "made", data.CIFAR10_CLASSES, torch.arange(100) % 10, pixels)
    monkeypatch.setattr(make_runs, "cifar10", lambda datadir, split: replace(images, split=split))
    monkeypatch.setattr(make_runs.held_out_split.__wrapped__, "__defaults__", (2,))
    monkeypatch.setattr(short_rule, "STEPS", (5,))
    monkeypatch.setattr(short_rule, "SIDES", (32,))
    monkeypatch.setattr(short_rule, "USUAL_STEPS", 5)
    monkeypatch.setattr(short_rule, "USUAL_SIDE", 32)
    monkeypatch.setattr(which_runs, "SEEDS", (0,))
    for kept in (make_runs.resized_test, make_runs.held_out_split):
        kept.cache_clear()
    yield
    for kept in (make_runs.resized_test, make_runs.held_out_split):
        kept.cache_clear()


def test_runs_are_judged_on_held_out_training_images_and_made_once(few_pictures, capsys):
    assert short_rule.main(["--model", "R14x0.125"]) == 0
    (record,) = runs.load(short_rule.EXPERIMENT)
    assert record.name == "R14x0.125_5_32_0"
    setting = record.setting
    assert (setting["test_split"], setting["test_images"]) == ("held-out part of train", 20)
    assert (setting["crop"], setting["schedule"][-1], setting["examples_per_class"]) == (32, 5, 5)
    capsys.readouterr()
    assert short_rule.main(["--model", "R14x0.125"]) == 0
    assert "%" not in capsys.readouterr().out


def test_runs_can_be_made_in_lower_precision_and_say_so(few_pictures):
    assert short_rule.main(["--model", "R14x0.125", "--precision", "bfloat16"]) == 0
    (record,) = runs.load(short_rule.EXPERIMENT)
    assert record.setting["precision"] == "bfloat16"


def test_a_model_without_weights_is_refused_before_anything_is_made(few_pictures, capsys):
    assert short_rule.main(["--model", "BiT-T-R50x2"]) == 2
    assert "BiT-T-R50x2" in capsys.readouterr().err
    assert not runs.load(short_rule.EXPERIMENT)
