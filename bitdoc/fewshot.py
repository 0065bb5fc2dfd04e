"""The sweep behind Fig. 6: models x examples per class x random subsets, each run one record, resumable.

A sweep is a list of :class:`Run`; what has a record is not run again, so a sweep that was stopped goes on, and several
processes or machines can share one (``--only i/n``).
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from bitdoc import data, runs, weights
from bitdoc.finetune import Recipe, Task, finetune, miniature, rule
from bitdoc.probe import linear_probe
from bitdoc.training import TrainingError

EXPERIMENT = "few-shot-cifar10"
SHOTS = (1, 2, 5, 10)
#: Two numbers more for the shipped network and its architecture alone, whose runs take under a minute.
MORE_SHOTS = (1, 2, 3, 5, 7, 10)
SHIPPED = "BiT-T-R26x0.5"
SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Run:
    """One point of Fig. 6: a model, a way to adapt it, examples per class, and the seed of the random subset."""

    model: str
    method: str
    shots: int
    seed: int

    @property
    def name(self) -> str:
        """Name of the record."""
        return f"{self.model}_{self.method}_{self.shots}_{self.seed}"


def plan(model: str, shots=None, seeds=SEEDS, method: str = "fine-tune") -> list[Run]:
    """All runs of a model, fewest examples first; ``shots=None`` for those that its figure shows."""
    shots = shots or (MORE_SHOTS if model in (SHIPPED, SHIPPED.removeprefix("BiT-T-")) else SHOTS)
    return [Run(model, method, k, seed) for k, seed in itertools.product(shots, seeds)]


def is_miniature(model: str) -> bool:
    """Whether a model runs by the miniature of the rule: BiT-T, and architectures alone (from random weights)."""
    return not model.startswith(("BiT-S", "BiT-M", "BiT-L"))


def recipe_for(run: Run, images: data.Images, **changes) -> Recipe:
    """The rule for the published models, its miniature for all others."""
    examples = run.shots * len(images.classes)
    if is_miniature(run.model):
        return miniature(examples, **changes)
    return rule(examples, images.size, **changes)


@cache
def cifar10(datadir: str | None, split: str) -> data.Images:
    """CIFAR-10, read once a process."""
    return data.load("cifar10", split, datadir)


@cache
def resized_test(datadir: str | None, side: int, held_out: bool) -> data.Images:
    """The test images at ``side`` pixels, resized once a sweep and not once a run."""
    if held_out:
        return held_out_split(datadir)[1].in_memory(side)
    return cifar10(datadir, "test").in_memory(side)


@cache
def held_out_split(datadir: str | None, per_class: int = 200) -> tuple[data.Images, data.Images]:
    """CIFAR-10's training images in two parts: what subsets are drawn from, and what choices are judged on."""
    images = cifar10(datadir, "train")
    judged = data.few_shot_indices(images.labels, per_class, seed=20201)
    rest = torch.ones(len(images), dtype=torch.bool)
    rest[judged] = False
    return images.subset(rest.nonzero().flatten()), replace(images.subset(judged), split="held-out part of train")


def make(
    run: Run, datadir: str | None, directory: str | None = None, *, held_out: bool = False, **changes
) -> runs.RunRecord:
    """Make one run and return its record; ``changes`` replace parts of the recipe.

    ``held_out`` judges on held-out training images instead of the test set, for choices.
    """
    train = held_out_split(datadir)[0] if held_out else cifar10(datadir, "train")
    recipe = recipe_for(run, train, **changes)
    task = Task.choose(train, resized_test(datadir, recipe.crop, held_out), run.shots, run.seed)
    experiment = "few-shot-choice" if held_out else EXPERIMENT
    name = run.name + "".join(f"_{key}={value}" for key, value in sorted(changes.items()))
    adapt = linear_probe if run.method == "linear-probe" else finetune
    return adapt(run.model, task, recipe, experiment=experiment, run=name, seed=run.seed, directory=directory)[1]


def sweep(todo: list[Run], datadir: str | None, directory: str | None = None, **options) -> list[runs.RunRecord]:
    """Make those of ``todo`` that have no record yet, write each record at once, and return the new ones."""
    missing = [run for run in todo if not runs.exists(EXPERIMENT, run.name)]
    made = []
    bar = tqdm(missing, desc="sweep", unit="run")
    for run in bar:
        bar.set_postfix_str(run.name)
        record = make(run, datadir, directory, **options)
        runs.write(record)
        made.append(record)
        tqdm.write(f"{run.name}: {record.result['top1']:.2f} %")
    return made


