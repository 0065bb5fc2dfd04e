"""The study of equal updates, on fabricated images: records, the choice of learning rates, the look inside."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bitdoc import data
from bitdoc.network.resnet import build
from bitdoc.records import runs
from bitdoc.studies.normalization import batch_size, channels, equal_updates

CLASSES = ("dark", "light")


def images(count: int, name: str = "made-up") -> data.Images:
    labels = torch.arange(count) % 2
    noise = torch.randint(0, 60, (count, 3, 32, 32), generator=torch.Generator().manual_seed(count))
    pixels = (noise + 150 * labels[:, None, None, None]).byte()
    return data.Images(name, "train", "none", CLASSES, labels, pixels)


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path / "results"))


@pytest.fixture
def task() -> batch_size.Task:
    return batch_size.Task(images(64), images(16), images(20))


def test_the_study_from_runs_to_records(task, monkeypatch):
    monkeypatch.setattr(equal_updates, "RATES", {4: (0.01, 0.03)})
    said: list[str] = []
    options = {"seeds": [0, 1], "report": said.append, "batches": [4], "updates": 3}
    equal_updates.run_equal_updates(task, **options)
    records = runs.load(equal_updates.EXPERIMENT)
    assert len(records) == 3 * 2 * 2
    kinds = {(record.setting["norm_kind"], record.setting["standardized"]) for record in records}
    assert kinds == set(equal_updates.VARIANTS.values())
    for record in records:
        assert record.setting["updates"] == 3
        assert record.result["diverged_at"] is None
        assert record.result["train_loss"] > 0
        assert len(record.setting["layers"]) == len(record.curve["offset"]) == len(record.curve["stuck"]) == 8
    assert len(said) == 3
    paths = {path: path.stat().st_mtime_ns for path in runs.folder().rglob("*.json")}
    equal_updates.run_equal_updates(task, **options)
    assert paths == {path: path.stat().st_mtime_ns for path in runs.folder().rglob("*.json")}  # nothing ran twice


def test_the_look_inside_takes_images_of_every_class(task, monkeypatch):
    by_class = task.held_out.subset(task.held_out.labels.sort().indices)
    seen = []
    monkeypatch.setattr(equal_updates, "LOOKED_AT", 4)
    monkeypatch.setattr(equal_updates, "look_inside", lambda model, images: seen.append(images) or {})
    equal_updates.measure(
        equal_updates.Run("group", True, 8, 0.01, updates=1), batch_size.Task(task.train, by_class, task.test)
    )
    bright = seen[0].mean((1, 2, 3)) > 0
    assert bright.tolist() == [False, False, True, True]


def made_up(name: str, lr: float, seed: int, held_out: float, top1: float, batch: int = 2) -> None:
    norm_kind, standardized = equal_updates.VARIANTS[name]
    setting = {"norm_kind": norm_kind, "standardized": standardized, "batch": batch, "lr": lr, "seed": seed}
    result = {"held_out": held_out, "top1": top1}
    runs.write(runs.RunRecord(equal_updates.EXPERIMENT, f"{norm_kind}_{lr}_{seed}", "R14x0.125", setting, result))


def test_the_rate_with_the_best_held_out_accuracy_wins_whatever_the_test_says():
    for lr, held_out, top1 in ((0.01, (50.0, 60.0), 90.0), (0.1, (58.0, 57.0), 10.0)):
        for seed, score in enumerate(held_out):
            made_up("GN", lr, seed, score, top1)
    assert [record.setting["lr"] for record in equal_updates.chosen("GN", 2)] == [0.1, 0.1]
    assert equal_updates.chosen("BN", 2) == []
    assert equal_updates.chosen("GN", 32) == []


def test_a_rate_with_runs_missing_is_not_chosen():
    for seed in (0, 1):
        made_up("GN", 0.01, seed, 50.0, 50.0)
    made_up("GN", 0.1, 0, 99.0, 99.0)
    assert {record.setting["lr"] for record in equal_updates.chosen("GN", 2)} == {0.01}


def test_learning_rate_rises_falls_and_ends():
    run = equal_updates.Run("group", True, 2, 0.02, updates=100)
    rates = [run.lr_at(step) for step in range(100)]
    assert max(rates) == rates[9] == pytest.approx(0.02)
    assert rates[0] < rates[5] < rates[9] > rates[50] > rates[99] > 0
    assert run.lr_at(100) is None


def test_every_batch_size_has_rates_and_the_same_number_of_updates():
    assert set(equal_updates.RATES) == set(equal_updates.BATCHES)
    assert {equal_updates.Run("group", True, b, 0.1).updates for b in equal_updates.BATCHES} == {equal_updates.UPDATES}


def test_a_run_that_diverges_is_recorded_as_such(task):
    equal_updates.measure(equal_updates.Run("group", False, 8, 1e30, updates=5), task)
    (record,) = runs.load(equal_updates.EXPERIMENT)
    assert record.result["diverged_at"] is not None
    assert record.curve == {}


# ---- Channels -------------------------------------------------------------------------------------------------------


def test_offset_and_stuck_of_channels_made_to_measure():
    x = torch.randn(50, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    x[:, 1] += 6  # always on
    x[:, 2] -= 6  # always off
    assert channels.offset(x) == pytest.approx(4, abs=0.1)
    assert channels.stuck(x) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", ["batch", "group"])
def test_normalized_is_the_layer_without_its_scale_and_offset(kind):
    norm = nn.BatchNorm2d(4) if kind == "batch" else nn.GroupNorm(2, 4)
    x = 3 + 2 * torch.randn(8, 4, 5, 5)
    norm(x)  # moves the running statistics
    norm.eval()
    assert torch.allclose(channels.normalized(norm, x), norm(x), atol=1e-6)
    with torch.no_grad():
        norm.weight *= 2
        norm.bias += 1
    assert torch.allclose(2 * channels.normalized(norm, x) + 1, norm(x), atol=1e-5)


def test_another_layer_is_refused():
    with pytest.raises(TypeError, match="expected a batch norm or a group norm, got Identity"):
        channels.normalized(nn.Identity(), torch.zeros(1, 2, 3, 3))


def test_the_look_inside_sees_what_the_relu_receives():
    torch.manual_seed(0)
    model = build("R14x0.125", 10, norm_kind="group", standardized=True)
    norm = model.get_submodule("stages.0.0.norm_b")
    with torch.no_grad():
        norm.bias += 100
    found = channels.look_inside(model, torch.randn(4, 3, 32, 32))
    assert found["layer"][0] == "stages.0.0.norm_b"
    assert found["stuck"][0] == 1.0
    assert found["offset"][0] < 1  # before the offset that was learned
    assert not any(module._forward_hooks for module in model.modules())
