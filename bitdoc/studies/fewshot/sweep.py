"""The sweep behind Fig. 6: models x examples per class x random subsets, each run one record, resumable.

A sweep is a list of :class:`~bitdoc.studies.fewshot.fig6.Run`; what has a record is not run again, so a sweep that was
stopped goes on, and several processes or machines can share one (``--only i/n``).
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import torch
from tqdm import tqdm

from bitdoc import data
from bitdoc.network import weights
from bitdoc.records import runs
from bitdoc.records.files import cache_folder
from bitdoc.studies.fewshot.fig6 import (
    EXPERIMENT,
    SEEDS,
    SHIPPED,
    Run,
    can_be_read,
    compare,
    done,
    is_sound,
    part,
    plan,
)
from bitdoc.studies.fewshot.forecast import arch_of, print_plan
from bitdoc.studies.probe import linear_probe
from bitdoc.training.engine import PRECISIONS, pick_device, pick_precision
from bitdoc.training.finetune import Engine, Recipe, Task, finetune, miniature, rule
from bitdoc.training.loop import TrainingError
from bitdoc.training.recipe import FROM_SCRATCH, THUMBNAIL_FROM_SCRATCH, thumbnail
from bitdoc.training.upstream import provide

#: Stands for CIFAR-10 where only its shape matters.
_EMPTY = data.Images("cifar10", "train", "", data.CIFAR10_CLASSES, torch.zeros(0), torch.zeros(0, 3, 32, 32))
#: What a record says of its recipe.
_RECIPE = [field.name for field in fields(Recipe)]


def is_miniature(model: str) -> bool:
    """Whether a model runs by the miniature of the rule: BiT-T, and architectures alone (from random weights)."""
    return not model.startswith(("BiT-S", "BiT-M", "BiT-L"))


def recipe_for(run: Run, images: data.Images, *, grown: bool = False, **changes) -> Recipe:
    """The rule for the published models, its miniature for all others.

    ``grown`` asks for the recipe of a grown network, its parent, and the same architecture from random weights.
    """
    examples = run.shots * len(images.classes)
    pretrained = run.model.startswith("BiT-")
    if grown:
        return thumbnail(examples, **({} if pretrained else THUMBNAIL_FROM_SCRATCH) | changes)
    if is_miniature(run.model):
        return miniature(examples, **({} if pretrained else FROM_SCRATCH) | changes)
    return rule(examples, images.size, **changes)


@cache
def cifar10(datadir: str | None, split: str) -> data.Images:
    """CIFAR-10, read once a process."""
    return data.load("cifar10", split, datadir)


@cache
def resized_test(
    datadir: str | None, recipe: Recipe, held_out: bool, device: torch.device | str = "cpu"
) -> data.Images:
    """The test images of ``recipe`` on ``device``, resized once a sweep and not once a run."""
    images = held_out_split(datadir)[1] if held_out else cifar10(datadir, "test")
    return replace(images, interpolation=recipe.interpolation).in_memory(recipe.crop, device)


@cache
def held_out_split(datadir: str | None, per_class: int = 200) -> tuple[data.Images, data.Images]:
    """CIFAR-10's training images in two parts: what subsets are drawn from, and what choices are judged on."""
    images = cifar10(datadir, "train")
    judged = data.few_shot_indices(images.labels, per_class, seed=20201)
    rest = torch.ones(len(images), dtype=torch.bool)
    rest[judged] = False
    return images.subset(rest.nonzero().flatten()), replace(images.subset(judged), split="held-out part of train")


def make(
    run: Run,
    datadir: str | None,
    directory: str | None = None,
    *,
    held_out: bool = False,
    grown: bool = False,
    engine: Engine | None = None,
    **changes,
) -> runs.RunRecord:
    """Make one run and return its record; ``changes`` replace parts of the recipe.

    ``held_out`` judges on held-out training images instead of the test set, for choices; ``grown`` as for
    :func:`recipe_for`.
    """
    engine = engine or Engine.start()
    with engine.main_first():
        train = held_out_split(datadir)[0] if held_out else cifar10(datadir, "train")
        recipe = recipe_for(run, train, grown=grown, **changes)
        test = resized_test(datadir, recipe, held_out, engine.device)
    task = Task.choose(train, test, run.shots, run.seed)
    experiment = "few-shot-choice" if held_out else EXPERIMENT
    # How finely a step is cut is no part of a run's name; where it decides the sampling, the record says so.
    name = run.name + "".join(f"_{key}={value}" for key, value in sorted(changes.items()) if key != "split")
    adapt = linear_probe if run.method == "linear-probe" else finetune
    return adapt(
        run.model, task, recipe, experiment=experiment, run=name, seed=run.seed, directory=directory, engine=engine
    )[1]


