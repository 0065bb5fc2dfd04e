"""Upstream pre-training at a tiny scale: recipe, resuming, record, weights, and bad input."""

import numpy as np
import pytest
import torch

from bitdoc import data
from bitdoc.network import weights
from bitdoc.records import runs
from bitdoc.training import pretrain

TINY = {"dataset": "folder", "model": "R14x0.25", "phases": "16x1,20x0.5", "batch": 8}


@pytest.fixture
def upstream(monkeypatch, tmp_path):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path / "results"))
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (32, 3, 24, 24), generator=rng, dtype=torch.uint8)
    images = data.Images("folder", "train", "made", ("a", "b", "c", "d"), torch.arange(32) % 4, pixels)
    monkeypatch.setattr(data, "load", lambda name, split, datadir: images)
    return images


def test_learning_rate_is_the_papers():
    choice = pretrain.Upstream(batch=4096)
    steps = 900
    rates = [choice.lr_at(step, steps) for step in range(steps)]
    assert max(rates) == pytest.approx(0.48), "0.03 * 4096 / 256"
    assert rates[0] == pytest.approx(0.48 / 45) and rates[44] == pytest.approx(0.48)
    assert [rates[s] for s in (299, 300, 600, 800, 899)] == pytest.approx([0.48, 0.048, 0.0048, 0.00048, 0.00048])
    assert choice.lr_at(steps, steps) is None


def test_linear_schedule_ends_near_zero():
    choice = pretrain.Upstream(schedule="linear", batch=256)
    assert choice.lr_at(999, 1000) == pytest.approx(0.03 / 950)


def test_phases():
    assert pretrain.Upstream(phases="32x2,48x1.5", batch=10).plan(100) == [(20, 32), (35, 48)]
    with pytest.raises(pretrain.TrainingError, match="cannot read the phases 'big'"):
        pretrain.Upstream(phases="big").plan(100)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_mixup_upstream_is_off_unless_asked_for(upstream, alpha):
    batch_at = pretrain._batch_at(pretrain.Upstream(**TINY, mixup=alpha), upstream, [(9, 16)])
    weights_of_mixing = [batch.lam for step in range(9) for batch in batch_at(step)[0]]
    assert all(lam == 1 for lam in weights_of_mixing) == (alpha == 0)


def test_a_run_leaves_weights_and_a_record(upstream, tmp_path):
    choice = pretrain.Upstream(**TINY)
    model, score = pretrain.pretrain(choice, None, tmp_path / "work")
    (record,) = runs.load("pretrain")
    assert record.setting["steps"] == 6 and record.setting["upstream_images"] == 32
    assert record.result["top1"] == pytest.approx(score.top1)
    file = tmp_path / "work" / f"{choice.tag}.npz"
    assert record.setting["weights_sha256"] == weights.sha256(file)
    kernel = np.load(file)["resnet/root_block/standardized_conv2d/kernel"]
    assert np.allclose(kernel, model.root.conv.weight.detach().permute(2, 3, 1, 0))


def test_a_killed_run_ends_with_the_same_weights(upstream, tmp_path, monkeypatch):
    choice = pretrain.Upstream(**TINY)
    whole, _ = pretrain.pretrain(choice, None, tmp_path / "whole")
    original = pretrain.train

    def killed(model, optimizer, batch_at, lr_at, start, on_step, engine):
        def stop(step, lr, loss):
            on_step(step, lr, loss)
            pretrain.save_checkpoint(tmp_path / "parts" / f"{choice.tag}.pt", model, optimizer, step + 1, choice.tag)
            if step == 2:
                raise KeyboardInterrupt

        return original(model, optimizer, batch_at, lr_at, start=start, on_step=stop)

    monkeypatch.setattr(pretrain, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        pretrain.pretrain(choice, None, tmp_path / "parts")
    monkeypatch.setattr(pretrain, "train", original)
    parts, _ = pretrain.pretrain(choice, None, tmp_path / "parts")
    assert runs.load("pretrain")[0].setting["resumed_at"] == 3
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))


def test_batch_norm_can_be_trained_and_kept(upstream, tmp_path):
    choice = pretrain.Upstream(**TINY | {"norm_kind": "batch", "standardized": False})
    pretrain.pretrain(choice, None, tmp_path)
    assert "resnet/group_norm/gamma" not in np.load(tmp_path / f"{choice.tag}.npz")


def test_a_fraction_of_the_upstream_data(upstream, tmp_path):
    pretrain.pretrain(pretrain.Upstream(**TINY | {"fraction": 0.5}), None, tmp_path)
    assert runs.load("pretrain")[0].setting["upstream_images"] == 16


def test_export_ships_half_precision_and_records_its_score(upstream, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / "shipped")
    flags = ["--dataset", "folder", "--model", "R14x0.25", "--phases", "16x1", "--batch", "8"]
    assert pretrain.main([*flags, "--workdir", str(tmp_path), "--export", "BiT-T-R14x0.25"]) == 0
    file = tmp_path / "shipped" / "BiT-T-R14x0.25.npz"
    assert np.load(file)["resnet/root_block/standardized_conv2d/kernel"].dtype == np.float16
    trained, shipped = runs.load("pretrain", model="R14x0.25")[0], runs.load("pretrain", model="BiT-T-R14x0.25")[0]
    assert shipped.setting["weights_sha256"] == weights.sha256(file)
    assert shipped.setting["run_weights_sha256"] == trained.setting["weights_sha256"]
    assert shipped.result["loss"] == pytest.approx(trained.result["loss"], abs=0.02)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--fraction", "2"], "at most 1, got 2"),
        (["--phases", "x"], "cannot read the phases"),
        (["--model", "R7x1"], "unknown architecture"),
    ],
)
def test_bad_input_is_one_line(upstream, tmp_path, capsys, flags, message):
    assert pretrain.main(["--dataset", "folder", "--workdir", str(tmp_path), *flags]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and message in error


def test_an_incomplete_data_set_is_named(tmp_path, capsys):
    (tmp_path / "tiny-imagenet-200").mkdir()
    (tmp_path / "tiny-imagenet-200" / "wnids.txt").write_text("n1\nn2")
    assert pretrain.main(["--datadir", str(tmp_path), "--workdir", str(tmp_path / "w")]) == 1
    assert "incomplete: found 2 of 200 classes and 0 of 1000 train images" in capsys.readouterr().err
