"""Every row of ``docs/paper-vs-code.md`` is a test here: ``first-step`` there is ``test_first_step`` here."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bitdoc import data, train
from bitdoc.data import Images
from bitdoc.network import weights
from bitdoc.network.norms import standardize
from bitdoc.network.resnet import OFFICIAL, PreActBottleneck, Root, conv, count_parameters, norm
from bitdoc.training import finetune
from bitdoc.training.finetune import Recipe, Task, rule
from bitdoc.training.hyperrule import get_lr, get_resolution, get_schedule
from bitdoc.training.identity import fingerprint
from bitdoc.training.loop import crop_and_flip, generator, mixed_micro_batches, sample_indices
from bitdoc.training.loop import train as run_steps
from bitdoc.training.pretrain import Upstream

PAGE = Path(__file__).parents[1] / "docs" / "paper-vs-code.md"
ROW = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)


def test_each_row_has_a_test_and_each_test_a_row():
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) == len(set(rows)) > 20
    here = {name for name, _ in inspect.getmembers(sys.modules[__name__], inspect.isfunction) if name[:5] == "test_"}
    here -= {"test_each_row_has_a_test_and_each_test_a_row", "test_sums_of_learning_rates_are_near"}
    assert {f"test_{row.replace('-', '_')}" for row in rows} == here


def images(count: int, side: int = 32, classes: int = 2) -> Images:
    labels = torch.arange(count) % classes
    pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    return Images("toy", "train", "random", tuple("abcdefghij"[:classes]), labels, pixels)


def fine_tune(count: int, monkeypatch, batch: int = 4, split: int = 1) -> dict[str, list]:
    """Fine-tune the smallest network for five steps; return what was drawn and the sizes of what was tested."""
    seen: dict[str, list] = {"replacement": [], "tested": []}

    def draw(*args, replacement):
        seen["replacement"].append(replacement)
        return sample_indices(*args, replacement=replacement)

    def test(model, batches, engine):
        batches = list(batches)
        seen["tested"] += [tuple(x.shape) for x, _ in batches]
        return evaluate(model, iter(batches), engine)

    evaluate = finetune.evaluate
    monkeypatch.setattr(finetune, "sample_indices", draw)
    monkeypatch.setattr(finetune, "evaluate", test)
    task = Task.choose(images(count), images(105), None)
    recipe = Recipe(resize=40, crop=24, schedule=(1, 2, 3, 4, 5), batch=batch, split=split)
    engine = finetune.Engine()
    finetune.finetune("R14x0.03125", task, recipe, experiment="toy", run="toy", engine=engine, progress=False)
    return seen


# -- Recipe -----------------------------------------------------------------------------------------------------------


def test_resolution():
    for arch in OFFICIAL:
        assert get_resolution((224, 224), arch=arch) == (512, 480)
        expected = (512, 480) if arch == "R152x4" else (448, 384)
        assert get_resolution((224, 224), "paper", arch) == expected
        assert get_resolution((32, 32), arch=arch) == get_resolution((32, 32), "paper", arch) == (160, 128)


def test_schedule():
    for examples, steps in ((50, 500), (50_000, 10_000), (10**6, 20_000)):
        tenths = tuple(steps * part // 10 for part in (3, 6, 9))
        assert get_schedule(examples, "paper")[1:] == (*tenths, steps)
        code = get_schedule(examples)
        assert code[1:] == ((200, 300, 400, 500) if steps == 500 else (*tenths, steps))


def test_warm_up():
    assert [get_schedule(n)[0] for n in (50, 50_000, 10**6)] == [100, 500, 500]
    assert [get_schedule(n, "paper")[0] for n in (50, 50_000, 10**6)] == [0, 0, 0]
    assert get_lr(50, 50, 1.0) == pytest.approx(0.5)


def test_first_step():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 2))
    before = [p.clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    x, y = torch.randn(4, 3, 4, 4), torch.tensor([0, 1, 0, 1])

    def batch_at(step):
        return mixed_micro_batches(x, y, 1, 0.0, generator(step)), 4

    run_steps(model, optimizer, batch_at, lambda step: get_lr(step, 50) if step < 1 else None)
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
    assert optimizer.state[model[1].weight]["momentum_buffer"].abs().max() > 0


def test_late_drop():
    for step in (200, 300, 400):
        assert get_lr(step + 1, 50) == pytest.approx(get_lr(step, 50) / 10)
        assert get_lr(step - 1, 50) == get_lr(step, 50)


def test_steps_and_batch():
    small, large = rule(50_000, (32, 32), batch=128), rule(50_000, (32, 32))
    assert (large.batch, small.batch) == (512, 128)
    assert (small.schedule, small.base_lr) == (large.schedule, large.base_lr)


def test_colab_drops():
    rates = sorted({get_lr(step, 50) for step in range(100, 500)}, reverse=True)
    assert [rates[0] / rate for rate in rates] == pytest.approx([1, 10, 100, 1000])


def test_flip():
    original = torch.arange(8, dtype=torch.uint8).expand(400, 3, 8, 8)
    out = crop_and_flip(original, 8, torch.Generator().manual_seed(0))
    mirrored = (out[:, 0, 0, 0] == 7).sum().item()
    assert (out == original).flatten(1).all(1).sum().item() == 400 - mirrored
    assert 160 < mirrored < 240


def test_orientation():
    assert not [f.name for f in fields(Recipe) if re.search("flip|mirror|random", f.name)]
    out = crop_and_flip(torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8).expand(200, 3, 8, 8), 4, generator(0))
    assert len({tuple(x.flatten().tolist()) for x in out}) > 30  # of 25 places x 2 mirrors


def test_eval_resize(monkeypatch):
    assert {shape[1:] for shape in fine_tune(8, monkeypatch)["tested"]} == {(3, 24, 24)}


def test_mixup_partner():
    x, y = torch.arange(40.0).reshape(40, 1, 1, 1), torch.arange(40)
    lams = []
    for step in range(30):
        micro = list(mixed_micro_batches(x, y, 2, 0.4, generator(step)))
        assert len({batch.lam for batch in micro}) == 1
        lams.append(micro[0].lam)
        for batch, own in zip(micro, x.split(20), strict=True):
            assert batch.partner.sort().values.tolist() == list(range(20))
            assert batch.partner.tolist() != list(range(20))[::-1]
            torch.testing.assert_close(batch.images, batch.lam * own + (1 - batch.lam) * own[batch.partner])
    assert min(lams) < 0.5 < max(lams)


def test_upstream():
    choice = Upstream(schedule="staircase", base_lr=0.03, batch=256, warmup=0.0)
    assert choice.weight_decay == 1e-4
    rates = [choice.lr_at(step, 90) for step in (29, 30, 59, 60, 79, 80)]
    assert rates == pytest.approx([0.03, 3e-3, 3e-3, 3e-4, 3e-4, 3e-5])
    large = Upstream(schedule="staircase", base_lr=0.03, batch=4096, warmup=0.1)
    assert large.lr_at(9, 100) == pytest.approx(0.48)
    assert large.lr_at(4, 100) == pytest.approx(0.24)


# -- Network ----------------------------------------------------------------------------------------------------------


def test_ws_epsilon():
    weight = torch.tensor([-1e-5, 1e-5], dtype=torch.float64).reshape(1, 2, 1, 1)  # population variance 1e-10
    expected = 1e-5 / (2e-10) ** 0.5
    torch.testing.assert_close(standardize(weight).flatten().tolist(), [-expected, expected])


def test_root_padding():
    root = Root(4, conv(standardized=True))
    x = torch.rand(1, 3, 32, 32) - 2
    before = root.conv(x)
    assert before[..., 0, :].min() < 0
    ours, padded = root(x), F.max_pool2d(before, 3, 2, padding=1)
    assert ours[..., 0, :].min() >= 0 > padded[..., 0, :].min()
    assert torch.equal(ours[..., 1:, 1:], padded[..., 1:, 1:])


def test_stride():
    block = PreActBottleneck(64, 256, 2, norm("group"), conv(standardized=True))
    assert (block.conv_a.stride, block.conv_b.stride, block.conv_c.stride) == ((1, 1), (2, 2), (1, 1))


def test_parameters():
    assert round(count_parameters("R152x4", 0) / 1e6) == 928
    assert round(count_parameters("R152x4", 1000) / 1e6, 1) == 936.5


def test_architectures():
    assert set(OFFICIAL) == {"R50x1", "R50x3", "R101x1", "R101x3", "R152x2", "R152x4"}


# -- Data and loop ----------------------------------------------------------------------------------------------------


def test_pretrained_dir(tmp_path):
    np.savez(tmp_path / "BiT-M-R50x1.npz", a=np.zeros(1))
    assert weights.find("BiT-M-R50x1", tmp_path) == tmp_path / "BiT-M-R50x1.npz"
    flags = ["--name", "x", "--model", "BiT-M-R50x1", "--logdir", "x", "--dataset", "cifar10"]
    assert train.parser().parse_args([*flags, "--bit_pretrained_dir", "w"]).bit_pretrained_dir == Path("w")


def test_subset_seed():
    train_set = images(40)
    chosen = [fingerprint(Task.choose(train_set, images(4), 3, seed).train) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_few_shot_choice():
    labels = torch.arange(10).repeat(20)
    two = data.few_shot_indices(labels, 2, seed=0)
    assert labels[two].bincount().tolist() == [2] * 10
    assert set(data.few_shot_indices(labels, 1, seed=0).tolist()) < set(two.tolist())
    by_hash = sorted(range(20), key=lambda i: hashlib.sha256(f"0/3/{i}".encode()).digest())[:2]
    assert [i for i in two.tolist() if labels[i] == 3] == sorted(10 * i + 3 for i in by_hash)


def test_train_split():
    train_set = images(40)
    task = Task.choose(train_set, images(4), None)
    assert len(task.train) == task.setting["train_images"] == 40


def test_few_images(monkeypatch):
    assert fine_tune(8, monkeypatch, batch=16)["replacement"] == [True] * 5
    assert fine_tune(8, monkeypatch, batch=16, split=2)["replacement"] == [False] * 5  # 8 fill a micro-batch


def test_last_batch():
    drawn = [sample_indices(10, 4, step, seed=0) for step in range(5)]
    assert [len(batch) for batch in drawn] == [4] * 5
    stream = torch.cat(drawn)
    for epoch in stream.split(10):
        assert epoch.sort().values.tolist() == list(range(10))


def test_test_remainder(monkeypatch):
    assert sum(shape[0] for shape in fine_tune(8, monkeypatch)["tested"]) == 105


def test_datasets(tmp_path):
    from PIL import Image

    for split in ("train", "test"):
        for kind in ("cat", "dog"):
            (tmp_path / split / kind).mkdir(parents=True)
            Image.new("RGB", (20, 30)).save(tmp_path / split / kind / "1.png")
    assert data.load("folder", "train", tmp_path).classes == ("cat", "dog")
    with pytest.raises(data.DataError, match="cifar10, cifar100, tiny-imagenet, imagenet2012, folder"):
        data.load("oxford_iiit_pet", "train", tmp_path)


def test_sums_of_learning_rates_are_near():
    """What the page says of the two small schedules."""
    paper, code = (sum(get_lr(step, 50, 1.0, source) for step in range(500)) for source in ("paper", "code"))
    assert 0.95 < code / paper < 1
