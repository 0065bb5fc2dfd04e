"""Upstream pre-training at a tiny scale: recipe, resuming, record, weights, and bad input."""

import os
import re
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from folders import make_folders
from PIL import Image

from bitdoc import data
from bitdoc import pretrain as command
from bitdoc.network import weights
from bitdoc.network.resnet import build
from bitdoc.records import runs
from bitdoc.training import pretrain
from bitdoc.training.engine import TrainingError

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


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_asked_for_is_that_of_the_run(upstream, tmp_path, precision):
    flags = ["--dataset", "folder", "--model", "R14x0.25", "--phases", "16x1", "--batch", "8", "--precision", precision]
    assert command.main([*flags, "--workdir", str(tmp_path)]) == 0
    (record,) = runs.load("pretrain")
    assert record.setting["precision"] == precision


def test_a_killed_run_ends_with_the_same_weights(upstream, tmp_path, monkeypatch):
    choice = pretrain.Upstream(**TINY)
    whole, _ = pretrain.pretrain(choice, None, tmp_path / "whole")
    (of_whole,) = runs.load("pretrain")
    runs.path_of("pretrain", choice.tag).unlink()
    original = pretrain.train

    def killed(model, optimizer, batch_at, lr_at, start, on_step, engine):
        def stop(step, lr, loss):
            if step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            on_step(step, lr, loss)

        return original(model, optimizer, batch_at, lr_at, start=start, on_step=stop)

    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "train", killed)
        with pytest.raises(KeyboardInterrupt, match="stopped at step 3 of 6; step 3 is kept in .* goes on from there"):
            pretrain.pretrain(choice, None, tmp_path / "parts")
    parts, _ = pretrain.pretrain(choice, None, tmp_path / "parts")
    (record,) = runs.load("pretrain")
    assert record.setting["resumed_at"] == 3 and record.curve == of_whole.curve and record.cost["seconds"] > 0
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))


def test_a_finished_run_is_left_alone_and_made_anew_where_its_weights_are_lost(upstream, tmp_path, monkeypatch, capsys):
    choice = pretrain.Upstream(**TINY)
    _, score = pretrain.pretrain(choice, None, tmp_path)
    path = runs.path_of("pretrain", choice.tag)
    before, file = path.read_bytes(), tmp_path / f"{choice.tag}.npz"
    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "train", None)
        model, again = pretrain.pretrain(choice, None, tmp_path)
    assert "was made before" in capsys.readouterr().out
    assert path.read_bytes() == before and (again.top1, again.loss) == (score.top1, score.loss)
    assert np.array_equal(np.load(file)["resnet/head/conv2d/bias"], model.head.bias.detach().numpy())
    file.unlink()  # made again from the checkpoint, with its whole curve
    first = runs.read(path)
    pretrain.pretrain(choice, None, tmp_path)
    assert runs.read(path).curve == first.curve and runs.read(path).cost["seconds"] == first.cost["seconds"]
    assert weights.sha256(file) == first.setting["weights_sha256"]


@pytest.mark.parametrize("kept", ["record", "checkpoint"])
def test_code_that_changed_is_another_run(upstream, tmp_path, monkeypatch, kept):
    """As for a fine-tuning: the code belongs to what a run is, whether it is finished or under way."""
    choice = pretrain.Upstream(**TINY)
    pretrain.pretrain(choice, None, tmp_path)
    if kept == "checkpoint":
        runs.path_of("pretrain", choice.tag).unlink()
    monkeypatch.setattr("bitdoc.records.age.code_digest", lambda: "another")
    with pytest.raises(TrainingError, match="belongs to another run: the code that decides results is .* another here"):
        pretrain.pretrain(choice, None, tmp_path)


@pytest.mark.parametrize("kept", ["record", "checkpoint"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: replace(i, pixels=255 - i.pixels), "the training images is"),
        (lambda i: replace(i, labels=i.labels.flip(0)), "the training images is"),
        (lambda i: i.subset(torch.arange(24)), "the training images is|upstream_images is 32 there and 24 here"),
        (lambda i: replace(i, classes=tuple("abcde")), "class_count is 4 there and 5 here"),
    ],
    ids=["pixels", "labels", "fewer", "classes"],
)
def test_other_data_are_another_run(upstream, tmp_path, monkeypatch, kept, change, message):
    choice = pretrain.Upstream(**TINY)
    pretrain.pretrain(choice, None, tmp_path)
    if kept == "checkpoint":
        runs.path_of("pretrain", choice.tag).unlink()
    monkeypatch.setattr(data, "load", lambda name, split, datadir: change(upstream))
    with pytest.raises(TrainingError, match=f"belongs to another run: .*({message})"):
        pretrain.pretrain(choice, None, tmp_path)


