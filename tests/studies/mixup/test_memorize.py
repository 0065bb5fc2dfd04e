"""Memorizing runs: the labels they are given, what their records say, and fair pairs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bitdoc.data import Images
from bitdoc.records import runs
from bitdoc.studies.mixup import memorize


@pytest.fixture
def images(monkeypatch) -> tuple[Images, Images]:
    """Sixteen small images of each of two classes, dark and bright, to train on; as many to test."""
    monkeypatch.setattr(memorize, "PER_CLASS", 16)
    monkeypatch.setattr(memorize, "BATCH", 16)
    labels = torch.arange(32) % 2
    pixels = (80 + 100 * labels)[:, None, None, None] + torch.randint(-60, 60, (32, 3, 32, 32))
    train = Images("fake", "train", "original", ("dark", "bright"), labels, pixels.byte())
    return train, replace(train, split="test")


def test_the_plan_pairs_every_run_with_one_without_mixup():
    plan = memorize.plan()
    assert len({(run.experiment, run.name) for run in plan}) == len(plan)
    for run in plan:
        assert replace(run, alpha=0.0) in plan
    assert {run.base_lr for run in plan if run.experiment == memorize.EXPERIMENT} == {memorize.BASE_LR}
    assert {run.base_lr for run in plan if run.experiment == memorize.REPEAT} == {memorize.BEST_LR}
    assert {run.base_lr for run in plan if run.held_out} == set(memorize.RATES)
    strong = {(run.noise, run.seed) for run in plan if run.alpha in memorize.STRONG}
    assert strong == {(noise, seed) for noise in memorize.NOISE for seed in memorize.SEEDS}


def test_the_rate_rises_and_falls_to_0():
    rates = [memorize.lr_at(step, 100, 0.2) for step in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert max(rates[:-1]) == rates[5] == 0.2
    assert rates[99] == pytest.approx(0.2 / 95)
    assert rates[100] is None


def test_runs_of_one_seed_share_images_and_labels_and_a_share_of_them_is_wrong(images):
    (task, true), (other, _) = (memorize.task_of(memorize.Run(a, 0.5, 1), *images) for a in (0.0, 1.0))
    assert torch.equal(task.train.labels, other.train.labels)
    assert 0 < (task.train.labels != true).sum() <= 16
    clean, true = memorize.task_of(memorize.Run(0.0, 0.0, 1), *images)
    assert torch.equal(clean.train.labels, true)


def test_a_run_measures_memory_and_truth_apart(images):
    record = memorize.make(memorize.Run(0.0, 0.5, 0), *images, passes=20)
    result, wrong = record.result, record.setting["wrong_labels"]
    assert wrong > 0
    given_back = result["wrong_fitted"] / 100 * wrong
    right = result["train_true"] / 100 * 32
    assert given_back + right == pytest.approx(32, abs=0.1)  # of two classes an answer is the given one or the true one
    assert len(record.curve["pass"]) == len(record.curve["test"]) == memorize.POINTS
    assert record.curve["train"][-1] == pytest.approx(result["train"], abs=0.01)
    assert record.setting["mixup"] == 0.0


def test_a_clean_run_has_no_wrong_labels_to_fit(images):
    record = memorize.make(memorize.Run(1.0, 0.0, 0), *images, passes=2)
    assert record.result["wrong_fitted"] is None
    assert record.result["train"] == record.result["train_true"]


def test_the_best_rate_without_mixup_on_held_out_images_lies_between_others():
    found = runs.load(memorize.CHOICE)
    assert {record.setting["base_lr"] for record in found} == set(memorize.RATES)
    assert {record.setting["mixup"] for record in found} == {0.0}
    assert {record.setting["test_split"] for record in found} == {"held-out part of train"}
    ranked = sorted(found, key=lambda record: record.result["top1"], reverse=True)
    assert [record.setting["base_lr"] for record in ranked[:2]] == [memorize.BEST_LR, memorize.BASE_LR]
    assert min(memorize.RATES) < memorize.BEST_LR < max(memorize.RATES)


def test_the_kept_runs_are_planned_ones():
    for experiment in (memorize.EXPERIMENT, memorize.REPEAT):
        planned = {run.name for run in memorize.plan() if run.experiment == experiment}
        assert {record.name for record in runs.load(experiment)} <= planned


def test_held_out_runs_are_judged_on_training_images_put_aside(images, monkeypatch):
    aside = replace(images[1], split="held-out part of train")
    monkeypatch.setattr(memorize.fewshot, "held_out_split", lambda datadir: (images[0], aside))
    monkeypatch.setattr(memorize.fewshot, "cifar10", lambda datadir, split: images[split == "test"])
    monkeypatch.setattr(memorize, "make", lambda run, train, test: test.split)
    memorize.pools.cache_clear()
    for held_out, split in ((True, "held-out part of train"), (False, "test")):
        assert memorize.record(memorize.Run(0.0, 0.0, 0, held_out=held_out), "nowhere") == split
    memorize.pools.cache_clear()
