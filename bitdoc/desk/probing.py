"""One probe from order to run: look, compute features, find a head, write."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from bitdoc import data
from bitdoc.desk import bundle, give, look
from bitdoc.desk.features import Features, computer
from bitdoc.desk.look import Survey
from bitdoc.desk.order import ProbeOrder
from bitdoc.desk.probe import Findings, Known, probe, turns
from bitdoc.desk.report import Told
from bitdoc.training.job import Job, Task

_MEASURED = 16  # pictures in each of the two batches by which the time is told


def carry_out(order: ProbeOrder, say: Callable[[str], None]) -> Path | None:
    """Probe as told and write the run; return where it is, or None for a dry run.

    Raises
    ------
    Refused
        If the pictures have faults, or too few are there for what is asked.
    """
    survey = look.survey(order.pictures, leave_out=order.leave_out)
    survey.refuse()
    every = turns(survey)
    give.check_examples(order, survey, min((turn.pool for turn in every), key=len))
    for line in survey.told():
        say(line)
    began = time.monotonic()
    job = _job(order, survey)
    known = features_of(job, survey, say, dry_run=order.dry_run)
    if known is None:
        return None
    found = probe(survey, known, order.examples_per_class, order.subsets, order.seed)
    return _write(order, survey, job, found, time.monotonic() - began)


def _job(order: ProbeOrder, survey: Survey) -> Job:
    """The network at its start, and what the record says of it, of the pictures and of the order."""
    engine = order.engine()
    recipe = order.recipe(survey, engine)
    every = turns(survey)
    train = survey.chosen(sorted({i for turn in every for i in turn.pool}), "train")
    test = survey.chosen(sorted(i for turn in every for i in turn.test), "test")
    setting = {"examples_per_class": order.examples_per_class, "sides": survey.how}
    chosen = {"method": "linear-probe", "crop": recipe.crop, "interpolation": recipe.interpolation}
    return Job.prepare(
        order.model,
        Task(train, test, setting),
        recipe,
        seed=order.seed,
        directory=None if order.weights_dir is None else str(order.weights_dir),
        engine=engine,
        chosen=chosen,
    )


def features_of(job: Job, survey: Survey, say: Callable[[str], None], *, dry_run: bool = False) -> Known | None:
    """Features of all pictures, after a line that says how long they take; None for a dry run."""
    images = replace(survey.images("all"), interpolation=job.recipe.interpolation)
    side, network, digests = job.recipe.crop, job.network, [one.digest for one in survey.seen]
    said = (job.name, job.said["weights_sha256"] or job.seed, side, images.interpolation, job.engine.precision)
    features, compute = Features("/".join(map(str, said)), network.arch.channels(2048)), computer(network, job.engine)
    missing = features.missing(digests)
    what = f"features of {job.name} at {side} x {side} pixels on {job.engine.device} in {job.engine.precision}"
    if missing:
        seconds = _seconds_each(compute, images, missing[:_MEASURED], side) * len(missing)
        say(f"{what}: {len(missing):,} pictures, about {duration(seconds)}")
    else:
        say(f"{what}: all {len(digests):,} are kept from before")
    if dry_run:
        return None
    features.compute(compute, images, digests, side)
    return Known(features.of(digests), images.labels, len(images.classes))


def _seconds_each(compute: Callable, images: data.Images, places: list[int], side: int) -> float:
    """Seconds for a picture, measured on a second batch: the first one pays for the start."""
    for _ in range(2):
        began = time.monotonic()
        compute(images.fetch(torch.tensor(places), side))
    return (time.monotonic() - began) / len(places)


def duration(seconds: float) -> str:
    """Seconds in words, no more exact than they are known."""
    if seconds < 60:
        return f"{max(1, round(seconds))} seconds" if seconds >= 1.5 else "a second"
    minutes = round(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes" if minutes < 90 else f"{seconds / 3600:.1f} hours"


def _write(order: ProbeOrder, survey: Survey, job: Job, found: Findings, seconds: float) -> Path:
    curve = [(count, score) for count, scores in sorted(found.learning.items()) for score in scores]
    result = found.outcome.plain() | ({"subsets": [round(score, 3) for score in found.few]} if found.few else {})
    record = job.record(
        give.EXPERIMENT,
        "run",
        result,
        penalty=found.penalty,
        curve={"examples": [count for count, _ in curve], "top1": [round(score, 3) for _, score in curve]},
        cost={"seconds": round(seconds, 2)},
    )
    said = {"method": "linear probe", "penalty": found.penalty, "examples_per_class": order.examples_per_class}
    said["precision"] = job.engine.precision
    told = Told(
        survey,
        found.outcome,
        give.passport(order, survey, job.recipe, said),
        learning=found.learning,
        learning_by="Each dot is a head trained on pictures drawn at random.",
        few=found.few,
        facts={
            "Method": f"linear head on features of the frozen network, penalty {found.penalty:g}",
            "Arithmetic": job.engine.precision,
        },
    )
    with bundle.made(order.out, "probe") as folder:
        give.give(order, folder, found.head.put_on(job.network), record, told)
    return order.out
