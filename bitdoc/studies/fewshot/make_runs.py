"""The sweep behind Fig. 6: models x examples per class x random subsets, each run one record, resumable.

A sweep is a list of :class:`~bitdoc.studies.fewshot.which_runs.Run`; what has a record is not run again, so a sweep
that was stopped goes on, and several processes or machines can share one (``--only i/n``).
"""

from __future__ import annotations

import argparse
import os
import random
from dataclasses import fields, replace
from functools import cache
from typing import Any

import torch
from tqdm import tqdm

from bitdoc import data
from bitdoc.network import weights
from bitdoc.records import runs
from bitdoc.studies.fewshot import forecast, which_runs
from bitdoc.studies.fewshot.flags import Order, Setup, arguments
from bitdoc.studies.fewshot.which_runs import EXPERIMENT, Run
from bitdoc.studies.probe import PENALTY, linear_probe
from bitdoc.training import command as shared
from bitdoc.training import identity
from bitdoc.training.engine import Engine, TrainingError, pick_device, pick_precision
from bitdoc.training.finetune import Recipe, Task, finetune, miniature, rule
from bitdoc.training.recipe import FROM_SCRATCH, MINIATURE_RATES, THUMBNAIL_FROM_SCRATCH, thumbnail
from bitdoc.training.upstream import provide

__all__ = ["arguments", "check", "cifar10", "command", "make", "recipe_for", "sweep"]

#: Stands for CIFAR-10 where only its shape matters.
_EMPTY = data.Images("cifar10", "train", "", data.CIFAR10_CLASSES, torch.zeros(0), torch.zeros(0, 3, 32, 32))
#: Where the trials lie by which the settings of an experiment were chosen.
_CHOICES = {EXPERIMENT: "few-shot-choice", which_runs.GROWN: "few-shot-grown-choice"}
#: What a record says of its recipe.
_RECIPE = [field.name for field in fields(Recipe)]


def is_miniature(model: str) -> bool:
    """Whether a model runs by the miniature of the rule: BiT-T, and architectures alone (from random weights)."""
    return not model.startswith(("BiT-S", "BiT-M", "BiT-L"))


def recipe_for(run: Run, images: data.Images, setup: Setup) -> Recipe:
    """The rule for the published models, its miniature for all others, the thumbnail for grown networks."""
    examples, changes = run.shots * len(images.classes), dict(setup.changes)
    pretrained = run.model.startswith("BiT-")
    if setup.grown:
        return thumbnail(examples, **({} if pretrained else THUMBNAIL_FROM_SCRATCH) | changes)
    if is_miniature(run.model):
        usual = ({} if pretrained else FROM_SCRATCH) | MINIATURE_RATES.get(run.model, {})
        return miniature(examples, **usual | changes)
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


def make(run: Run, setup: Setup, engine: Engine | None = None) -> runs.RunRecord:
    """Make one run and return its record."""
    engine, where = engine or Engine.start(), setup.datadir
    with engine.main_first():
        train, test = held_out_split(where) if setup.held_out else [cifar10(where, part) for part in ("train", "test")]
        recipe = recipe_for(run, train, setup)
        ready = resized_test(where, recipe, setup.held_out, engine.device)
    task = replace(Task.choose(train, test, run.shots, run.seed), ready=ready)
    # How finely a step is cut is no part of a run's name; where it decides the sampling, the record says so.
    changes = sorted(item for item in setup.changes.items() if item[0] != "split")
    said: dict[str, Any] = {
        "experiment": _CHOICES[run.experiment] if setup.held_out else run.experiment,
        "run": run.name + "".join(f"_{key}={value}" for key, value in changes),
        "seed": run.seed,
    }
    adapt = linear_probe if run.method == "linear-probe" else finetune
    return adapt(run.model, task, recipe, **said, directory=setup.directory, engine=engine)[1]


def sweep(todo: list[Run], setup: Setup, engine: Engine | None = None) -> list[runs.RunRecord]:
    """Make those of ``todo`` that have no record yet, write each record at once, and return the new ones."""
    engine = engine or Engine.start()
    if engine.is_main:  # of other runs too: the figure that follows reads them all
        for path in (path for experiment in _CHOICES for path in runs.paths(experiment)):
            which_runs.is_sound(path)
    missing = engine.agree([run for run in todo if not which_runs.done(run)] if engine.is_main else None)
    made = []
    bar = tqdm(missing, desc="sweep", unit="run", disable=None if engine.is_main else True)
    for run in bar:
        if engine.agree(engine.is_main and which_runs.done(run)):
            continue  # another sweep on the same folder was quicker
        bar.set_postfix_str(run.name)
        record = make(run, setup, engine)
        made.append(record)
        if engine.is_main:
            runs.write(record)
            tqdm.write(f"{run.name}: {record.result['top1']:.2f} %")
    return made


