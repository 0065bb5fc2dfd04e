"""The measured MixUp study: calibration by hand, fair pairs of runs, and one real tiny run."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from bitdoc.data import Images
from bitdoc.records import runs
from bitdoc.studies.mixup import study
from bitdoc.training import hyperrule


def logits_for(*confidences: float) -> torch.Tensor:
    """Two classes, the first predicted with each of the given confidences."""
    return torch.tensor([[math.log(c), math.log(1 - c)] for c in confidences], dtype=torch.float64)


def test_calibration_by_hand():
    # Confidence 0.9 twice, right once: gap 0.4. Confidence 0.6 twice, right twice: gap 0.4 the other way. Mean 0.4.
    result = study.calibration(logits_for(0.9, 0.9, 0.6, 0.6), torch.tensor([0, 1, 0, 0]), bins=10)
    assert result["ece"] == pytest.approx(40.0, abs=1e-3)
    assert result["bin_count"] == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0]
    assert result["bin_accuracy"][5] == 1.0
    assert result["bin_accuracy"][8] == 0.5
    assert result["bin_confidence"][8] == pytest.approx(0.9)


def test_a_network_that_is_right_as_often_as_it_says_is_calibrated():
    result = study.calibration(logits_for(*[0.75] * 4), torch.tensor([0, 0, 0, 1]))
    assert result["ece"] == pytest.approx(0.0, abs=1e-3)


def test_certain_predictions_fall_into_the_last_bin():
    result = study.calibration(torch.tensor([[100.0, -100.0]]), torch.tensor([1]))
    assert result["bin_count"][-1] == 1
    assert result["ece"] == pytest.approx(100.0)


def test_random_labels_touch_the_share_asked_for():
    labels = torch.arange(1000) % 10
    noisy = study.random_labels(labels, 0.5, 10, torch.Generator().manual_seed(0))
    changed = (noisy != labels).double().mean().item()
    assert changed == pytest.approx(0.45, abs=0.03)  # a tenth of the random labels is right by chance
    assert torch.equal(study.random_labels(labels, 0.0, 10, torch.Generator()), labels)
    assert torch.equal(labels, torch.arange(1000) % 10)


def test_the_plan_covers_the_question():
    plan = study.plan()
    assert len({run.name for run in plan}) == len(plan)
    assert {run.shots for run in plan} >= {10, 1000}
    assert {run.alpha for run in plan} >= {0.0, 0.1}
    assert {run.noise for run in plan} == {0.0, 0.2, 0.5}
    for run in plan:  # every run with MixUp has its partner without
        assert replace(run, alpha=0.0) in plan
    assert all(len({r.seed for r in plan if replace(r, seed=0) == replace(run, seed=0)}) == 3 for run in plan)


def test_the_schedule_is_the_rule_shortened():
    full = hyperrule.get_schedule(20_000)
    recipe = study.Run(100, 0.1, 0).recipe
    assert recipe.schedule == tuple(step // study.FACTOR for step in full)
    assert recipe.mixup == 0.1
    assert study.Run(1000, 0.0, 0, longer=4).recipe.schedule[-1] == 4 * recipe.schedule[-1]


@pytest.fixture
def images() -> tuple[Images, Images]:
    """Twelve tiny images of each of two classes, dark and bright, to train on; as many to test."""
    labels = torch.arange(24) % 2
    pixels = (80 + 100 * labels)[:, None, None, None] + torch.randint(-60, 60, (24, 3, 16, 16))
    train = Images("fake", "train", "original", ("dark", "bright"), labels, pixels.byte())
    return train, replace(train, split="test")


def test_runs_of_one_seed_share_images_and_random_labels(images):
    tasks = [study.task_of(study.Run(5, alpha, 1, 0.5), *images) for alpha in (0.0, 1.0)]
    assert tasks[0].setting == tasks[1].setting
    assert torch.equal(tasks[0].train.labels, tasks[1].train.labels)
    other = study.task_of(study.Run(5, 0.0, 2, 0.5), *images)
    assert not torch.equal(tasks[0].train.labels, other.train.labels)


def test_a_run_leaves_a_record_that_agrees_with_itself(images, monkeypatch, tmp_path):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    run = study.Run(8, 0.4, 0, 0.2)
    recipe = replace(run.recipe, resize=18, crop=16, schedule=(1, 2, 3, 4, 5), batch=8)
    record = study.make(run, study.task_of(run, *images), "R14x0.125", recipe)
    runs.write(record)
    assert runs.exists(study.EXPERIMENT, run.name)
    result = record.result
    assert sum(result["bin_count"]) == 24
    right = sum(n * share for n, share in zip(result["bin_count"], result["bin_accuracy"], strict=True))
    assert 100 * right / 24 == pytest.approx(result["top1"], abs=0.1)
    assert (record.setting["mixup"], record.setting["random_labels"]) == (0.4, 0.2)


def test_a_record_is_made_on_the_images_of_its_folder(images, monkeypatch):
    monkeypatch.setattr(study, "_test", lambda datadir, side, interpolation: images[1])
    monkeypatch.setattr(study.fewshot, "cifar10", lambda datadir, split: images[0])
    monkeypatch.setattr(study, "make", lambda run, task: (run, len(task.train), len(task.test)))
    run = study.Run(2, 0.1, 0)
    assert study.record(run, None) == (run, 4, 24)
