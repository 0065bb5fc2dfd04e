"""The batch-size study of the normalization page, on fabricated images: records, choice of learning rates, resuming."""

from __future__ import annotations

import pytest
import torch

from bitdoc import data
from bitdoc.records import runs
from bitdoc.studies.normalization import batch_size

CLASSES = ("dark", "light")


def images(count: int, side: int, name: str = "made-up") -> data.Images:
    labels = torch.arange(count) % 2
    noise = torch.randint(0, 60, (count, 3, side, side), generator=torch.Generator().manual_seed(count))
    pixels = (noise + 150 * labels[:, None, None, None]).byte()
    return data.Images(name, "train", "none", CLASSES, labels, pixels)


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path / "results"))
    return tmp_path


def test_the_batch_size_study_from_choice_to_records():
    task = batch_size.Task(images(64, 48), images(16, 48), images(20, 48))
    said: list[str] = []
    options = {"seeds": [0], "batches": [4, 32], "rates": [0.01, 0.03], "report": said.append}
    batch_size.run_batch_size(task, **options)
    records = runs.load(batch_size.BATCH_SIZE)
    assert len(records) == 4 * 2
    assert {batch_size.variant(r) for r in records} == set(batch_size.VARIANTS)
    assert {r.setting["scored_on"] for r in records} == {"test"}
    assert {r.setting["scored_on"] for r in runs.load(batch_size.BATCH_SIZE_CHOICE)} == {"held-out"}
    for record in records:
        assert record.setting["steps"] == 64 // record.setting["batch"]
        assert record.setting["base_lr"] == batch_size.best_rate(
            batch_size.BATCH_SIZE_CHOICE, batch_size.variant(record)
        )
    paths = {path: path.stat().st_mtime_ns for path in runs.folder().rglob("*.json")}
    batch_size.run_batch_size(task, **options)
    assert paths == {path: path.stat().st_mtime_ns for path in runs.folder().rglob("*.json")}  # nothing ran twice


def test_the_rate_with_the_best_held_out_accuracy_wins():
    for rate, scores in ((0.01, (50.0, 60.0)), (0.1, (58.0, 57.0))):
        for seed, top1 in enumerate(scores):
            setting = {"norm_kind": "group", "standardized": True, "base_lr": rate, "seed": seed}
            runs.write(runs.RunRecord("choice", f"{rate}_{seed}", "R14x0.125", setting, {"top1": top1}))
    assert batch_size.best_rate("choice", "GN + WS") == 0.1
    with pytest.raises(runs.RecordError, match="no records of 'choice' for BN"):
        batch_size.best_rate("choice", "BN")


def test_learning_rate_is_proportional_to_the_batch():
    small, large = (batch_size.BatchSize("group", True, 0.02, batch) for batch in (2, 256))
    assert max(filter(None, (small.lr_at(step, 100) for step in range(101)))) == pytest.approx(0.02 / 16)
    assert max(filter(None, (large.lr_at(step, 100) for step in range(101)))) == pytest.approx(0.02 * 8)
    assert small.lr_at(100, 100) is None
    assert small.lr_at(0, 100) < small.lr_at(9, 100) > small.lr_at(99, 100)


def test_held_out_images_are_no_training_images(monkeypatch):
    marked = images(60, 32)
    marked.pixels[:, 0, 0, 0] = torch.arange(60).byte()
    monkeypatch.setattr(data, "load", lambda name, split, datadir: marked)
    task = batch_size.cifar(None, side=32, per_class=20, held_out=5)
    train, held_out = (set(part.pixels[:, 0, 0, 0].tolist()) for part in (task.train, task.held_out))
    assert len(train) == 40
    assert len(held_out) == 10
    assert not train & held_out


def test_a_run_that_diverges_is_recorded_as_such():
    task = batch_size.Task(images(64, 48), images(16, 48), images(20, 48))
    choice = batch_size.BatchSize("group", False, 1e30, batch=8)
    batch_size.measure_batch_size(choice, task, "test", "wild")
    (record,) = runs.load("wild")
    assert record.result["diverged_at"] is not None