def check(model: str, setup: Setup, experiment: str = EXPERIMENT) -> tuple[runs.RunRecord, float]:
    """Repeat one cached run of ``model`` chosen at random; return its record and the accuracy found now, in percent.

    Only runs are chosen whose images and weights are those that are here.
    """
    test = cifar10(setup.datadir, "test")
    told = {"encoding": test.encoding, "test_images": len(test), "test_digest": identity.fingerprint(test)[0]}
    hashed = cache(lambda name: _weights_told(name, setup.directory))
    here = [
        r
        for r in runs.load(experiment, model=model)
        if (known := hashed(r.model)) is not None and not identity.differences(r.setting, told | known)
    ]
    if not here:
        raise runs.RecordError(
            f"there is no cached run of {model} to check whose weights and images are here; make one with --run"
        )
    record = random.choice(here)
    s = record.setting
    run = Run(record.model, s["method"], s["examples_per_class"], s["subset_seed"], experiment)
    changes = {key: s[key] for key in _RECIPE if key in s}
    if "schedule" in changes:
        changes["schedule"] = tuple(changes["schedule"])
    # One process, even where torchrun started several, and the precision that the record names.
    alone = Engine(pick_device(), pick_precision(pick_device(), s.get("precision")))
    return record, make(run, replace(setup, changes=changes), alone).result["top1"]


def _weights_told(model: str, directory: str | None) -> dict[str, Any] | None:
    """What a record says of the weights of a model, as they are on this machine; None if they are not."""
    if not model.startswith("BiT-"):
        return {"weights_sha256": None}
    file = weights.at_hand(model, directory)
    return {"weights_sha256": weights.sha256(file)} if file else None


def _hold_against_records(order: Order, **told: Any) -> None:
    """Refuse, before anything is made, runs that the records at their place or on their line do not go with.

    ``told`` is what is known of all of them beside recipes and weights.
    """
    hashed = cache(lambda name: _weights_told(name, order.directory) or {})

    def asked(run: Run) -> dict[str, Any]:
        by = recipe_for(run, _EMPTY, order.setup).plain()
        probe = {"crop": by["crop"], "interpolation": by["interpolation"], "penalty": PENALTY}
        by = probe if run.method == "linear-probe" else by
        known = {key: value for key, value in (told | by).items() if key in which_runs.COMPARABLE}
        return known | hashed(run.model) | {"precision": pick_precision(pick_device(), order.precision)}

    which_runs.check_against_records(order.todo, asked)


def _measure(order: Order) -> None:
    engine = Engine.start(precision=order.precision, compiled=order.compile)
    _hold_against_records(order)
    if engine.agree(not all(map(which_runs.can_be_read, order.todo))):
        with engine.main_first():  # first, so that images that are not there do not cost a pre-training
            train, test = (cifar10(order.setup.datadir, split) for split in ("train", "test"))
        identity.same_classes(train, test)
        told = {"encoding": train.encoding, "test_images": len(test), "test_digest": identity.fingerprint(test)[0]}
        _hold_against_records(order, **told)
        provide(order.wanted, engine)
        _hold_against_records(order, **told)  # once more, with weights that may have been made just now
    sweep(list(order.todo), order.setup, engine)
    engine.finish()


def _check(order: Order) -> int:
    if order.model.startswith(("BiT-S", "BiT-M")):
        lines, inside = which_runs.compare(order.model)
        print("\n".join(lines))
        return 0 if inside else 1
    record, again = check(order.model, replace(order.setup, grown=False), order.todo[0].experiment)
    before = record.result["top1"]
    print(f"{record.name}: recorded {before:.2f} %, now {again:.2f} %")
    return 0 if abs(before - again) < 1.0 else 1


def _do(order: Order) -> int:
    try:
        recipes = [recipe_for(run, _EMPTY, order.setup) for run in order.todo]
    except TrainingError as error:
        raise shared.Refused(str(error)) from None
    if order.dry_run:
        _hold_against_records(order)
        made = [which_runs.can_be_read(run) for run in order.todo]
        return forecast.print_plan(order.todo, recipes, made, order)
    if order.run:
        _measure(order)
    if int(os.environ.get("RANK", 0)):
        return 0  # one process checks, and draws
    if order.check:
        return _check(order)
    which_runs.check_lines()  # what cannot be drawn is named in one line, before anything is drawn
    return 0


def command(flags: argparse.Namespace) -> int:
    """Do what the flags of :func:`arguments` ask for; returns the exit status."""
    return shared.ended(lambda: _do(Order.of(flags)), "stopped; the same command goes on where it stopped")
