"""Pre-training that begins with a smaller network's weights: widen them, tell the copies apart, train on.

Each stage leaves a run record on the upstream validation set: the parent, the wide network at birth (which should
score the same), after the noise, and, as any pre-training does, after training on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from bitdoc.network import weights
from bitdoc.network.resnet import ResNetV2
from bitdoc.network.widen import perturb, widen
from bitdoc.records import runs
from bitdoc.training import identity
from bitdoc.training.engine import Engine, TrainingError
from bitdoc.training.loop import Score
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
        With ``grown_from``, the parent, of the same depth as ``model`` and narrower by a whole factor.
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
    factor = growth(choice.model, choice.grown_from)
    if parent.classes != classes:
        raise TrainingError(
            f"{choice.grown_from} was trained on {parent.classes} classes and {choice.dataset} has {classes}: choose "
            "a parent that was trained on the same data set"
        )
    made = {"parent_weights_sha256": weights.sha256(weights.find(choice.grown_from, directory))}
    wide = widen(parent, factor)
    for stage, model in zip(STAGES, (parent, wide, wide), strict=True):
        if stage == "noise":
            perturb(wide, choice.noise, choice.seed)
        _keep_score(choice, stage, model, made, judge, engine)
    return wide.train()


def _keep_score(choice: Upstream, stage: str, model: ResNetV2, made: dict, judge: Judge, engine: Engine) -> None:
    name = f"{choice.tag}_{stage}"
    if engine.agree(runs.exists(EXPERIMENT, name)):
        file = runs.path_of(EXPERIMENT, name)
        identity.refuse_other(identity.told_by(runs.read_named(file)), made, file, identity.ASIDE)
        return
    score = judge(model)
    if engine.is_main:
        setting = asdict(choice) | made | engine.plain() | {"stage": stage}
        result = {"top1": score.top1, "top5": score.top5, "loss": score.loss, "images": len(score.logits)}
        runs.write(runs.made_now(EXPERIMENT, name, model.arch.name, setting, result, device=engine.device))
