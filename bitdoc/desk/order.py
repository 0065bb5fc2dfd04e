"""What ``bitdoc probe`` and ``bitdoc train`` were told, checked before anything is read, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bitdoc.desk import bundle
from bitdoc.desk.look import Survey
from bitdoc.network import weights
from bitdoc.network.resnet import architecture
from bitdoc.training import command, recipe
from bitdoc.training.command import Refused
from bitdoc.training.engine import Engine, pick_device
from bitdoc.training.hyperrule import get_resolution
from bitdoc.training.recipe import Recipe

#: The network that ships with the package.
SHIPPED = "BiT-T-R26x0.5"
#: Sides in pixels where there is no card: of the shipped network's pictures, and of others' small and large ones.
SIDE, SIDE_SMALL, SIDE_LARGE = 64, 128, 224
#: Subsets that are drawn where the examples of a class are limited.
SUBSETS = 5


@dataclass(frozen=True)
class Order:
    """What both commands are told.

    Attributes
    ----------
    pictures : Path
        Folder or table.
    out : Path
        Where the run goes.
    model : str
        Name of the weights to begin with.
    side : int or None
        Side of the squares that pictures are squeezed to; None lets it follow from network, pictures and machine.
    examples_per_class : int or None
        Training pictures of each class; None takes all.
    subsets : int
        How many such subsets are drawn.
    seed : int
        Of subsets, and of everything drawn in training.
    weights_dir : Path or None
        Where weights may lie already.
    leave_out : bool
        Do without pictures that cannot be read.
    dry_run : bool
        Say what would be done and how long it would take, and do nothing.
    precision : str or None
        Of the network's arithmetic; None lets it follow from network and machine (:meth:`engine`).
    """

    pictures: Path
    out: Path
    model: str = SHIPPED
    side: int | None = None
    examples_per_class: int | None = None
    subsets: int = SUBSETS
    seed: int = 0
    weights_dir: Path | None = None
    leave_out: bool = False
    dry_run: bool = False
    precision: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if not self.pictures.exists():
            raise Refused(
                f"no folder {self.pictures}; expected one with a folder of pictures for each class, or a table"
            )
        try:
            architecture(self.arch)
        except ValueError as error:
            raise Refused(f"{error}; bitdoc ships {SHIPPED}") from None
        if self.side is not None and self.side < 16:
            raise Refused(f"a network cannot see pictures of {self.side} pixels; choose a side of 16 or more")
        command.check_weights(self.model, self.weights_dir)
        bundle.check_place(self.out)

    @property
    def is_shipped(self) -> bool:
        """Whether the network begins with weights of the package's own kind, which know thumbnails."""
        return self.model.startswith("BiT-T-")

    def engine(self) -> Engine:
        """The best device there is, in a lower precision where that was measured to be quicker.

        A card computes in bfloat16 or float16. A processor with instructions for bfloat16 does so from full width on:
        on the thin layers of the shipped network, converting costs as much as it gains.
        """
        if self.precision or pick_device().type != "cpu":
            return Engine.start(precision=self.precision)
        wide = architecture(self.arch).width >= 1
        return Engine.start(precision="bfloat16" if wide and has_bfloat16() else "float32")

    @property
    def arch(self) -> str:
        """Name of the network's architecture."""
        return weights.ModelName.parse(self.model).arch if self.model.startswith("BiT-") else self.model


@dataclass(frozen=True)
class ProbeOrder(Order):
    """What ``bitdoc probe`` is told."""

    def recipe(self, survey: Survey, engine: Engine) -> Recipe:
        """The size of the pictures; a probe has no steps."""
        side = self.side or _side(self, survey, engine)
        interpolation = "bicubic" if self.is_shipped else "bilinear"
        return Recipe(side, side, (0, 1), batch=1, interpolation=interpolation)


@dataclass(frozen=True)
class TrainOrder(Order):
    """What ``bitdoc train`` is told beside.

    Attributes
    ----------
    recipe_name : {"rule", "miniature"} or None
        BiT-HyperRule or its miniature; None takes the rule where there is a card and the network is a published one.
    steps, batch : int or None
        In place of the recipe's.
    mirror : bool
        Mirror every other picture; not for signs and text.
    """

    recipe_name: str | None = None
    steps: int | None = None
    batch: int | None = None
    base_lr: float | None = None
    mirror: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        super().__post_init__()
        if self.base_lr is not None and not (self.base_lr > 0 and math.isfinite(self.base_lr)):
            raise Refused(f"a learning rate must be a number above 0, got {self.base_lr}")

    def recipe(self, survey: Survey, examples: int, engine: Engine) -> Recipe:
        """The recipe for so many training pictures."""
        side = self.side or _side(self, survey, engine)
        by_rule = _has_card(engine) and not self.is_shipped and self.model.startswith("BiT-")
        name = self.recipe_name or ("rule" if by_rule else "miniature")
        if name == "rule":
            found = recipe.rule(examples, survey.size)
            if self.side:
                found = replace(found, crop=side, resize=side * found.resize // found.crop)
        else:
            found = recipe.miniature(examples, resize=side, crop=side)
            if not self.model.startswith("BiT-"):
                found = replace(found, **_scratch(side))
        changes: dict[str, Any] = {"batch": self.batch, "base_lr": self.base_lr}
        if self.steps:
            changes["schedule"] = tuple(step * self.steps // found.schedule[-1] for step in found.schedule)
        return replace(found, **{key: value for key, value in changes.items() if value})


def has_bfloat16() -> bool:
    """Whether this processor multiplies matrices in bfloat16, by AVX-512 or AMX; where PyTorch cannot tell, not."""
    return any(getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))


def _scratch(side: int) -> dict[str, Any]:
    """What the miniature does otherwise from random weights."""
    return recipe.FROM_SCRATCH | {"resize": side * 5 // 4}


def _has_card(engine: Engine) -> bool:
    return engine.device.type != "cpu"


def _side(order: Order, survey: Survey, engine: Engine) -> int:
    """The side that fits network, pictures and machine: the rule's on a card, a smaller one without."""
    if order.is_shipped or not order.model.startswith("BiT-"):
        return SIDE
    crop = get_resolution(survey.size).crop
    return crop if _has_card(engine) else SIDE_SMALL if crop <= SIDE_SMALL else SIDE_LARGE
