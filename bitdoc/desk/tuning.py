"""``bitdoc train``: one fine-tuning, or those of several subsets or of a cross-validation, from order to run.

Which step is kept is chosen on validation pictures (:mod:`bitdoc.desk.choosing`); test pictures are looked at once,
when the network is trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bitdoc import data
from bitdoc.desk import board, bundle, choosing, give, look, upright
from bitdoc.desk.look import Survey
from bitdoc.desk.order import TrainOrder
from bitdoc.desk.probe import Findings, probe, turns
from bitdoc.desk.probing import duration, features_of
from bitdoc.desk.report import Told
from bitdoc.desk.scores import Outcome
from bitdoc.network.resnet import ResNetV2
from bitdoc.network.small_maps import with_products
from bitdoc.records import runs
from bitdoc.training import finetune, identity
from bitdoc.training.engine import Engine
from bitdoc.training.job import Job, Task
from bitdoc.training.loop import evaluate, train


@dataclass(frozen=True)
class Piece:
    """One training: places of the pictures it trains on, of those its step is chosen by, and of the tested ones."""

    train: list[int]
    val: list[int]
    test: list[int]


@dataclass
class Trained:
    """What came of one."""

    network: ResNetV2
    record: runs.RunRecord
    outcome: Outcome | None
    kept: dict[str, Any]


def pieces(order: TrainOrder, survey: Survey) -> list[list[Piece]]:
    """The trainings of each subset; where there is no split, those of a cross-validation."""
    val, found = choosing.judges(order, survey), []
    watched = {i for i, side in enumerate(survey.sides) if side == "val"} if val else set()
    for number in range(order.subsets if order.examples_per_class else 1):
        subset = []
        for turn in turns(survey):
            pool = [i for i in turn.pool if i not in watched]
            if order.examples_per_class:
                labels = survey.chosen(pool, "train").labels
                pool = [pool[i] for i in data.few_shot_indices(labels, order.examples_per_class, order.seed + number)]
            subset.append(Piece(pool, val, turn.test))
        found.append(subset)
    return found


def carry_out(order: TrainOrder, say: Callable[[str], None]) -> Path | None:
    """Train as told and write the run; return where it is, or None for a dry run.

    Raises
    ------
    Refused
        If the pictures have faults, or too few are there for what is asked.
    Stopped
        After Ctrl-C; the same command goes on where it was.
    """
    survey = look.survey(order.pictures, leave_out=order.leave_out)
    survey.refuse()
    give.check_examples(order, survey, min((turn.pool for turn in turns(survey)), key=len))
    plan = pieces(order, survey)
    whole = Piece(list(range(len(survey.seen))), [], [])  # what a cross-validation gives away has seen all
    last = whole if survey.folds and not order.examples_per_class else None
    for line in choosing.sides(survey, plan[0][0].val).told():
        say(line)
    count = sum(map(len, plan)) + (last is not None)
    engine = order.engine()
    with bundle.made(order.out, "train", dry=order.dry_run) as folder:
        work = _Work(order, survey, engine, folder, say)
        work.tell(plan[0][0], count)
        if order.dry_run:
            return None
        began = time.monotonic()
        done = [[work.train(piece, f"part-{n}-{m}") for m, piece in enumerate(subset)] for n, subset in enumerate(plan)]
        kept = work.train(last, "whole") if last else done[0][0]
        _write(work, done, kept, time.monotonic() - began)
        for file in (*folder.glob("part-*"), *folder.glob("whole*")):
            file.unlink()
        board.anonymous(folder)
    return order.out


class _Work:
    """What all trainings of an order have in common."""

    def __init__(
        self, order: TrainOrder, survey: Survey, engine: Engine, folder: Path, say: Callable[[str], None]
    ) -> None:
        self.order, self.survey, self.engine, self.folder, self.say = order, survey, engine, folder, say
        self.batches = finetune.micro_batches if order.mirror else upright.micro_batches
        self.why = choosing.why_none(order, survey)
        self.shown = choosing.sides(survey, choosing.judges(order, survey))

    def job(self, piece: Piece) -> Job:
        """All of one training before its first step."""
        order, survey = self.order, self.survey
        recipe = order.recipe(survey, len(piece.train), self.engine)
        test, val = survey.chosen(piece.test or piece.train, "test"), survey.chosen(piece.val, "val")
        setting = {"examples_per_class": order.examples_per_class, "sides": self.shown.how}
        task = Task(survey.chosen(piece.train, "train"), test, setting)
        said = finetune.chosen(task, recipe) | {"mirror": order.mirror, "looks": 0}
        if piece.val:  # what is scored on the way are these, and not the test pictures
            task = replace(task, ready=replace(val, interpolation=recipe.interpolation))
            said |= {"looks": choosing.LOOKS, "patience": choosing.PATIENCE}
            said |= {"val_images": len(val), "val_digest": identity.fingerprint(val)[0]}
        return Job.prepare(
            order.model,
            task,
            recipe,
            seed=order.seed,
            directory=None if order.weights_dir is None else str(order.weights_dir),
            engine=self.engine,
            chosen=said,
        )

    def tell(self, piece: Piece, count: int) -> None:
        """Say what will be done and how long it takes, by two steps of it that change nothing."""
        job = self.job(piece)
        recipe, steps = job.recipe, job.recipe.schedule[-1]
        times: list[float] = []
        train(
            with_products(self.engine.place(job.network)),
            torch.optim.SGD(job.network.parameters(), lr=0.0),
            self.batches(job.task, recipe, job.seed, self.engine.device),
            lambda step: 0.0 if step < 2 else None,
            on_step=lambda *_: times.append(time.monotonic()),
            engine=self.engine,
        )
        peak = runs.peak_memory(self.engine.device)
        trainings = "" if count == 1 else f", {count} times"
        looked = choosing.LOOKS * len(piece.val) / 3 / recipe.batch  # in steps: a look is a forward pass alone
        seconds = 1.1 * (steps + looked) * count * (times[1] - times[0])
        memory = f", {peak / 2**30:.1f} GB of memory" if peak else ""
        self.say(
            f"{steps} steps of {recipe.batch} pictures at {recipe.crop} x {recipe.crop} pixels{trainings}, {job.name} "
            f"on {self.engine.device} in {self.engine.precision}: about {duration(seconds)}{memory}"
        )
        self.say(choosing.announced(piece.val, self.why))
        if board.writer() and not self.order.dry_run:
            self.say(f"watch it  tensorboard --logdir {self.folder / board.FOLDER}")

    def train(self, piece: Piece, name: str) -> Trained:
        """Make one training, or go on with it, and test it."""
        job = self.job(piece)
        steps = job.recipe.schedule[-1]
        with board.Board(self.folder / board.FOLDER / name) as log:
            watch = choosing.watch_over(piece.val, job.recipe.schedule, log.look)
            model, record = finetune.carry_out(
                job,
                give.EXPERIMENT,
                "run",
                checkpoint=self.folder / f"{name}.pt",
                batches=self.batches,
                watch=watch,
                on_step=log.step,
            )
        outcome = None
        if piece.test:
            batches = finetune.test_batches(job.task.test, job.recipe.crop, self.engine.device)
            logits = evaluate(model, batches, self.engine).logits
            outcome = Outcome(piece.test, job.task.test.labels, logits.softmax(1))
        return Trained(model, record, outcome, choosing.kept(watch, piece.val, steps, self.why))


def _joined(outcomes: list[Outcome]) -> Outcome:
    """What several trainings, each tested on its own pictures, said together."""
    places = [place for outcome in outcomes for place in outcome.places]
    return Outcome(places, torch.cat([o.labels for o in outcomes]), torch.cat([o.shares for o in outcomes]))


def _write(work: _Work, done: list[list[Trained]], kept: Trained, seconds: float) -> None:
    order, survey = work.order, work.survey
    outcomes = [_joined([one.outcome for one in subset if one.outcome]) for subset in done]
    few = [outcome.accuracy for outcome in outcomes] if order.examples_per_class else []
    result: dict[str, Any] = outcomes[0].plain() | ({"subsets": [round(score, 3) for score in few]} if few else {})
    result["kept"] = kept.kept
    tested = survey.chosen(sorted(outcomes[0].places), "test")
    setting = kept.record.setting | {"test_images": len(tested), "test_digest": identity.fingerprint(tested)[0]}
    cost = kept.record.cost | {"seconds": round(seconds, 2)}
    record = replace(kept.record, setting=setting, result=result, cost=cost)
    head = _head_alone(work)
    recipe = order.recipe(survey, record.setting["train_images"], work.engine)
    steps = recipe.schedule[-1]
    method = f"fine-tuned for {steps} steps of {recipe.batch} pictures, peak learning rate {recipe.base_lr:g}"
    said = {"method": "fine-tuning", "steps": steps, "batch": recipe.batch, "base_lr": recipe.base_lr}
    said |= {"mirror": order.mirror, "examples_per_class": order.examples_per_class}
    said |= {"kept_step": kept.kept["step"], "precision": work.engine.precision}
    facts = {"Method": method + ("" if order.mirror else ", never mirrored")}
    facts["Arithmetic"] = work.engine.precision
    facts["Step that is kept"] = f"{kept.kept['step']} of {steps}: {kept.kept['why']}"
    if head:
        facts["A linear head alone"] = f"{head.outcome.accuracy:.1f} % of the same test pictures, by a probe"
    told = Told(
        work.shown,
        outcomes[0],
        give.passport(order, survey, recipe, said),
        learning=head.learning if head else {},
        learning_by="Measured with linear heads on the network before it was fine-tuned, which takes seconds.",
        few=few,
        loss=list(zip(record.curve["step"], record.curve["loss"], strict=True)),
        kept=kept.kept,
        facts=facts,
    )
    give.give(order, work.folder, kept.network, record, told)


def _head_alone(work: _Work) -> Findings | None:
    """A probe of the same pictures, for comparison; nothing where the network knows nothing before its training."""
    order, survey = work.order, work.survey
    if not order.model.startswith("BiT-") or order.examples_per_class:
        return None
    every: list[Any] = turns(survey)
    job = work.job(Piece(every[0].pool, [], every[0].test))
    known = features_of(job, survey, lambda _: None)
    assert known is not None  # only a dry run has no features
    return probe(survey, known, None, 1, order.seed)
