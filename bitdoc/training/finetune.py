"""One call, one fine-tuning, one run record.

The recipe comes from :func:`bitdoc.training.recipe.rule` or, for small machines, from
:func:`bitdoc.training.recipe.miniature`; the loop is :func:`bitdoc.training.loop.train`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from bitdoc import data
from bitdoc.network import weights
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.network.small_maps import with_products
from bitdoc.records import runs
from bitdoc.records.code import code_version
from bitdoc.training import hyperrule
from bitdoc.training.checkpoint import load_checkpoint, save_checkpoint
from bitdoc.training.engine import Engine, pick_device
from bitdoc.training.loop import (
    Batch,
    Score,
    TrainingError,
    crop_and_flip,
    evaluate,
    generator,
    mixed_micro_batches,
    sample_indices,
    to_float,
    train,
)
from bitdoc.training.recipe import Recipe, miniature, rule

__all__ = ["Recipe", "Task", "finetune", "miniature", "pick_device", "rule", "starting_network", "test_batches"]

log = logging.getLogger("bitdoc")

_RESIDENT = 1 << 30  # bytes of training pixels that are kept on the device


@dataclass(frozen=True)
class Task:
    """Downstream data of one run: ``train`` is the few-shot subset or the whole training set."""

    train: data.Images
    test: data.Images
    setting: dict

    @classmethod
    def choose(
        cls, train: data.Images, test: data.Images, examples_per_class: int | None, subset_seed: int = 0
    ) -> Task:
        """Draw a balanced subset of ``train`` (None: all of it) and note which it was.

        Raises
        ------
        bitdoc.data.pictures.DataError
            If train and test differ in their classes, or a class has too few images.
        """
        if train.classes != test.classes:
            raise data.DataError(
                f"train has {len(train.classes)} classes and test {len(test.classes)}, or their names differ; "
                f"both need the same class folders"
            )
        setting = {
            "dataset": train.name,
            "encoding": train.encoding,
            "examples_per_class": examples_per_class,
            "subset_seed": None if examples_per_class is None else subset_seed,
            "indices_digest": None,
            "test_split": test.split,
            "test_images": len(test),
        }
        if examples_per_class is not None:
            indices = data.few_shot_indices(train.labels, examples_per_class, subset_seed)
            setting["indices_digest"] = data.digest(indices)
            train = train.subset(indices)
        return cls(train, test, setting | {"train_images": len(train)})

    def interpolated(self, interpolation: str) -> Task:
        """The same task, with images that are resized as said."""
        train, test = (replace(part, interpolation=interpolation) for part in (self.train, self.test))
        return Task(train, test, self.setting)


def starting_network(name: str, classes: int, directory: str | None, seed: int) -> tuple[ResNetV2, dict]:
    """Network of ``name`` with a new head at zero, and what a record says of its weights.

    ``name`` is a model (``"BiT-M-R50x3"``) or an architecture alone (``"R26x0.5"``), which starts from random weights.
    """
    torch.manual_seed(seed)
    if not name.startswith("BiT-"):
        return build(name, classes), {"upstream": None, "weights_sha256": None}
    file = weights.find(name, directory)
    model = build(weights.ModelName.parse(name).arch, classes)
    weights.load_into(model, file, head="new")
    return model, {"upstream": name.split("-")[1], "weights_sha256": weights.sha256(file)}


def _drawing(task: Task, recipe: Recipe) -> dict[str, bool]:
    """How images are drawn. As in the official code, with replacement if they are fewer than a micro-batch holds."""
    return {"replacement": len(task.train) < recipe.batch // recipe.split}


def _batch_at(
    task: Task, recipe: Recipe, seed: int, device: torch.device
) -> Callable[[int], tuple[Iterator[Batch], int]]:
    """Micro-batches of a step. A small set is resized once and stays on the device; a large one is fetched by need."""
    images, resized = _resident(task.train, recipe.resize, device)

    def indices_at(step: int) -> Tensor:
        return sample_indices(len(images), recipe.batch, step, seed, **_drawing(task, recipe))

    def fetch(step: int) -> Tensor:
        pixels = images.fetch(indices_at(step), recipe.resize)
        return pixels.pin_memory() if device.type == "cuda" and not pixels.is_cuda else pixels

    ahead: dict[int, Future] = {}  # the next step's images, fetched by a thread while this step computes
    thread = ThreadPoolExecutor(1)

    def fetched(step: int) -> Tensor:
        pixels = ahead.pop(step).result() if step in ahead else fetch(step)
        ahead[step + 1] = thread.submit(fetch, step + 1)
        return pixels.to(device, non_blocking=device.type == "cuda")  # only there is the source pinned

    def batch_at(step: int) -> tuple[Iterator[Batch], int]:
        indices, rng = indices_at(step), generator(seed, "augment", step)
        place = (images.pixels, recipe.crop, rng, indices) if resized else (fetched(step), recipe.crop, rng)
        x = to_float(crop_and_flip(*place)).contiguous(memory_format=torch.channels_last)
        return mixed_micro_batches(x, images.labels[indices].to(device), recipe.split, recipe.mixup, rng), len(x)

    return batch_at


def _resident(images: data.Images, side: int, device: torch.device) -> tuple[data.Images, bool]:
    """Keep a set on the device if it is small: resized, or else (CIFAR as a whole, on a card) as it is."""
    if 3 * side**2 * len(images) <= _RESIDENT:
        images = images.in_memory(side, device)
        assert images.pixels is not None
        return replace(images, pixels=images.pixels.contiguous(memory_format=torch.channels_last)), True
    if device.type == "cuda" and images.pixels is not None and images.pixels.nbytes <= _RESIDENT:
        return replace(images, pixels=images.pixels.to(device), labels=images.labels.to(device)), False
    return images, False


def test_batches(
    images: data.Images, side: int, device: torch.device, size: int = 100, *, rank: int = 0, world: int = 1
) -> Iterator[tuple[Tensor, Tensor]]:
    """The test set in its own order, resized to ``side`` squares, on the device; the share of one of ``world``."""
    for indices in torch.arange(len(images)).tensor_split(world)[rank].split(size):
        yield images.fetch(indices, side).to(device), images.labels[indices].to(device)


def finetune(
    name: str,
    task: Task,
    recipe: Recipe,
    *,
    experiment: str,
    run: str,
    seed: int = 0,
    directory: str | None = None,
    engine: Engine | None = None,
    checkpoint: Path | None = None,
    eval_every: int | None = None,
    progress: bool | None = None,
) -> tuple[ResNetV2, runs.RunRecord]:
    """Fine-tune ``name`` on ``task`` and return the network and its record (which the caller writes).

    Parameters
    ----------
    name : str
        Model, or an architecture alone to train from random weights.
    experiment, run : str
        Names in the record.
    seed : int
        Of the order of images, crops, mirrors, MixUp and random weights.
    directory : str, optional
        Where the weights may lie already.
    engine : Engine, optional
        Device, precision and processes; by default the best device there is.
    checkpoint : Path, optional
        Where the state is kept every two minutes and at every evaluation, and taken up again.
    eval_every : int, optional
        Steps between evaluations; the last step is always evaluated.
    progress : bool, optional
        Progress bar; None shows it on a terminal only.

    Raises
    ------
    TrainingError
        If the loss is not finite, not even one image fits into memory, or the checkpoint is of another run.
    """
    version = code_version()  # of the code that is loaded now, whatever the files say at the end
    engine = engine or Engine.start()
    engine.forget_peak()
    task = task.interpolated(recipe.interpolation)
    with engine.main_first():
        model, origin = starting_network(name, len(task.train.classes), directory, seed)
    model = with_products(engine.place(model))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    tag = f"{name} {run} {recipe} {task.setting['indices_digest']} {seed}"
    start = load_checkpoint(checkpoint, model, optimizer, tag, engine) if checkpoint else 0
    if engine.agree(start) != start:
        raise TrainingError(f"the processes found different checkpoints; all of them must see {checkpoint}")
    watch = _Watch(model, optimizer, task, recipe, engine, checkpoint, eval_every, tag, start, progress)
    batch_at = _batch_at(task, recipe, seed, engine.device)
    with watch.bar:
        train(
            model,
            optimizer,
            batch_at,
            lambda step: hyperrule.learning_rate(step, recipe.schedule, recipe.base_lr),
            start=start,
            on_step=watch,
            engine=engine,
        )
    watch.save(recipe.schedule[-1])
    score = watch.evaluate(recipe.schedule[-1])
    method = {"method": "fine-tune", "seed": seed, "resumed_at": start, "split_used": recipe.split * engine.parts}
    record = runs.RunRecord(
        experiment=experiment,
        name=run,
        model=name,
        setting=task.setting | origin | recipe.plain() | engine.plain() | method | _drawing(task, recipe),
        result={"top1": round(score.top1, 3), "top5": round(score.top5, 3), "loss": round(score.loss, 5)},
        curve=watch.curve,
        cost=watch.cost(),
        environment=runs.environment(engine.device),
        code=version,
        date=runs.now(),
    )
    return model, record


class _Watch:
    """Called after each step: progress bar, loss curve, evaluations, checkpoints."""

    def __init__(self, model, optimizer, task, recipe, engine, checkpoint, eval_every, tag, start, progress):
        self.model: nn.Module = model
        self.optimizer, self.task, self.recipe, self.engine = optimizer, task, recipe, engine
        self.checkpoint, self.eval_every, self.tag, self.start = checkpoint, eval_every, tag, start
        steps = recipe.schedule[-1]
        hidden = True if not engine.is_main else None if progress is None else not progress
        self.bar = tqdm(total=steps, initial=start, desc="fine-tune", unit="step", disable=hidden, leave=False)
        self.curve: dict[str, list] = {"step": [], "loss": []}
        self.every = max(1, steps // 50)
        self.began = self.saved = time.monotonic()
        self.trained = 0.0

    def __call__(self, step: int, lr: float, loss: float) -> None:
        self.trained = time.monotonic() - self.began
        done = step + 1 - self.start
        self.bar.update()
        rate = self.recipe.batch * done / self.trained
        self.bar.set_postfix(loss=f"{loss:.3f}", lr=f"{lr:.2g}", images_per_second=f"{rate:.0f}", refresh=False)
        if (step + 1) % self.every == 0:
            self.curve["step"].append(step + 1)
            self.curve["loss"].append(round(loss, 4))
            log.debug("step %d: loss %.5f, learning rate %.2g, %.0f images/s", step + 1, loss, lr, rate)
        if self.eval_every and (step + 1) % self.eval_every == 0 and step + 1 < self.recipe.schedule[-1]:
            self.evaluate(step + 1)
            self.model.train()
            self.save(step + 1)
        elif time.monotonic() - self.saved > 120:
            self.save(step + 1)

    def evaluate(self, step: int) -> Score:
        rank, world = self.engine.rank, self.engine.world
        side = self.recipe.crop
        size = max(100, 100 * 64**2 // side**2)  # for each batch the filters are converted, which thumbnails feel
        share = test_batches(self.task.test, side, self.engine.device, size, rank=rank, world=world)
        score = evaluate(self.model, share, self.engine)
        log.info("step %d: loss %.5f, top-1 %.2f %%, top-5 %.2f %%", step, score.loss, score.top1, score.top5)
        return score

    def save(self, step: int) -> None:
        if self.checkpoint and self.engine.is_main:
            save_checkpoint(self.checkpoint, self.model, self.optimizer, step, self.tag, self.engine)
            self.saved = time.monotonic()

    def cost(self) -> dict:
        images = self.recipe.batch * (self.recipe.schedule[-1] - self.start)
        return {
            "seconds": round(self.trained, 2),
            "images_per_second": round(images / self.trained, 1) if self.trained else None,
            "peak_memory_bytes": runs.peak_memory(self.engine.device),
        }