def test_folders_of_pictures_of_many_sizes_are_pre_trained_on(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path / "results"))
    make_folders(tmp_path / "images", size=(24, 30), per_class=8)
    Image.new("RGB", (50, 40)).save(tmp_path / "images/train/cat/2.png")
    flags = ["--dataset", "folder", "--datadir", str(tmp_path / "images"), "--workdir", str(tmp_path / "work")]
    flags += ["--model", "R14x0.25", "--phases", "16x1", "--batch", "8", "--smallest_crop", "0.25"]
    assert command.main(flags) == 0
    (record,) = runs.load("pretrain")
    assert record.setting["stored_side"] == 32 and record.setting["steps"] == 2
    images = data.load("folder", "train", tmp_path / "images")
    choice = pretrain.Upstream(dataset="folder", model="R14x0.25", phases="16x1", batch=8)
    (batch,) = pretrain._batch_at(choice, images, [(2, 16)])(0)[0]
    assert batch.images.shape == (8, 3, 16, 16)


def test_a_test_set_of_other_classes_is_refused_and_which_are_said(tmp_path, capsys):
    make_folders(tmp_path / "images", classes=("cat", "cow", "dog"))
    shutil.rmtree(tmp_path / "images" / "test" / "cow")
    flags = ["--dataset", "folder", "--datadir", str(tmp_path / "images"), "--workdir", str(tmp_path / "work")]
    assert command.main(flags) == 1
    assert "train and test differ in their classes: only train has 'cow'" in capsys.readouterr().err


def test_batch_norm_can_be_trained_and_kept(upstream, tmp_path):
    choice = pretrain.Upstream(**TINY | {"norm_kind": "batch", "standardized": False})
    pretrain.pretrain(choice, None, tmp_path)
    assert "resnet/group_norm/gamma" not in np.load(tmp_path / f"{choice.tag}.npz")


def test_a_fraction_of_the_upstream_data(upstream, tmp_path):
    pretrain.pretrain(pretrain.Upstream(**TINY | {"fraction": 0.5}), None, tmp_path)
    assert runs.load("pretrain")[0].setting["upstream_images"] == 16


def test_export_ships_half_precision_and_records_its_score(upstream, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / "shipped")
    flags = ["--dataset", "folder", "--model", "R14x0.25", "--phases", "16x1", "--batch", "8"]
    assert command.main([*flags, "--workdir", str(tmp_path), "--export", "BiT-T-R14x0.25"]) == 0
    file = tmp_path / "shipped" / "BiT-T-R14x0.25.npz"
    assert np.load(file)["resnet/root_block/standardized_conv2d/kernel"].dtype == np.float16
    trained, shipped = runs.load("pretrain", model="R14x0.25")[0], runs.load("pretrain", model="BiT-T-R14x0.25")[0]
    assert shipped.setting["weights_sha256"] == weights.sha256(file)
    assert shipped.setting["run_weights_sha256"] == trained.setting["weights_sha256"]
    assert shipped.result["loss"] == pytest.approx(trained.result["loss"], abs=0.02)
    # Weights that the record does not tell of are not shipped.
    weights.save(build("R14x0.25", 4), tmp_path / f"{trained.name}.npz")
    with pytest.raises(TrainingError, match="is not the network that the record .* tells of"):
        pretrain.export(pretrain.Upstream(**TINY | {"phases": "16x1"}), "BiT-T-R14x0.25", None, tmp_path)
    assert weights.sha256(file) == shipped.setting["weights_sha256"]


