"""One call, one fine-tuning, one run record.

The recipe comes from :func:`bitdoc.training.recipe.rule` or, for small machines, from
:func:`bitdoc.training.recipe.miniature`; the loop is :func:`bitdoc.training.loop.train`. What is to be run is a
:class:`~bitdoc.training.job.Job`, which knows all of it before the first step; the linear probe begins with one too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bitdoc import data
from bitdoc.network.resnet import ResNetV2
from bitdoc.network.small_maps import with_products
from bitdoc.records import runs
from bitdoc.training import hyperrule, loop
from bitdoc.training.engine import Engine
from bitdoc.training.job import Job, Task, starting_network
from bitdoc.training.loop import Batch, Score, evaluate, train
from bitdoc.training.recipe import Recipe, miniature, rule
from bitdoc.training.session import Session, State
from bitdoc.training.watch import Watch

__all__ = [
    "Engine",
    "Job",
    "Recipe",
    "Task",
    "carry_out",
    "chosen",
    "finetune",
    "miniature",
    "rule",
    "starting_network",
]

log = logging.getLogger("bitdoc")

#: From a task, its recipe, a seed and a device to the micro-batches of a step, and the number of images in them.
Batches = Callable[[Task, Recipe, int, torch.device], Callable[[int], tuple[Iterator[Batch], int]]]

_RESIDENT = 1 << 30  # bytes of training pixels that are kept on the device


def _drawing(task: Task, recipe: Recipe) -> dict[str, bool]:
    """How images are drawn. As in the official code, with replacement if they are fewer than a micro-batch holds."""
    return {"replacement": len(task.train) < recipe.batch // recipe.split}


def _batch_at(
    task: Task, recipe: Recipe, seed: int, device: torch.device
) -> Callable[[int], tuple[Iterator[Batch], int]]:
    """Micro-batches of a step. A small set is resized once and stays on the device; a large one is fetched by need."""
    images, resized = _resident(task.train, recipe.resize, device)

    def indices_at(step: int) -> Tensor:
        return loop.sample_indices(len(images), recipe.batch, step, seed, **_drawing(task, recipe))

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
        indices, rng = indices_at(step), loop.generator(seed, "augment", step)
        place = (images.pixels, recipe.crop, rng, indices) if resized else (fetched(step), recipe.crop, rng)
        x = loop.to_float(loop.crop_and_flip(*place)).contiguous(memory_format=torch.channels_last)
        return loop.mixed_micro_batches(x, images.labels[indices].to(device), recipe.split, recipe.mixup, rng), len(x)

    return batch_at


def micro_batches(
    task: Task, recipe: Recipe, seed: int, device: torch.device
) -> Callable[[int], tuple[Iterator[Batch], int]]:
    """Make the rule's micro-batches: random crops, every other one mirrored. One of :data:`Batches`."""
    return _batch_at(task, recipe, seed, device)


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
        Where the state is kept every two minutes, at every evaluation and when a signal ends the run, and taken up
        again.
    eval_every : int, optional
        Steps between evaluations; the last step is always evaluated.
    progress : bool, optional
        Progress bar; None shows it on a terminal only.

    Raises
    ------
    TrainingError
        If the loss is not finite, not even one image fits into memory, or the checkpoint is of another run.
    FileError
        If another process is at work on the checkpoint.
    Stopped
        After Ctrl-C or SIGTERM, where there is a checkpoint; it says how to go on.
    """
    job = Job.prepare(name, task, recipe, seed=seed, directory=directory, engine=engine, chosen=chosen(task, recipe))
    return carry_out(job, experiment, run, checkpoint=checkpoint, eval_every=eval_every, progress=progress)


def chosen(task: Task, recipe: Recipe) -> dict[str, Any]:
    """What a record of a fine-tuning says of its recipe."""
    return recipe.plain() | _drawing(task, recipe) | {"method": "fine-tune"}


def carry_out(
    job: Job,
    experiment: str,
    run: str,
    *,
    checkpoint: Path | None = None,
    eval_every: int | None = None,
    progress: bool | None = None,
    batches: Batches | None = None,
    watch: Watch | None = None,
    on_step: Callable[[int, float, float], None] | None = None,
) -> tuple[ResNetV2, runs.RunRecord]:
    """Train what :func:`finetune` prepared; arguments and errors are its own.

    Parameters
    ----------
    batches : callable, optional
        What makes the micro-batches of a step, in place of ``micro_batches``.
    watch : Watch, optional
        Decides, by looks at the pictures that are scored, which step is kept and whether to end early; takes the place
        of ``eval_every``. The record's result is that of the network that is kept.
    on_step : callable, optional
        Called with the step, its learning rate and its loss.
    """
    recipe, engine, watch = job.recipe, job.engine, watch or Watch(eval_every)
    steps = recipe.schedule[-1]
    model = with_products(engine.place(job.network))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    state = State(model, optimizer, engine, job.run, checkpoint)
    with state.held():
        session = Session(
            state, steps, recipe.batch, title="fine-tune", points=50, averaged=False, bar=progress, report=log.info
        )
        watch.restore(session.more)

        def after(step: int, lr: float, loss: float) -> None:
            if session(step, lr, loss):
                log.debug("step %d: loss %.5f, learning rate %.2g", step + 1, loss, lr)
            if on_step:
                on_step(step, lr, loss)
            if step + 1 < steps:
                _look(job, watch, session, step + 1)

        def lr_at(step: int) -> float | None:
            return None if watch.is_over else hyperrule.learning_rate(step, recipe.schedule, recipe.base_lr)

        with session:
            _look(job, watch, session, session.start)  # a signal may have come between a step and the look after it
            batch_at = (batches or micro_batches)(job.task, recipe, job.seed, engine.device)
            train(model, optimizer, batch_at, lr_at, start=session.start, on_step=after, engine=engine)
        session.finish()
    if watch.last != session.done or not steps:
        watch.look(session.done, _evaluate(job, session.done), model, job.task.scored.labels)
    watch.put_back(model)
    parts = {"curve": session.curve, "cost": session.cost(), "device": session.device}
    split_used = recipe.split * engine.parts
    return model, job.record(experiment, run, watch.result(), resumed_at=session.start, split_used=split_used, **parts)


def _look(job: Job, watch: Watch, session: Session, step: int) -> None:
    """Take a look after ``step`` steps, if it is due, and keep what was seen."""
    if watch.is_due(step):
        watch.look(step, _evaluate(job, step), job.network, job.task.scored.labels)
        job.network.train()
        session.more = watch.state()
        session.save(step)


def _evaluate(job: Job, step: int) -> Score:
    engine, side = job.engine, job.recipe.crop
    size = max(100, 100 * 64**2 // side**2)  # for each batch the filters are converted, which thumbnails feel
    share = test_batches(job.task.scored, side, engine.device, size, rank=engine.rank, world=engine.world)
    score = evaluate(job.network, share, engine)
    log.info("step %d: loss %.5f, top-1 %.2f %%, top-5 %.2f %%", step, score.loss, score.top1, score.top5)
    return score
