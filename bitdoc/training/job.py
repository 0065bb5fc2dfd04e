"""What is to be run downstream, all of it known before the first step: the network, the images, the recipe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from bitdoc import data
from bitdoc.network import weights
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.records import runs
from bitdoc.records.age import code_version
from bitdoc.training import identity
from bitdoc.training.engine import Engine
from bitdoc.training.recipe import Recipe


@dataclass(frozen=True)
class Task:
    """Downstream data of one run.

    Attributes
    ----------
    train, test : Images
        The few-shot subset or the whole training set, and what is scored.
    setting : dict
        What a record says of how they were chosen.
    ready : Images, optional
        The test images resized already, where a sweep does so once for all its runs.
    """

    train: data.Images
    test: data.Images
    setting: dict
    ready: data.Images | None = None

    @classmethod
    def choose(
        cls, train: data.Images, test: data.Images, examples_per_class: int | None, subset_seed: int = 0
    ) -> Task:
        """Draw a balanced subset of ``train`` (None: all of it) and note which it was.

        Raises
        ------
        bitdoc.data.pictures.DataError
            If train and test differ in their classes, or a class has too few images.
        """
        identity.same_classes(train, test)
        if examples_per_class is None:
            return cls(train, test, {"examples_per_class": None, "subset_seed": None})
        chosen = data.few_shot_indices(train.labels, examples_per_class, subset_seed)
        setting = {"examples_per_class": examples_per_class, "subset_seed": subset_seed}
        return cls(train.subset(chosen), test, setting)

    def interpolated(self, interpolation: str) -> Task:
        """The same task, with images that are resized as said."""
        train, test = (replace(part, interpolation=interpolation) for part in (self.train, self.test))
        return replace(self, train=train, test=test)

    def told(self) -> dict[str, Any]:
        """What a record says of the images, as they are now, and of how they were chosen."""
        return identity.told_of_data(self.train, self.test) | self.setting

    @property
    def scored(self) -> data.Images:
        """The test images, resized already if they are."""
        return self.ready or self.test


def starting_network(name: str, classes: int, directory: str | None, seed: int) -> tuple[ResNetV2, dict]:
    """Network of ``name`` with a new head at zero, and what a record says of its weights.

    ``name`` is a model (``"BiT-M-R50x3"``) or an architecture alone (``"R26x0.5"``), which starts from random weights.
    """
    torch.manual_seed(seed)
    if not name.startswith("BiT-"):
        return build(name, classes), {"upstream": None, "weights_sha256": None}
    file = weights.find(name, directory)
    model = build(weights.ModelName.parse(name).arch, classes)
    weights.load_into(model, file, head="new")
    return model, {"upstream": name.split("-")[1], "weights_sha256": weights.sha256(file)}


@dataclass(frozen=True)
class Job:
    """One run, all of it known before its first step: its network, its images, its recipe, and what a record says.

    Attributes
    ----------
    name : str
        Model, or an architecture alone.
    network : ResNetV2
        At its start, with a new head.
    said : dict
        What it is, as :mod:`bitdoc.training.identity` holds it against other runs.
    code : dict
        Version of the code that it began with, whatever the files say at its end.
    """

    name: str
    task: Task
    recipe: Recipe
    seed: int
    engine: Engine
    network: ResNetV2
    said: dict[str, Any]
    code: dict[str, Any] = field(default_factory=code_version)

    @classmethod
    def prepare(
        cls,
        name: str,
        task: Task,
        recipe: Recipe,
        *,
        seed: int = 0,
        directory: str | None = None,
        engine: Engine | None = None,
        chosen: dict[str, Any] | None = None,
    ) -> Job:
        """Find the weights, look at the images, and write down what will be run; ``chosen`` adds to that.

        Arguments are those of :func:`bitdoc.training.finetune.finetune`.
        """
        engine = engine or Engine.start()
        engine.forget_peak()
        task = task.interpolated(recipe.interpolation)
        with engine.main_first():
            network, origin = starting_network(name, len(task.train.classes), directory, seed)
        more = {"model": name, "seed": seed, "precision": engine.precision} | (chosen or {})
        return cls(name, task, recipe, seed, engine, network, origin | task.told() | more)

    @property
    def run(self) -> dict[str, Any]:
        """What tells this run from any other."""
        return self.said | {"code": self.code["digest"]}

    def record(self, experiment: str, run: str, result: dict[str, Any], **more: Any) -> runs.RunRecord:
        """The record of the run; ``more`` adds to its setting, but for ``curve``, ``cost`` and ``device``."""
        parts = {key: more.pop(key) for key in ("curve", "cost") if key in more}
        where = more.pop("device", None)
        setting = {key: value for key, value in self.said.items() if key != "model"} | self.engine.plain() | more
        device = self.engine.device
        record = runs.made_now(experiment, run, self.name, setting, result, device=device, code=self.code, **parts)
        return replace(record, environment=record.environment | {"device": where}) if where else record
