"""Upstream pre-training, from random weights or from those of a smaller network.

The recipe is the paper's (Sec. 3.3): SGD with momentum 0.9, weight decay 1e-4, learning rate proportional to the
batch, linear warm-up, random-resized crops and mirrors, no MixUp. Where images are few and passes many, ``--mixup``
adds it. To fit small machines the images may grow during training (``--phases 32x8,48x4,64x2``: 8 epochs at 32 pixels,
then 4 at 48, then 2 at 64).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from bitdoc import data
from bitdoc.network import weights
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.network.small_maps import with_products
from bitdoc.records import runs
from bitdoc.records.code import code_version
from bitdoc.training.checkpoint import load_checkpoint, save_checkpoint
from bitdoc.training.engine import Engine
from bitdoc.training.finetune import test_batches
from bitdoc.training.grow import Judge, grown
from bitdoc.training.loop import (
    Batch,
    Score,
    TrainingError,
    evaluate,
    generator,
    mixed_micro_batches,
    random_resized_crop,
    sample_indices,
    train,
)
from bitdoc.training.recipe import Upstream


def _fraction(images: data.Images, fraction: float, seed: int) -> data.Images:
    if not 0 < fraction <= 1:
        raise TrainingError(f"the fraction of the upstream data must be above 0 and at most 1, got {fraction}")
    if fraction == 1:
        return images
    per_class = max(1, round(fraction * len(images) / len(images.classes)))
    return images.subset(data.few_shot_indices(images.labels, per_class, seed))


def _batch_at(choice: Upstream, images: data.Images, plan: list[tuple[int, int]]):
    def batch_at(step: int) -> tuple[Iterator[Batch], int]:
        side = next(side for last, side in plan if step < last)
        indices = sample_indices(len(images), choice.batch, step, choice.seed)
        rng = generator(choice.seed, "augment", step)
        x = random_resized_crop(images.fetch(indices), side, (choice.smallest_crop, 1.0), rng)
        x = x.contiguous(memory_format=torch.channels_last)
        return mixed_micro_batches(x, images.labels[indices], 1, choice.mixup, rng), len(x)

    return batch_at


def _first_network(choice: Upstream, classes: int, directory: str | None, judge: Judge, engine: Engine) -> ResNetV2:
    if choice.grown_from:
        return grown(choice, classes, directory, judge, engine)
    return build(choice.model, classes, norm_kind=choice.norm_kind, standardized=choice.standardized)


def pretrain(
    choice: Upstream,
    datadir: str | None,
    workdir: Path,
    compiled: bool = False,
    engine: Engine | None = None,
    directory: str | None = None,
) -> tuple[ResNetV2, Score]:
    """Run (or go on with) one pre-training; write its weights to ``workdir`` and its record to the results.

    The images are decoded once and kept on the device of ``engine``, by default the best there is. The weights of a
    network to grow from are looked for in ``directory`` first.

    Returns
    -------
    (ResNetV2, Score)
        The trained network and its score on the upstream validation set.
    """
    version = code_version()  # of the code that is loaded now, whatever the files say at the end
    engine = engine or Engine.start(compiled=compiled)
    engine.forget_peak()
    with engine.main_first():
        images = _fraction(data.load(choice.dataset, "train", datadir), choice.fraction, choice.seed)
        held_out = data.load(choice.dataset, "test", datadir)
    if images.pixels is not None:
        images = replace(images, pixels=images.pixels.to(engine.device), labels=images.labels.to(engine.device))
    plan = choice.plan(len(images))
    steps, last_side = plan[-1]

    def judge(model: ResNetV2) -> Score:
        share = test_batches(held_out, last_side, engine.device, 256, rank=engine.rank, world=engine.world)
        return evaluate(engine.place(model), share, engine)

    torch.manual_seed(choice.seed)
    model = with_products(engine.place(_first_network(choice, len(images.classes), directory, judge, engine)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=choice.weight_decay)
    checkpoint = workdir / f"{choice.tag}.pt"
    start = load_checkpoint(checkpoint, model, optimizer, choice.tag, engine)
    if engine.agree(start) != start:
        raise TrainingError(f"the processes found different checkpoints; all of them must see {checkpoint}")
    watch = _Watch(choice, model, optimizer, engine, checkpoint, start, steps)
    batch_at = _batch_at(choice, images, plan)
    with watch.bar:
        lr_at = partial(choice.lr_at, steps=steps)
        train(model, optimizer, batch_at, lr_at, start=start, on_step=watch, engine=engine)
    cost = watch.cost()
    watch.save(steps)
    score = judge(model)
    file = checkpoint.with_suffix(".npz")
    if engine.is_main:
        weights.save(model, file)
        _record(choice, images, held_out, score, watch, cost, version, file)
    engine.agree(None)  # the others wait until the weights are written
    return model, score


def _record(choice, images, held_out, score, watch, cost, version, file) -> None:
    made = {"steps": watch.steps, "resumed_at": watch.start, "weights_sha256": weights.sha256(file)}
    upstream = {"upstream_encoding": images.encoding, "upstream_images": len(images)}
    record = runs.RunRecord(
        experiment="pretrain",
        name=choice.tag,
        model=choice.model,
        setting=asdict(choice) | upstream | watch.engine.plain() | made,
        result={"top1": score.top1, "top5": score.top5, "loss": score.loss, "images": len(held_out)},
        curve=watch.curve,
        cost=cost,
        environment=runs.environment(watch.engine.device),
        code=version,
        date=runs.now(),
    )
    runs.write(record)


def export(choice: Upstream, name: str, datadir: str | None, workdir: Path) -> Score:
    """Ship the weights of a finished run with the package, as the model ``name`` in float16; record what they score.

    Half precision costs nothing that can be measured: weight standardization makes filters indifferent to their scale,
    and 11 bits are plenty for the rest. The record says so with a number.
    """
    trained = workdir / f"{choice.tag}.npz"
    held_out = data.load(choice.dataset, "test", datadir)
    model = build(choice.model, len(held_out.classes))
    weights.load_into(model, trained)
    shipped = weights.SHIPPED / weights.model_file(name)
    weights.save(model, shipped, dtype=np.float16)
    weights.load_into(model, shipped)
    model = model.to(memory_format=torch.channels_last)
    side = choice.plan(1)[-1][1]
    score = evaluate(model, test_batches(held_out, side, torch.device("cpu"), 256))
    setting = {
        "dataset": choice.dataset,
        "upstream_encoding": held_out.encoding,
        "run": choice.tag,
        "run_weights_sha256": weights.sha256(trained),
        "weights_sha256": weights.sha256(shipped),
        "dtype": "float16",
        "side": side,
    }
    record = runs.RunRecord(
        experiment="pretrain",
        name=name,
        model=name,
        setting=setting,
        result={"top1": score.top1, "top5": score.top5, "loss": score.loss, "images": len(held_out)},
        environment=runs.environment(),
        code=code_version(),
        date=runs.now(),
    )
    runs.write(record)
    return score


class _Watch:
    """Called after each step: progress bar, loss curve (means over a hundredth of the run), checkpoints."""

    def __init__(self, choice, model, optimizer, engine, checkpoint, start, steps):
        self.choice, self.model, self.optimizer, self.engine = choice, model, optimizer, engine
        self.checkpoint, self.start, self.steps = checkpoint, start, steps
        hidden = {} if engine.is_main else {"disable": True}
        self.bar = tqdm(total=steps, initial=start, desc=choice.tag, unit="step", mininterval=10, **hidden)
        self.curve: dict[str, list] = {"step": [], "loss": []}
        self.recent: list[float] = []
        self.began = self.saved = time.monotonic()

    def __call__(self, step: int, lr: float, loss: float) -> None:
        self.bar.update()
        self.recent.append(loss)
        if (step + 1) % max(1, self.steps // 100) == 0 or step + 1 == self.steps:
            self.curve["step"].append(step + 1)
            self.curve["loss"].append(round(sum(self.recent) / len(self.recent), 4))
            self.recent.clear()
            rate = self.choice.batch * (step + 1 - self.start) / (time.monotonic() - self.began)
            self.bar.set_postfix(loss=self.curve["loss"][-1], lr=f"{lr:.2g}", images_per_second=f"{rate:.0f}")
        if time.monotonic() - self.saved > 120:
            self.save(step + 1)

    def save(self, step: int) -> None:
        if self.engine.is_main:
            save_checkpoint(self.checkpoint, self.model, self.optimizer, step, self.choice.tag, self.engine)
        self.saved = time.monotonic()

    def cost(self) -> dict:
        seconds = time.monotonic() - self.began
        seen = self.choice.batch * (self.steps - self.start)
        return {
            "seconds": round(seconds, 1),
            "images_per_second": round(seen / seconds, 1) if seen else None,
            "peak_memory_bytes": runs.peak_memory(self.engine.device),
        }
