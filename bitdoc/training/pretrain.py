"""Upstream pre-training, from random weights or from those of a smaller network.

The recipe is the paper's (Sec. 3.3): SGD with momentum 0.9, weight decay 1e-4, learning rate proportional to the
batch, linear warm-up, random-resized crops and mirrors, no MixUp. Where images are few and passes many, ``--mixup``
adds it. To fit small machines the images may grow during training (``--phases 32x8,48x4,64x2``: 8 epochs at 32 pixels,
then 4 at 48, then 2 at 64).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bitdoc import data
from bitdoc.network import weights
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.network.small_maps import with_products
from bitdoc.records import runs
from bitdoc.records.age import code_version
from bitdoc.training import identity, loop
from bitdoc.training.engine import Engine, TrainingError
from bitdoc.training.finetune import test_batches
from bitdoc.training.grow import Judge, check_records, grown, told_of_parent
from bitdoc.training.loop import Batch, Score, evaluate, result_of, train
from bitdoc.training.recipe import Upstream, fraction_of
from bitdoc.training.session import Session, State


def part_of(images: data.Images, fraction: float, seed: int) -> data.Images:
    """The share ``fraction`` of each class's images, drawn by ``seed``."""
    if fraction == 1:
        return images
    per_class = max(1, round(fraction * len(images) / len(images.classes)))
    return images.subset(data.few_shot_indices(images.labels, per_class, seed))


def _stored_side(choice: Upstream, images: data.Images) -> int | None:
    """Side of the squares that large pictures are squeezed to, so that the smallest crop need not be enlarged.

    None where all pictures are of one size and in memory: they are cropped as they are.
    """
    if images.pixels is not None:
        return None
    return math.ceil(max(side for side, _ in choice.sides) / math.sqrt(choice.smallest_crop))


def _batch_at(choice: Upstream, images: data.Images, plan: list[tuple[int, int]], device: torch.device | str = "cpu"):
    stored = _stored_side(choice, images)

    def batch_at(step: int) -> tuple[Iterator[Batch], int]:
        side = next(side for last, side in plan if step < last)
        indices = loop.sample_indices(len(images), choice.batch, step, choice.seed)
        rng = loop.generator(choice.seed, "augment", step)
        pixels = images.fetch(indices, stored).to(device)
        x = loop.random_resized_crop(pixels, side, (choice.smallest_crop, 1.0), rng)
        x = x.contiguous(memory_format=torch.channels_last)
        return loop.mixed_micro_batches(x, images.labels[indices].to(device), 1, choice.mixup, rng), len(x)

    return batch_at


def _first_network(choice: Upstream, classes: int, directory: str | None, judge: Judge, engine: Engine) -> ResNetV2:
    if choice.grown_from:
        return grown(choice, classes, directory, judge, engine)
    return build(choice.model, classes, norm_kind=choice.norm_kind, standardized=choice.standardized)


@dataclass(frozen=True)
class _Job:
    """One pre-training, all of it known: its images, its engine, and what it is."""

    choice: Upstream
    images: data.Images
    held_out: data.Images
    engine: Engine
    directory: str | None
    said: dict[str, Any]
    code: dict[str, Any]

    @classmethod
    def prepare(cls, choice: Upstream, datadir: str | None, engine: Engine, directory: str | None) -> _Job:
        runs.checked_name(choice.tag)
        code = code_version()  # of the code that is loaded now, whatever the files say at the end
        check_records(choice, directory)
        with engine.main_first():
            images = part_of(data.load(choice.dataset, "train", datadir), choice.fraction, choice.seed)
            held_out = data.load(choice.dataset, "test", datadir)
            parent = told_of_parent(choice, directory)
        identity.same_classes(images, held_out)
        if not (steps := choice.plan(len(images))[-1][0]):
            raise TrainingError(
                f"{choice.phases} of {len(images)} images in batches of {choice.batch} are no step; choose more epochs"
            )
        told = identity.told_of_data(images, held_out)
        told |= {"upstream_encoding": told.pop("encoding"), "upstream_images": told.pop("train_images")}
        made = {"steps": steps, "stored_side": _stored_side(choice, images)}
        said = asdict(choice) | told | made | parent | {"precision": engine.precision}
        return cls(choice, images, held_out, engine, directory, said, code)

    @property
    def run(self) -> dict[str, Any]:
        """What tells this run from any other."""
        return self.said | {"code": self.code["digest"]}

    def made_before(self, file: Path) -> tuple[ResNetV2, Score] | None:
        """The network and the score of the very same run, where its record and its weights are there."""
        record = identity.made_before("pretrain", self.choice.tag, self.run)
        if not record or not file.is_file() or record.setting.get("weights_sha256") != weights.sha256(file):
            return None
        network = build(
            self.choice.model,
            len(self.images.classes),
            norm_kind=self.choice.norm_kind,
            standardized=self.choice.standardized,
        )
        weights.load_into(network, file)
        result = record.result
        return network, Score(result["top1"], result.get("top5", 0.0), result.get("loss", 0.0), torch.empty(0))

    def judge(self, model: ResNetV2) -> Score:
        """Score on the upstream validation set, at the side that the training ends with."""
        engine = self.engine
        side = self.choice.sides[-1][0]
        share = test_batches(self.held_out, side, engine.device, 256, rank=engine.rank, world=engine.world)
        return evaluate(engine.place(model), share, engine)


