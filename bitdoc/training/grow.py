"""Pre-training that begins with a smaller network's weights: widen, deepen, add noise, train on.

Each stage leaves a run record on the upstream validation set: the parent, the larger network at birth (which should
score the same), after the noise, and, as any pre-training does, after training on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bitdoc.network import weights
from bitdoc.network.resnet import ResNetV2
from bitdoc.network.widen import deepen, perturb, widen
from bitdoc.records import runs
from bitdoc.records.age import code_digest
from bitdoc.training import identity
from bitdoc.training.engine import Engine, TrainingError
from bitdoc.training.loop import Score, result_of
from bitdoc.training.recipe import Upstream, growth

# Scores a network on the upstream validation set.
Judge = Callable[[ResNetV2], Score]

EXPERIMENT = "grow"
STAGES = ("parent", "birth", "noise")


def grown(choice: Upstream, classes: int, directory: str | None, judge: Judge, engine: Engine) -> ResNetV2:
    """Return the network that a grown pre-training begins with.

    Parameters
    ----------
    choice : Upstream
        With ``grown_from``, the parent, which is no deeper than ``model`` and narrower by a whole factor, if it is.
    classes : int
        Upstream classes; the parent must know the same number.
    directory : str, optional
        Where the parent's weights are looked for first.
    judge : callable
        Called for each stage that has no record yet.
    engine : Engine
        Its main process writes the records.

    Raises
    ------
    TrainingError
        If the parent does not fit.
    WeightsError
        If it has no weights.
    """
    parent = weights.load(choice.grown_from, directory=directory)
    how = growth(choice.model, choice.grown_from)
    if parent.classes != classes:
        raise TrainingError(
            f"{choice.grown_from} was trained on {parent.classes} classes and {choice.dataset} has {classes}: choose "
            "a parent that was trained on the same data set"
        )
    made = told_of_parent(choice, directory)
    large = widen(parent, how.factor) if how.factor > 1 else parent
    if how.depth is not None:
        large = deepen(large, how.depth)
    for stage, model in zip(STAGES, (parent, large, large), strict=True):
        if stage == "noise":
            perturb(large, choice.noise, choice.seed)
        _keep_score(choice, stage, model, made, judge, engine)
    return large.train()


def told_of_parent(choice: Upstream, directory: str | None) -> dict[str, Any]:
    """What records say of the weights that ``choice`` grows from, which are found, or fetched, first."""
    found = weights.find(choice.grown_from, directory) if choice.grown_from else None
    return {"parent_weights_sha256": weights.sha256(found) if found else None}


def check_records(choice: Upstream, directory: str | os.PathLike | None) -> None:
    """Refuse, before anything is read, what a record of other weights stands in the way of.

    Weights that are not on this machine yet are told by no hash, and are left to :func:`grown`.

    Raises
    ------
    TrainingError
        Naming the record, and what differs.
    """
    if not choice.grown_from or not (file := weights.at_hand(choice.grown_from, directory)):
        return
    made = {"parent_weights_sha256": weights.sha256(file), "code": code_digest()}
    for experiment, name in [("pretrain", choice.tag), *((EXPERIMENT, f"{choice.tag}_{stage}") for stage in STAGES)]:
        identity.made_before(experiment, name, made)


def _keep_score(choice: Upstream, stage: str, model: ResNetV2, made: dict, judge: Judge, engine: Engine) -> None:
    name = f"{choice.tag}_{stage}"
    if engine.agree(identity.made_before(EXPERIMENT, name, made | {"code": code_digest()}) is not None):
        return
    score = judge(model)
    if engine.is_main:
        setting = asdict(choice) | made | engine.plain() | {"stage": stage}
        result = result_of(score, len(score.logits))
        runs.write(runs.made_now(EXPERIMENT, name, model.arch.name, setting, result, device=engine.device))
