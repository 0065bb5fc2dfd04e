"""The transfer study of the normalization page: BiT's Table 5 in miniature.

The four variants of :data:`bitdoc.studies.normalization.batch_size.VARIANTS` are pre-trained on Tiny ImageNet and
fine-tuned on a few CIFAR-10 images of each class.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from bitdoc import data
from bitdoc.network.resnet import build
from bitdoc.records import runs
from bitdoc.studies.normalization.batch_size import VARIANTS, Task, best_rate, chunks, data_setting, fit, slug, write
from bitdoc.training.finetune import miniature
from bitdoc.training.hyperrule import learning_rate
from bitdoc.training.loop import crop_and_flip, evaluate, generator, random_resized_crop, sample_indices, to_float
from bitdoc.training.pretrain import Upstream

#: Experiments in the run records.
UPSTREAM, TRANSFER, TRANSFER_CHOICE = "norm-upstream", "norm-transfer", "norm-transfer-choice"

#: Pre-trainings of each variant. (Each is transferred to all subsets.)
SEEDS = (0, 1)
#: Seeds of the few-shot subsets that are measured, and of those on which learning rates are chosen.
SUBSETS, TRIAL_SUBSETS = (0, 1, 2, 3, 4), (101, 102)

#: Upstream training of the four variants: the same for all, with the GN paper's learning rate of 0.1 for 256 images.
UPSTREAM_CHOICE = Upstream(model="R14x0.25", phases="32x3", base_lr=0.1, schedule="linear")


def upstream(choice: Upstream, images: data.Images, held_out: data.Images, workdir: Path) -> Path:
    """Pre-train one variant and write its weights to ``workdir``; nothing if weights and record exist."""
    name = f"{slug(choice.norm_kind, choice.standardized)}_s{choice.seed}"
    file = workdir / f"{name}.pt"
    if file.exists() and runs.exists(UPSTREAM, name):
        return file
    began = time.monotonic()
    ((steps, side),) = choice.plan(len(images))
    torch.manual_seed(choice.seed)
    options = {"norm_kind": choice.norm_kind, "standardized": choice.standardized}
    model = build(choice.model, len(images.classes), **options)

    def images_at(step: int) -> tuple[Tensor, Tensor]:
        indices = sample_indices(len(images), choice.batch, step, choice.seed)
        rng = generator(choice.seed, "augment", step)
        crops = random_resized_crop(images.fetch(indices), side, (choice.smallest_crop, 1.0), rng)
        return crops, images.labels[indices]

    fitted = fit(model, images_at, lambda step: choice.lr_at(step, steps), choice.weight_decay)
    workdir.mkdir(parents=True, exist_ok=True)
    torch.save({k: v for k, v in model.state_dict().items() if not k.startswith("head.")}, file)
    setting = asdict(choice) | {"encoding": images.encoding, "train_images": len(images), "steps": steps}
    write(UPSTREAM, name, setting, evaluate(model, chunks(held_out)), fitted, began)
    return file


@dataclass(frozen=True)
class Transfer:
    """One fine-tuning of one upstream network on a few examples of each class."""

    norm_kind: str
    standardized: bool
    base_lr: float
    upstream_seed: int = 0
    subset_seed: int = 0
    examples_per_class: int = 10
    model: str = UPSTREAM_CHOICE.model
    resize: int = 40
    crop: int = 32

    @property
    def name(self) -> str:
        """Name of the record."""
        kind = slug(self.norm_kind, self.standardized)
        return f"{kind}_u{self.upstream_seed}_{self.examples_per_class}shot_lr{self.base_lr:g}_s{self.subset_seed}"


def measure_transfer(choice: Transfer, weights: Path, task: Task, scored_on: str, experiment: str) -> None:
    """Fine-tune by the miniature of BiT-HyperRule and score; nothing if the record exists."""
    if runs.exists(experiment, choice.name):
        return
    began = time.monotonic()
    model = build(choice.model, len(task.train.classes), norm_kind=choice.norm_kind, standardized=choice.standardized)
    missing, unexpected = model.load_state_dict(torch.load(weights, weights_only=True), strict=False)
    if unexpected or set(missing) != {"head.weight", "head.bias"}:
        raise runs.RecordError(f"{weights} does not fit {choice.model} with {choice.norm_kind} norm; remove it")
    chosen = data.few_shot_indices(task.train.labels, choice.examples_per_class, choice.subset_seed)
    few = task.train.subset(chosen).in_memory(choice.resize)
    recipe = replace(miniature(len(few), base_lr=choice.base_lr), resize=choice.resize, crop=choice.crop)

    def images_at(step: int) -> tuple[Tensor, Tensor]:
        indices = sample_indices(len(few), recipe.batch, step, choice.subset_seed)
        rng = generator(choice.subset_seed, "crop", step)
        return to_float(crop_and_flip(few.fetch(indices), recipe.crop, rng)), few.labels[indices]

    fitted = fit(model, images_at, lambda step: learning_rate(step, recipe.schedule, recipe.base_lr), 0.0)
    scored = task.test if scored_on == "test" else task.held_out
    setting = asdict(choice) | data_setting(task, scored_on)
    setting |= {"schedule": list(recipe.schedule), "batch": recipe.batch, "indices_digest": data.digest(chosen)}
    write(experiment, choice.name, setting, evaluate(model, chunks(scored)), fitted, began)


def run_transfer(
    task: Task,
    images: data.Images,
    held_out: data.Images,
    workdir: Path,
    seeds: Iterable[int] = SEEDS,
    subsets: Iterable[int] = SUBSETS,
    rates: Iterable[float] = (0.003, 0.01, 0.03, 0.1, 0.3),
    report: Callable[[str], None] = print,
    pretraining: Upstream = UPSTREAM_CHOICE,
) -> None:
    """Pre-train the variants on ``images``, choose each one's fine-tuning rate on held-out images, measure transfer."""
    seeds, subsets, rates = list(seeds), list(subsets), list(rates)
    for seed in seeds:
        for name, kind in VARIANTS.items():
            start = replace(pretraining, norm_kind=kind[0], standardized=kind[1], seed=seed)
            weights = upstream(start, images, held_out, workdir)
            for subset in TRIAL_SUBSETS:
                for rate in rates if seed == SEEDS[0] else ():
                    trial = Transfer(*kind, rate, seed, subset, model=pretraining.model)
                    measure_transfer(trial, weights, task, "held-out", TRANSFER_CHOICE)
            for subset in subsets:
                rate = best_rate(TRANSFER_CHOICE, name)
                choice = Transfer(*kind, rate, seed, subset, model=pretraining.model)
                measure_transfer(choice, weights, task, "test", TRANSFER)
                top1 = runs.read(runs.path_of(TRANSFER, choice.name)).result["top1"]
                report(f"{name}, upstream seed {seed}, subset {subset}: {top1:.1f} %")