#: What is refused before anything is read, a row a kind: a flag, its values, and what one line says of each.
REFUSED = {
    "a schedule": ("--schedule", ["cosine", "stairs", ""], "unknown schedule .* choose staircase or linear"),
    "a batch": ("--batch", ["0", "-8", "1.5"], "a whole number of 1 or more"),
    "a rate": ("--base_lr", ["nan", "inf", "-1", "0"], "base_lr must be above 0"),
    "a share": ("--fraction", ["2", "0", "nan", "-0.1"], "fraction must be above 0 and at most 1, got"),
    "a warm-up": ("--warmup", ["2", "1", "-0.1", "nan"], "warmup must be at least 0 and below 1"),
    "a crop": ("--smallest_crop", ["2", "0", "-1", "nan"], "smallest_crop must be above 0 and at most 1"),
    "MixUp": ("--mixup", ["-1", "nan", "inf"], "mixup must be 0 or more"),
    "noise": ("--noise", ["nan", "-1", "inf"], "noise must be 0 or more"),
    "weight decay": ("--weight_decay", ["nan", "-1", "-inf"], "weight_decay must be 0 or more"),
    "a seed": ("--seed", ["-1", "99999999999999999999", "9" * 400, "x"], "seed"),
    "phases": (
        "--phases",
        ["x", "", "32", "32x", "32xnan", "32x1e3", "-32x1", "32x1,", "٣٢x1"],
        "cannot read the phases",
    ),
    "phases of nothing": ("--phases", ["0x1", "32x0", "32x1,48x0", "32x0.0"], "a phase of 0 pixels or 0 epochs"),
    "an architecture": ("--model", ["R7x1", "R050x1", "R50x9000000", "", "BiT-"], "architecture|model|width"),
    "a norm": ("--norm_kind", ["layer", "", "Group"], "unknown norm_kind .* choose group or batch or none"),
    "a data set": ("--dataset", ["mnist", "", "tinyimagenet"], "unknown data set"),
    "a parent": (
        "--grow_from",
        ["BiT-T-R50x0.25", "BiT-T-R26x1", "R26x0.25", "BiT-L-x"],
        "grown|model",
    ),
    "a parent that is nowhere": (
        "--grow-from",
        ["BiT-T-R26x0.25", "BiT-L-R26x0.25", "BiT-M-R26x0.125"],
        "there is no",
    ),
    "what is shipped": (
        "--export",
        ["BiT-T-R50x1", "BiT-M-R26x0.5", "R26x0.5", "BiT-T-R26x1", "BiT-T-R26x0.5-10pct", "x"],
        "shipped|model",
    ),
    "a home": ("--workdir", ["~nosuchuser", "~nosuchuser/x", "~nosuchuser/.."], "there is no such home folder"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_done_is_refused_before_anything_is_read(monkeypatch, tmp_path, capsys, kind):
    def read(*args):
        raise AssertionError("data were read")

    monkeypatch.setattr(data, "load", read)
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    flag, values, message = REFUSED[kind]
    for value in values:
        assert command.main([f"{flag}={value}"]) == 2, value
        error = capsys.readouterr().err.strip()
        assert re.search(message, error) and error.count("\n") == 0 and error.startswith("error: "), error
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_a_name_cannot_tell_is_not_shipped(capsys):
    for more in (["--norm_kind", "batch"], ["--no-standardized"], ["--norm_kind", "none"]):
        assert command.main(["--export", "BiT-T-R26x0.5", *more]) == 2
        assert "has group norm and weight standardization" in capsys.readouterr().err


def test_spaces_in_phases_mean_nothing():
    assert pretrain.Upstream(phases=" 32x1, 48x2 ") == pretrain.Upstream(phases="32x1,48x2")


def test_no_step_at_all_is_refused_before_training(upstream, tmp_path):
    for phases in ("16x0.01", "16x0.1,20x0.02"):
        with pytest.raises(TrainingError, match="are no step; choose more epochs"):
            pretrain.pretrain(pretrain.Upstream(**TINY | {"phases": phases}), None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_incomplete_data_set_is_named(tmp_path, capsys):
    (tmp_path / "tiny-imagenet-200").mkdir()
    (tmp_path / "tiny-imagenet-200" / "wnids.txt").write_text("n1\nn2")
    assert command.main(["--datadir", str(tmp_path), "--workdir", str(tmp_path / "w")]) == 1
    assert "incomplete: found 2 of 200 classes and 0 of 100000 train images" in capsys.readouterr().err