def pretrain(
    choice: Upstream,
    datadir: str | None,
    workdir: Path,
    compiled: bool = False,
    engine: Engine | None = None,
    directory: str | None = None,
) -> tuple[ResNetV2, Score]:
    """Run (or go on with) one pre-training; write its weights to ``workdir`` and its record to the results.

    Images of one size are decoded once and kept on the device of ``engine``, by default the best there is; others are
    decoded on demand, squeezed to squares. The weights of a network to grow from are looked for in ``directory`` first.
    A run that was made before, whose weights are still in ``workdir``, is left alone.

    Returns
    -------
    (ResNetV2, Score)
        The trained network and its score on the upstream validation set.

    Raises
    ------
    TrainingError
        If the loss is not finite, or a checkpoint or a record of another run is in the way.
    """
    engine = engine or Engine.start(compiled=compiled)
    engine.forget_peak()
    job = _Job.prepare(choice, datadir, engine, directory)
    file = workdir / f"{choice.tag}.npz"
    if made := job.made_before(file):
        if engine.is_main:
            print(f"{choice.tag} was made before: its record is left alone, its weights are in {file}", flush=True)
        return made
    return _carry_out(job, file)


def _carry_out(job: _Job, file: Path) -> tuple[ResNetV2, Score]:
    choice, engine, images = job.choice, job.engine, job.images
    torch.manual_seed(choice.seed)
    network = _first_network(choice, len(images.classes), job.directory, job.judge, engine)
    model = with_products(engine.place(network))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=choice.weight_decay)
    state = State(model, optimizer, engine, job.run, file.with_suffix(".pt"))
    if images.pixels is not None:
        images = replace(images, pixels=images.pixels.to(engine.device), labels=images.labels.to(engine.device))
    steps = job.said["steps"]
    with state.held():
        session = Session(state, steps, choice.batch, title=choice.tag, points=100, averaged=True)

        def on_step(step: int, lr: float, loss: float) -> None:
            is_point = session(step, lr, loss)
            if is_point and session.bar.disable and engine.is_main and len(session.curve["step"]) % 10 == 0:
                print(f"step {step + 1:,} of {steps:,}: loss {session.curve['loss'][-1]:.3f}", flush=True)

        with session:
            batch_at = _batch_at(choice, images, choice.plan(len(images)), engine.device)
            lr_at = partial(choice.lr_at, steps=steps)
            train(model, optimizer, batch_at, lr_at, start=session.start, on_step=on_step, engine=engine)
        session.finish()
        score = job.judge(model)
        if engine.is_main:
            weights.save(model, file)
            _record(job, score, session, file)
    engine.agree(None)  # the others wait until the weights are written
    return model, score


def _record(job: _Job, score: Score, session: Session, file: Path) -> None:
    made = {"resumed_at": session.start, "weights_sha256": weights.sha256(file)}
    setting, result = job.said | job.engine.plain() | made, result_of(score, len(job.held_out))
    said = {"curve": session.curve, "cost": session.cost(), "code": job.code, "device": job.engine.device}
    record = runs.made_now("pretrain", job.choice.tag, job.choice.model, setting, result, **said)
    runs.write(replace(record, environment=record.environment | {"device": session.device}))


def check_export(choice: Upstream, name: str) -> None:
    """Refuse to ship the network of ``choice`` under the name of another one.

    Raises
    ------
    TrainingError
        If it is of another architecture or share of the images than the name says, or of a kind that a name cannot
        tell.
    """
    model = weights.ModelName.parse(name)
    share = "" if choice.fraction == 1 else f"-{100 * choice.fraction:g}pct"
    if model.upstream != "T" or model.arch != choice.model or fraction_of(name) != choice.fraction:
        raise TrainingError(f"{choice.tag} cannot be shipped as {name}: expected BiT-T-{choice.model}{share}")
    if choice.norm_kind != "group" or not choice.standardized:
        raise TrainingError(f"a model that is shipped has group norm and weight standardization, unlike {choice.tag}")


def export(choice: Upstream, name: str, datadir: str | None, workdir: Path) -> Score:
    """Ship the weights of a finished run with the package, as the model ``name`` in float16; record what they score.

    Half precision costs nothing that can be measured: weight standardization makes filters indifferent to their scale,
    and 11 bits are plenty for the rest. The record says so with a number.
    """
    check_export(choice, name)
    trained = workdir / f"{choice.tag}.npz"
    record = runs.read_named(runs.path_of("pretrain", choice.tag))
    if weights.sha256(trained) != record.setting.get("weights_sha256"):
        raise TrainingError(f"{trained} is not the network that the record {record.name} tells of; pre-train it anew")
    held_out = data.load(choice.dataset, "test", datadir)
    model = build(choice.model, len(held_out.classes))
    weights.load_into(model, trained)
    shipped = weights.SHIPPED / weights.model_file(name)
    weights.save(model, shipped, dtype=np.float16)
    weights.load_into(model, shipped)
    model = model.to(memory_format=torch.channels_last)
    side = choice.sides[-1][0]
    score = evaluate(model, test_batches(held_out, side, torch.device("cpu"), 256))
    setting = {
        "dataset": choice.dataset,
        "upstream_encoding": held_out.encoding,
        "test_digest": identity.fingerprint(held_out)[0],
        "run": choice.tag,
        "run_weights_sha256": weights.sha256(trained),
        "weights_sha256": weights.sha256(shipped),
        "dtype": "float16",
        "side": side,
    }
    runs.write(runs.made_now("pretrain", name, name, setting, result_of(score, len(held_out))))
    return score
