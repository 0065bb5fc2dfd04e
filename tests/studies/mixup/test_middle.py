"""MixUp where BiT takes it: the recipe is the rule's in small, pairs are fair, and records say what was fitted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bitdoc.data import CIFAR10_CLASSES, Images
from bitdoc.records import runs
from bitdoc.studies.mixup import middle
from bitdoc.training import hyperrule


def test_the_plan_chooses_a_rate_without_mixup_and_pairs_every_run():
    plan = middle.plan()
    trials = [run for run in plan if run.held_out]
    assert {run.base_lr for run in trials} == set(middle.RATES) and {run.alpha for run in trials} == {0.0}
    for run in plan:
        assert replace(run, alpha=0.0) in plan
    assert {run.alpha for run in plan} == {0.0, hyperrule.get_mixup(hyperrule.SMALL), 1.0}
    assert len({(run.experiment, run.name) for run in plan}) == len(plan)


def test_the_recipe_is_the_rules_for_cifar10_in_small():
    recipe, whole = middle.Run(0.1, 0).recipe, hyperrule.get_schedule(50_000)
    assert recipe.resize / recipe.crop == 160 / 128 and recipe.mixup == hyperrule.get_mixup(50_000)
    assert recipe.schedule[-1] * recipe.batch / 2_000 == pytest.approx(middle.PASSES, rel=0.01)
    assert whole[-1] * 512 / 50_000 == pytest.approx(middle.PASSES, rel=0.03)
    shares = [[step / steps[-1] for step in steps] for steps in (recipe.schedule, whole)]
    assert shares[0] == pytest.approx(shares[1], abs=0.001)


def test_a_record_says_what_was_fitted_and_how_sure_the_network_is(monkeypatch):
    monkeypatch.setattr(middle, "PER_CLASS", 2)
    monkeypatch.setattr(middle, "BATCH", 4)
    monkeypatch.setattr(middle, "PASSES", 1)
    pixels = torch.randint(0, 256, (30, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    train = Images("cifar10", "train", "made", CIFAR10_CLASSES, torch.arange(30) % 10, pixels)
    record = middle.make(middle.Run(1.0, 0), train, replace(train, split="test"))
    assert (record.experiment, record.name) == ("mixup-middle", "alpha=1_0")
    assert record.setting["train_images"] == 20 and record.setting["schedule"][-1] == 5
    assert (record.setting["precision"], record.setting["mixup"]) == ("bfloat16", 1.0)
    assert 0 <= record.result["train"] <= 100 and 0 <= record.result["ece"] <= 100


def test_the_rate_in_use_is_the_best_of_the_trials():
    found = runs.load(middle.CHOICE)
    assert {record.setting["base_lr"] for record in found} == set(middle.RATES)
    assert {record.setting["test_split"] for record in found} == {"held-out part of train"}
    best = max(found, key=lambda record: record.result["top1"])
    assert best.setting["base_lr"] == middle.BASE_LR


def test_the_kept_runs_are_planned_ones():
    for experiment in (middle.EXPERIMENT, middle.CHOICE):
        planned = {run.name for run in middle.plan() if run.experiment == experiment}
        assert {record.name for record in runs.load(experiment)} == planned
