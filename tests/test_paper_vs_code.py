"""Every row of ``docs/paper-vs-code.md`` is a test here: ``first-step`` there is ``test_first_step`` here.

Where a row tells frameworks apart, its test takes the words on each of them from the page and compares them with what
the replica in ``official.py`` does: a word under the wrong name fails.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import re
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import official
import pytest
import torch
from official import FRAMEWORKS, PYTORCH, TF2
from PIL import Image
from torch import nn
from torch.nn import functional as F

from bitdoc import data, train
from bitdoc.data import Images
from bitdoc.data.folders import class_folders
from bitdoc.data.images import resize
from bitdoc.literature.published import OFFICIAL_FEW_SHOT
from bitdoc.network import weights
from bitdoc.network.norms import standardize
from bitdoc.network.resnet import OFFICIAL, PreActBottleneck, Root, conv, count_parameters, norm
from bitdoc.records import runs
from bitdoc.training import finetune, loop
from bitdoc.training.finetune import Recipe, Task, rule
from bitdoc.training.hyperrule import get_lr, get_resolution, get_schedule
from bitdoc.training.identity import fingerprint
from bitdoc.training.loop import accumulate, crop_and_flip, evaluate, generator, mixed_micro_batches, sample_indices
from bitdoc.training.loop import train as run_steps
from bitdoc.training.pretrain import Upstream

PAGE = Path(__file__).parents[1] / "docs" / "paper-vs-code.md"
ROW = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)
#: The beginning of what a cell says of one framework or two: "TensorFlow 2 and JAX: ".
NAMED = re.compile(rf"(?:^|(?<=\. ))((?:{'|'.join(FRAMEWORKS)})(?: and (?:{'|'.join(FRAMEWORKS)}))*): ")
#: Columns of the page's tables, after the row's name.
PAPER, CODE, OURS = range(3)
HELPERS = {"test_each_row_has_a_test_and_each_test_a_row", "test_sums_of_learning_rates_are_near"}


def cells(row: str) -> list[str]:
    """Paper, official code and bitdoc, as the page has them in a row."""
    (line,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{row}` |")]
    return [cell.strip() for cell in line.strip("|").split(" | ")][1:]


def says(row: str, column: int, *words: str) -> None:
    """The page says these words in a row and column; they are made from what is computed."""
    for part in words:
        assert part in cells(row)[column], f"{row} does not say: {part}"


def told(row: str) -> dict[str, str]:
    """What the page says of each framework: the words under its name."""
    _, *pieces = NAMED.split(cells(row)[1])
    words = {name: text for names, text in zip(pieces[::2], pieces[1::2], strict=True) for name in names.split(" and ")}
    assert set(words) == set(FRAMEWORKS), f"{row} does not speak of all three"
    return words


def agree(row: str, word: str, does: dict[str, bool]) -> None:
    """The page says ``word`` of exactly those frameworks whose replica does it, and at least one other does not."""
    said = {name: bool(re.search(word, text)) for name, text in told(row).items()}
    assert said == does
    assert len(set(does.values())) == 2, "a word that is true of all tells nothing"


def test_each_row_has_a_test_and_each_test_a_row():
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) == len(set(rows)) > 25
    here = {name for name, _ in inspect.getmembers(sys.modules[__name__], inspect.isfunction) if name[:5] == "test_"}
    assert {f"test_{row.replace('-', '_')}" for row in rows} == here - HELPERS


def images(count: int, side: int = 32, classes: int = 2) -> Images:
    labels = torch.arange(count) % classes
    pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    return Images("toy", "train", "random", tuple("abcdefghij"[:classes]), labels, pixels)


def fine_tune(count: int, monkeypatch, batch: int = 4, split: int = 1, **options) -> dict[str, list]:
    """Fine-tune the smallest network for five steps; return how each was drawn and the sizes of what was tested."""
    drawn, tested = {}, []

    def draw(examples, size, step, seed, *, replacement):
        drawn[step] = replacement
        return sample_indices(examples, size, step, seed, replacement=replacement)

    def test(model, batches, engine):
        batches = list(batches)
        tested.extend(tuple(x.shape) for x, _ in batches)
        return evaluate(model, iter(batches), engine)

    monkeypatch.setattr(loop, "sample_indices", draw)
    monkeypatch.setattr(finetune, "evaluate", test)
    task = Task.choose(images(count), images(105), None)
    recipe = Recipe(resize=40, crop=24, schedule=(1, 2, 3, 4, 5), batch=batch, split=split)
    options = {"engine": finetune.Engine(), "progress": False} | options
    _, record = finetune.finetune("R14x0.03125", task, recipe, experiment="toy", run="toy", **options)
    return {"replacement": [drawn[step] for step in range(5)], "tested": tested, "steps": record.curve["step"]}


# -- Recipe -----------------------------------------------------------------------------------------------------------


def test_resolution():
    for arch in OFFICIAL:
        assert get_resolution((224, 224), arch=arch) == (512, 480)
        expected = (512, 480) if arch == "R152x4" else (448, 384)
        assert get_resolution((224, 224), "paper", arch) == expected
        assert get_resolution((95, 96), arch=arch) == get_resolution((32, 32), "paper", arch) == (160, 128)
    small, largest, code = (
        get_resolution((96, 96), "paper", "R50x1"),
        get_resolution((96, 96), "paper", "R152x4"),
        get_resolution((96, 96)),
    )
    says("resolution", PAPER, f"96 × 96 pixels or more: resize to {small.resize}, crop {small.crop};")
    says(
        "resolution", PAPER, f"only R152x4 resizes to {largest.resize} and crops {largest.crop} (Sec. 3.3, footnote 1)"
    )
    says("resolution", CODE, f"{code.resize} and {code.crop} for every network")


def test_schedule():
    for examples, steps in ((50, 500), (50_000, 10_000), (10**6, 20_000)):
        tenths = tuple(steps * part // 10 for part in (3, 6, 9))
        assert get_schedule(examples, "paper")[1:] == (*tenths, steps)
        code = get_schedule(examples)
        assert code[1:] == ((200, 300, 400, 500) if steps == 500 else (*tenths, steps))
    steps = "{:,}, {:,} or {:,} steps".format(*(get_schedule(n, "paper")[-1] for n in (50, 50_000, 10**6)))
    says("schedule", PAPER, f"Drops at 30, 60 and 90% of {steps}")
    says("schedule", CODE, "small tasks drop at {}, {} and {} of {} steps".format(*get_schedule(50)[1:]))


def test_warm_up():
    assert [get_schedule(n)[0] for n in (50, 50_000, 10**6)] == [100, 500, 500]
    assert [get_schedule(n, "paper")[0] for n in (50, 50_000, 10**6)] == [0, 0, 0]
    assert get_lr(50, 50, 1.0) == pytest.approx(0.5)
    small, others = get_schedule(50)[0], get_schedule(50_000)[0]
    says("warm-up", CODE, f"Linear from {get_lr(0, 50):.0f}: {small} steps for small tasks, {others} for the others")


def test_first_step():
    kept = {name: official.momentum_step(name, 0.0, 1.0, rate=0.0)[0] != 0 for name in FRAMEWORKS}
    agree("first-step", "kept", kept)
    agree("first-step", "lost", {name: not value for name, value in kept.items()})
    assert all(official.momentum_step(name, 0.0, 1.0, rate=0.0)[1] == 0 for name in FRAMEWORKS)
    says("first-step", CODE, f"starts at {get_lr(0, 50):.0f}", f"multiplied by the rate, {get_lr(0, 50):.0f}, before")
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 2))
    before = [p.clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    x, y = torch.randn(4, 3, 4, 4), torch.tensor([0, 1, 0, 1])

    def batch_at(step):
        return mixed_micro_batches(x, y, 1, 0.0, generator(step)), 4

    run_steps(model, optimizer, batch_at, lambda step: get_lr(step, 50) if step < 1 else None)
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
    assert optimizer.state[model[1].weight]["momentum_buffer"].abs().max() > 0


def steps_after_a_drop(name: str, count: int = 60) -> list[float]:
    """Steps under a constant gradient of 1, at rate 1 for long and then at 0.1."""
    velocity, steps = 0.0, []
    for step in range(300 + count):
        velocity, moved = official.momentum_step(name, velocity, 1.0, rate=1.0 if step < 300 else 0.1)
        steps.append(-moved)
    return steps[300:]


def test_old_rate():
    at_once = {name: steps_after_a_drop(name)[0] == pytest.approx(1.0) for name in FRAMEWORKS}
    agree("old-rate", "acts at once", at_once)
    agree("old-rate", "lingers", {name: not value for name, value in at_once.items()})
    old = [10 * 0.9**k for k in range(1, 61)]  # what is left of the steps before the drop
    outweighed = [2 * before > moved for before, moved in zip(old, steps_after_a_drop(TF2), strict=True)]
    assert outweighed == [True] * 22 + [False] * 38
    assert "22 steps" in told("old-rate")[TF2]
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=1.0, momentum=0.9)
    for step in range(301):
        optimizer.param_groups[0]["lr"], weight.grad, before = 1.0 if step < 300 else 0.1, torch.ones(1), weight.item()
        optimizer.step()
    assert before - weight.item() == pytest.approx(1.0, rel=1e-3)


def test_late_drop():
    for step in (200, 300, 400):
        assert get_lr(step + 1, 50) == pytest.approx(get_lr(step, 50) / 10)
        assert get_lr(step - 1, 50) == get_lr(step, 50)
    says("late-drop", CODE, "at {}, {} and {} for small tasks".format(*(step + 1 for step in get_schedule(50)[1:4])))


def test_steps_and_batch():
    small, large = rule(50_000, (32, 32), batch=128), rule(50_000, (32, 32))
    assert (large.batch, small.batch) == (512, 128)
    assert (small.schedule, small.base_lr) == (large.schedule, large.base_lr)
    assert cells("steps-and-batch")[PAPER] == f"Batch {large.batch}"
    assert "batch 128, learning rate 0.001" in OFFICIAL_FEW_SHOT.unit
    says("steps-and-batch", CODE, "batch 128 and learning rate 0.001 with the same steps")


def test_batch_split():
    agree("batch-split", "ignored", {name: "batch_split" not in flags for name, flags in official.FLAGS.items()})
    x, y = torch.randn(8, 3, 4, 4), torch.arange(8) % 2
    gradients = []
    for split in (1, 4):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 2))
        accumulate(model, mixed_micro_batches(x, y, split, 0.0, generator(0)), 8)
        gradients.append(model[1].weight.grad)
    torch.testing.assert_close(*gradients)


def reports_without_flag(name: str) -> bool:
    try:
        return official.reported_steps(name, 500, None) == [500]
    except TypeError:
        return False


def test_eval_every(monkeypatch):
    whole = {name: official.steps_made(name, 500, 300) == 500 for name in FRAMEWORKS}
    agree("eval-every", "only adds", whole)
    assert official.steps_made(TF2, 500, 300) == 300 and "with 300 after 300 of 500" in told("eval-every")[TF2]
    late = {name: official.reported_steps(name, 500, 100) == [0, 100, 200, 300, 400] for name in FRAMEWORKS}
    agree("eval-every", "by the step at which its stretch began", late)
    agree(
        "eval-every", "without the flag ends in an error", {name: not reports_without_flag(name) for name in FRAMEWORKS}
    )
    assert max(fine_tune(8, monkeypatch, eval_every=3)["steps"]) == 5


def test_colab_drops():
    rates = sorted({get_lr(step, 50) for step in range(100, 500)}, reverse=True)
    assert [rates[0] / rate for rate in rates] == pytest.approx([1, 10, 100, 1000])
    whole, half = official.colab_rates(512), official.colab_rates(256)
    shares = [rate / whole[0] for rate, _ in itertools.groupby(whole)]
    assert shares == pytest.approx([1, 0.1, 0.001, 0.0001]) and whole[0] > 0
    says("colab-drops", CODE, f"The colab of {official.COLAB} goes from 0.1 straight to 0.001", "has no warm-up")
    assert half[0] == whole[0] / 2 and len(half) == 2 * len(whole)
    assert [half[step] < half[step - 1] for step in (201, 301, 401)] == [True] * 3
    says("colab-drops", CODE, "halves the learning rate and doubles the steps, but drops the rate at the same steps")


def test_flip():
    original = torch.arange(8, dtype=torch.uint8).expand(400, 3, 8, 8)
    turned = {name: (official.mirror(name, original, generator(0))[:, 0, 0, 0] == 7).sum() for name in FRAMEWORKS}
    agree("flip", "every training image", {name: bool(count == 400) for name, count in turned.items()})
    agree("flip", "at random", {name: bool(160 < count < 240) for name, count in turned.items()})
    in_colab = official.mirror(official.COLAB, original, generator(0), colab=True)
    assert 160 < (in_colab[:, 0, 0, 0] == 7).sum() < 240
    says("flip", CODE, "with probability 1/2", f"only the colab of {official.COLAB} draws lots")
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
    assert (official.judged_side(40, 24), official.judged_side(40, 24, colab=True)) == (24, 40)
    says(
        "eval-resize",
        CODE,
        "The scripts resize to the crop size",
        f"the colab of {official.COLAB} resizes to the larger",
    )


def test_mixup_partner():
    backwards = {name: official.partners(name, 20, generator(0)) == list(range(20))[::-1] for name in FRAMEWORKS}
    agree("mixup-partner", "reverse order", backwards)
    agree("mixup-partner", "random permutation", {name: not value for name, value in backwards.items()})
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
    says(
        "upstream",
        PAPER,
        f"rate {choice.base_lr} × batch/256, weight decay 10⁻⁴, drops after 30, 60 and 80 of 90 epochs",
    )
    says("upstream", PAPER, "5,000 warm-up steps")
    (shipped,) = runs.load("pretrain", model="BiT-T-R26x0.5")
    (run,) = runs.load("pretrain", name=shipped.setting["run"])
    says("upstream", OURS, f"BiT-T here: {run.setting['base_lr']}, {run.setting['schedule']} decay")


# -- Network ----------------------------------------------------------------------------------------------------------


def test_ws_epsilon():
    weight = torch.tensor([-1e-5, 1e-5], dtype=torch.float64).reshape(1, 2, 1, 1)  # population variance 1e-10
    expected = 1e-5 / (2e-10) ** 0.5
    torch.testing.assert_close(standardize(weight).flatten().tolist(), [-expected, expected])
    torch.testing.assert_close(standardize(weight), official.standardized(weight))
    authors, (code, ours) = cells("ws-epsilon")[0], cells("ws-epsilon")[1:]
    assert "unbiased one in its PyTorch snippet" in authors and "population's in its TensorFlow snippet" in authors
    assert "Population variance plus 10⁻¹⁰" in code and "As the code" in ours
    unbiased, population = (official.standardized_by_its_authors(snippet, weight) for snippet in (PYTORCH, TF2))
    torch.testing.assert_close(unbiased[0, 1].item(), 1e-5 / (1e-5 * 2**0.5 + 1e-5))
    torch.testing.assert_close(population[0, 1].item(), 0.5)
    assert "timm and transformers add 10⁻⁸" in ours
    timm, transformers = pytest.importorskip("timm"), pytest.importorskip("transformers")
    small = transformers.BitConfig(embedding_size=8, hidden_sizes=[32] * 4, depths=[1] * 4, num_groups=8)
    with torch.device("meta"):
        theirs = [timm.create_model("resnetv2_50x1_bit")]
    for model in (*theirs, transformers.BitModel(small)):
        found = [module.eps for module in model.modules() if isinstance(module, nn.Conv2d) and hasattr(module, "eps")]
        assert len(found) > 10 and set(found) == {1e-8}


def test_root_padding():
    root = Root(4, conv(standardized=True))
    x = torch.rand(1, 3, 32, 32) - 2
    before = root.conv(x)
    assert before[..., 0, :].min() < 0
    ours, padded = root(x), F.max_pool2d(before, 3, 2, padding=1)
    assert ours[..., 0, :].min() >= 0 > padded[..., 0, :].min()
    assert torch.equal(ours[..., 1:, 1:], padded[..., 1:, 1:])


def test_stride():
    assert cells("stride")[1].startswith("On the 3×3 convolution.")
    block = PreActBottleneck(64, 256, 2, norm("group"), conv(standardized=True))
    assert (block.conv_a.stride, block.conv_b.stride, block.conv_c.stride) == ((1, 1), (2, 2), (1, 1))


def test_parameters():
    assert round(count_parameters("R152x4", 0) / 1e6) == 928
    says("parameters", PAPER, f"{count_parameters('R152x4', 0) / 1e6:.0f} million")
    says("parameters", CODE, f"{count_parameters('R152x4', 1000) / 1e6:.1f} million with 1,000 classes")


def test_architectures():
    paper, ours = set(cells("architectures")[0].split(", ")), set(OFFICIAL)
    agree(
        "architectures",
        "R152x2 as well",
        {name: known - paper == {"R152x2"} for name, known in official.NETWORKS.items()},
    )
    agree("architectures", "the paper's five", {name: known == paper for name, known in official.NETWORKS.items()})
    assert ours == paper | {"R152x2"}


# -- Data and loop ----------------------------------------------------------------------------------------------------


def test_pretrained_dir(tmp_path):
    agree(
        "pretrained-dir", "ignored", {name: "bit_pretrained_dir" not in flags for name, flags in official.FLAGS.items()}
    )
    np.savez(tmp_path / "BiT-M-R50x1.npz", a=np.zeros(1))
    assert weights.find("BiT-M-R50x1", tmp_path) == tmp_path / "BiT-M-R50x1.npz"
    flags = ["--name", "x", "--model", "BiT-M-R50x1", "--logdir", "x", "--dataset", "cifar10"]
    assert train.parser().parse_args([*flags, "--bit_pretrained_dir", "w"]).bit_pretrained_dir == Path("w")


def test_subset_seed():
    ignored = {name: "examples_per_class_seed" not in flags for name, flags in official.FLAGS.items()}
    agree("subset-seed", "ignored", ignored)
    train_set = images(40)
    chosen = [fingerprint(Task.choose(train_set, images(4), 3, seed).train) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_few_shot_choice(monkeypatch):
    labels = torch.arange(10).repeat(20)
    for name in FRAMEWORKS:
        drawn = official.few_shot(name, labels.tolist(), 3, seed=5)
        assert labels[drawn].bincount().tolist() == [3] * 10 and len(set(drawn)) == 30
    order = np.random.RandomState(5).permutation(200)
    last = {name: max(np.argsort(order)[official.few_shot(name, labels.tolist(), 3, 5)]) < 199 for name in FRAMEWORKS}
    assert last[PYTORCH], "the pass stops when every class is full"
    monkeypatch.setattr(official, "IN_MEMORY", 100)
    within = {name: max(official.few_shot(name, labels.tolist(), 3, seed=5)) < 100 for name in FRAMEWORKS}
    agree("few-shot-choice", "among the first 200,000", within)
    agree("few-shot-choice", "saw last", {name: not value for name, value in within.items()})
    two = data.few_shot_indices(labels, 2, seed=0)
    assert labels[two].bincount().tolist() == [2] * 10
    assert set(data.few_shot_indices(labels, 1, seed=0).tolist()) < set(two.tolist())
    by_hash = sorted(range(20), key=lambda i: hashlib.sha256(f"0/3/{i}".encode()).digest())[:2]
    assert [i for i in two.tolist() if labels[i] == 3] == sorted(10 * i + 3 for i in by_hash)


def test_train_split():
    whole = {name: official.training_images(name, 50_000, "CIFAR") == 50_000 for name in FRAMEWORKS}
    agree("train-split", "whole training set", whole)
    for data_set, percent in official.SPLITS.items():
        cut = {name: official.training_images(name, 100_000, data_set) == 1000 * percent for name in FRAMEWORKS}
        agree("train-split", f"first {percent}% of {data_set}'s", cut)
    train_set = images(40)
    task = Task.choose(train_set, images(4), None)
    assert len(task.train) == 40


def first_batches(name: str, examples: int, batch: int, count: int) -> list[list[int]]:
    return list(itertools.islice(official.training_batches(name, examples, batch, generator(name)), count))


def first_images(name: str, examples: int, batch: int, count: int) -> list[int]:
    return [index for drawn in first_batches(name, examples, batch, count) for index in drawn]


def test_few_images(monkeypatch):
    """4,000 draws from eight images: independent ones favor some, a repeated set brings each as often."""
    counts = {name: np.bincount(first_images(name, 8, 4000, 1), minlength=8) for name in FRAMEWORKS}
    agree("few-images", "with replacement", {name: np.ptp(count) > 16 for name, count in counts.items()})
    agree("few-images", "repeated and shuffled", {name: np.ptp(count) <= 16 for name, count in counts.items()})
    assert fine_tune(8, monkeypatch, batch=16)["replacement"] == [True] * 5
    assert fine_tune(8, monkeypatch, batch=16, split=2)["replacement"] == [False] * 5  # 8 fill a micro-batch


def test_last_batch():
    sizes = {name: {len(batch) for batch in first_batches(name, 10, 4, 60)} for name in FRAMEWORKS}
    agree("last-batch", "may be smaller", {name: sizes[name] == {2, 4} for name in FRAMEWORKS})
    agree("last-batch", "every batch is full", {name: sizes[name] == {4} for name in FRAMEWORKS})
    streams = {name: first_images(name, 10, 5, 20) for name in FRAMEWORKS}
    blended = {name: any(len(set(s[i : i + 10])) < 10 for i in range(0, 100, 10)) for name, s in streams.items()}
    agree("last-batch", "epochs blend", blended)
    drawn = [sample_indices(10, 4, step, seed=0) for step in range(5)]
    assert [len(batch) for batch in drawn] == [4] * 5
    stream = torch.cat(drawn)
    for epoch in stream.split(10):
        assert epoch.sort().values.tolist() == list(range(10))


def test_test_remainder(monkeypatch):
    scored = {name: official.tested(name, 10_000) for name in FRAMEWORKS}
    for number in (9_728, 9_984):
        does = {name: scored[name] == number for name in FRAMEWORKS}
        agree("test-remainder", f"{number:,} of 10,000 at its default", does)
    agree("test-remainder", "all test images", {name: scored[name] == 10_000 for name in FRAMEWORKS})
    agree("test-remainder", "`--batch_eval`", {name: "batch_eval" in flags for name, flags in official.FLAGS.items()})
    assert sum(shape[0] for shape in fine_tune(8, monkeypatch)["tested"]) == 105


def photograph() -> torch.Tensor:
    """A photograph ``(3, 400, 600)``, uint8."""
    skimage_data = pytest.importorskip("skimage.data")
    return torch.from_numpy(skimage_data.coffee()).permute(2, 0, 1).contiguous()


def test_resize_filter():
    """Stripes one pixel wide: squeezed fourfold, they turn gray only where the filter widens."""
    stripes = (255 * (torch.arange(128) % 2)).byte().expand(3, 128, 128)
    shrunk = {name: official.resized(name, stripes[:, :, :-1], 33) for name in FRAMEWORKS}
    agree("resize-filter", "antialiased where", {name: bool(image.std() < 20) for name, image in shrunk.items()})
    agree("resize-filter", "without antialiasing", {name: bool(image.std() > 60) for name, image in shrunk.items()})
    grown = {name: official.resized(name, photograph()[:, :32, :32], 160) for name in FRAMEWORKS}
    whole = {name: torch.equal(image, image.round()) for name, image in grown.items()}
    agree("resize-filter", "rounded to 8 bits after each", whole)
    agree("resize-filter", "not rounded", {name: not value for name, value in whole.items()})
    for image, side in ((photograph(), 384), (photograph()[:, 100:132, 300:332], 160)):
        apart = (resize(image[None], side)[0].float() - official.resized(PYTORCH, image, side)).abs()
        assert apart.max() == 1
        assert 0.10 < (apart > 0).float().mean() < 0.20
    says("resize-filter", OURS, "one level of 255 apart in some 15% of the pixels")


def test_exif(tmp_path):
    """A red half above a blue one, with a tag that asks for a quarter turn."""
    for kind in ("a", "b"):
        (tmp_path / "train" / kind).mkdir(parents=True)
        picture = Image.fromarray(
            np.repeat([[[255, 0, 0]], [[0, 0, 255]]], 16, axis=0).repeat(32, axis=1).astype("uint8")
        )
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(tmp_path / "train" / kind / "1.jpg", exif=exif)
    known, own = (class_folders(tmp_path / "train", name, "train") for name in ("imagenet2012", "folder"))
    stored, turned = (images.fetch(torch.tensor([0]), 8)[0, 0].float() for images in (known, own))
    assert stored[:2].mean() > 200 > 50 > stored[-2:].mean(), "red is above, as it was stored"
    assert turned[:, -2:].mean() > 200 > 50 > turned[:, :2].mean(), "a quarter turn has brought red to the right"
    assert "turned by it" in cells("exif")[2]
    with Image.open(tmp_path / "train" / "a" / "1.jpg") as plain:  # what torchvision's loader does
        assert np.asarray(plain.convert("RGB"))[0, 0, 0] > 200


def test_datasets(tmp_path):
    fail = official.ACCEPTED - official.READABLE[PYTORCH]
    assert (
        fail == {"oxford_iiit_pet", "oxford_flowers102"} and len(set(map(frozenset, official.READABLE.values()))) == 1
    )
    assert official.READABLE[PYTORCH] == {"cifar10", "cifar100", "imagenet2012"}
    says(
        "datasets",
        CODE,
        "CIFAR-10, CIFAR-100 and ImageNet; Pets and Flowers are accepted by `--dataset` and then raise",
    )
    assert not NAMED.search(cells("datasets")[CODE])
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