def check(datadir: str | None, directory: str | None = None, model: str | None = None) -> tuple[runs.RunRecord, float]:
    """Repeat one cached run chosen at random; return its record and the accuracy found now, in percent."""
    here = [r for r in runs.load(EXPERIMENT) if (model is None or r.model == model) and _can_run(r.model, directory)]
    if not here:
        raise runs.RecordError("there is no cached run to check whose weights are at hand; make one with --run")
    record = random.choice(here)
    s = record.setting
    run = Run(record.model, s["method"], s["examples_per_class"], s["subset_seed"])
    changes = {key: s[key] for key in ("batch", "split", "base_lr") if key in s}
    return record, make(run, datadir, directory, **changes).result["top1"]


def _can_run(model: str, directory: str | None) -> bool:
    if not model.startswith("BiT-"):
        return True
    folders = [weights.SHIPPED, *([Path(directory)] if directory else [])]
    return any((folder / weights.model_file(model)).is_file() for folder in folders)


def medians(records: list[runs.RunRecord]) -> dict[int, float]:
    """Median top-1 accuracy in percent at each number of examples per class."""
    by_shots = runs.group(records, "examples_per_class")
    return {shots: statistics.median(r.result["top1"] for r in group) for shots, group in by_shots.items()}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a sweep to ``parser``."""
    parser.add_argument("--run", action="store_true", help="measure what has no record yet (default: draw only)")
    parser.add_argument("--dry-run", action="store_true", help="print what --run would do")
    parser.add_argument("--check", action="store_true", help="repeat one cached run chosen at random and compare")
    parser.add_argument("--model", default=SHIPPED, help="model, or an architecture alone for random weights")
    parser.add_argument("--method", choices=["fine-tune", "linear-probe"], default="fine-tune")
    parser.add_argument("--shots", type=int, nargs="+", help="examples per class (default: those of the figure)")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="random subsets")
    parser.add_argument("--only", metavar="I/N", help="make only every N-th run, starting from the I-th (1 to N)")
    parser.add_argument("--datadir", help=f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)")
    parser.add_argument("--bit_pretrained_dir", "--bit-pretrained-dir", help="folder with .npz weights")
    parser.add_argument("--batch_split", "--batch-split", type=int, help="micro-batches in a step")


def part(todo: list[Any], only: str | None) -> list[Any]:
    """Every n-th run, for ``only="i/n"``; all of them for None."""
    if only is None:
        return todo
    try:
        first, count = (int(number) for number in only.split("/"))
        if not 1 <= first <= count:
            raise ValueError
    except ValueError:
        raise TrainingError(f"cannot read --only {only!r}; expected i/n with 1 <= i <= n, such as 2/8") from None
    return todo[first - 1 :: count]


def command(flags: argparse.Namespace) -> int:
    """Do what the flags of :func:`arguments` ask for; returns the exit status."""
    try:
        todo = part(plan(flags.model, flags.shots, flags.seeds, flags.method), flags.only)
        if flags.dry_run:
            return _print_plan(todo)
        if flags.run:
            options = {"split": flags.batch_split} if flags.batch_split else {}
            sweep(todo, flags.datadir, flags.bit_pretrained_dir, **options)
        if flags.check:
            record, again = check(flags.datadir, flags.bit_pretrained_dir)
            before = record.result["top1"]
            print(f"{record.name}: recorded {before:.2f} %, now {again:.2f} %")
            return 0 if abs(before - again) < 1.0 else 1
    except (ValueError, TrainingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _print_plan(todo: list[Run]) -> int:
    missing = [run for run in todo if not runs.exists(EXPERIMENT, run.name)]
    print(f"{len(todo)} runs, {len(todo) - len(missing)} of them done")
    for run in missing:
        recipe = miniature(10 * run.shots) if is_miniature(run.model) else rule(10 * run.shots, (32, 32))
        images = recipe.schedule[-1] * recipe.batch
        print(
            f"  {run.name}: {recipe.schedule[-1]} steps, {images:,} images of {recipe.crop} px to train, 10,000 to test"
        )
    return 0