def sweep(
    todo: list[Run], datadir: str | None, directory: str | None = None, engine: Engine | None = None, **options
) -> list[runs.RunRecord]:
    """Make those of ``todo`` that have no record yet, write each record at once, and return the new ones."""
    engine = engine or Engine.start()
    if engine.is_main:  # of other runs too: the figure that follows reads them all
        for path in sorted((runs.folder() / EXPERIMENT).glob("*.json")):
            is_sound(path)
    missing = engine.agree([run for run in todo if not done(run)] if engine.is_main else None)
    made = []
    bar = tqdm(missing, desc="sweep", unit="run", **({} if engine.is_main else {"disable": True}))
    for run in bar:
        if engine.agree(engine.is_main and done(run)):
            continue  # another sweep on the same folder was quicker
        bar.set_postfix_str(run.name)
        record = make(run, datadir, directory, engine=engine, **options)
        made.append(record)
        if engine.is_main:
            runs.write(record)
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
    changes = {key: s[key] for key in _RECIPE if key in s}
    if "schedule" in changes:
        changes["schedule"] = tuple(changes["schedule"])
    # One process, even where torchrun started several, and the precision that the record names.
    alone = Engine(pick_device(), pick_precision(pick_device(), s.get("precision")))
    return record, make(run, datadir, directory, engine=alone, **changes).result["top1"]


def _can_run(model: str, directory: str | None) -> bool:
    if not model.startswith("BiT-"):
        return True
    folders = [weights.SHIPPED, cache_folder(), *([Path(directory)] if directory else [])]
    return any((folder / weights.model_file(model)).is_file() for folder in folders)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a sweep to ``parser``."""
    parser.add_argument("--run", action="store_true", help="measure what has no record yet (default: draw only)")
    parser.add_argument("--dry-run", action="store_true", help="print what --run would do")
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare the runs of BiT-S-R50x3 or BiT-M-R50x3 with the published ones; else repeat a cached run",
    )
    parser.add_argument("--model", default=SHIPPED, help="model, or an architecture alone for random weights")
    parser.add_argument("--method", choices=["fine-tune", "linear-probe"], default="fine-tune")
    parser.add_argument("--shots", type=int, nargs="+", help="examples per class (default: those of the figure)")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="random subsets")
    parser.add_argument("--only", metavar="I/N", help="make only every N-th run, starting from the I-th (1 to N)")
    parser.add_argument("--datadir", help=f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)")
    parser.add_argument("--bit_pretrained_dir", "--bit-pretrained-dir", help="folder with .npz weights")
    parser.add_argument("--batch_split", "--batch-split", type=int, help="micro-batches in a step")
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bfloat16 or float16 on CUDA, else float32")
    parser.add_argument("--compile", action="store_true", help="compile the network (pays in long runs)")
    parser.add_argument("--minutes", type=float, help="bound on the pre-training of a BiT-T network without weights")
    parser.add_argument(
        "--grow_from",
        "--grow-from",
        metavar="MODEL",
        help="pre-train from these weights, widened, not from random ones; measure both, and random weights",
    )


def _models(flags: argparse.Namespace) -> list[str]:
    """The model asked for; of one that is grown, its parent and the same architecture from random weights too."""
    return [flags.model, *([flags.grow_from, arch_of(flags.model)] if flags.grow_from else [])]


def command(flags: argparse.Namespace) -> int:
    """Do what the flags of :func:`arguments` ask for; returns the exit status."""
    try:
        todo = [run for model in _models(flags) for run in plan(model, flags.shots, flags.seeds, flags.method)]
        todo = part(todo, flags.only)
        options = {"split": flags.batch_split} if flags.batch_split else {}
        if flags.grow_from:
            options["grown"] = True
        if flags.dry_run:
            recipes = [recipe_for(run, _EMPTY, **options) for run in todo]
            return print_plan(todo, recipes, [can_be_read(run) for run in todo], flags)
        if flags.run:
            engine = Engine.start(precision=flags.precision, compiled=flags.compile)
            provide(flags.model, flags.bit_pretrained_dir, flags.datadir, flags.minutes, engine, flags.grow_from)
            sweep(todo, flags.datadir, flags.bit_pretrained_dir, engine, **options)
            engine.finish()
            if not engine.is_main:
                sys.exit(0)  # one process draws
        if flags.check and flags.model.startswith(("BiT-S", "BiT-M")):
            lines, inside = compare(flags.model)
            print("\n".join(lines))
            return 0 if inside else 1
        if flags.check:
            record, again = check(flags.datadir, flags.bit_pretrained_dir)
            before = record.result["top1"]
            print(f"{record.name}: recorded {before:.2f} %, now {again:.2f} %")
            return 0 if abs(before - again) < 1.0 else 1
        runs.load(EXPERIMENT)  # a damaged record is named in one line, before anything is drawn
    except (ValueError, TrainingError, OSError, torch.OutOfMemoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0
