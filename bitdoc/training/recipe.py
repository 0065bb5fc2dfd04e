"""What one training does: BiT-HyperRule's recipe, its miniature for small machines, and the upstream recipe."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from bitdoc.network import weights
from bitdoc.network.resnet import DEPTHS, architecture
from bitdoc.network.widen import deepened, widened
from bitdoc.training import hyperrule
from bitdoc.training.loop import TrainingError

#: What the miniature does otherwise from random weights, for which crops and a higher rate were measured to be better.
FROM_SCRATCH = {"resize": 80, "base_lr": 0.03, "interpolation": "bilinear"}
#: Peak learning rates of the miniature for the widest networks, chosen like the others.
MINIATURE_RATES: dict[str, dict[str, float]] = {
    "BiT-T-R50x3": {"base_lr": 0.003},
    "BiT-T-R50x3-10pct": {"base_lr": 0.003},
    "R50x3": {"base_lr": 0.01},
}
#: The same for the thumbnail; at the rate of pre-trained weights, random ones diverged.
THUMBNAIL_FROM_SCRATCH = {"resize": 40, "base_lr": 0.01}


@dataclass(frozen=True)
class Recipe:
    """What one fine-tuning does.

    Attributes
    ----------
    resize, crop : int
        Side of the square an image is resized to and of the square cropped from it; test images are resized to
        ``crop`` straight away.
    interpolation : {"bilinear", "bicubic"}
        How images are resized.
    schedule : tuple of int
        End of the warm-up, the tenfold drops, and the last step.
    batch, split : int
        Images in a step, and the number of micro-batches it is cut into.
    base_lr, mixup : float
        Peak learning rate; MixUp's α, 0 for none.
    """

    resize: int
    crop: int
    schedule: tuple[int, ...]
    batch: int = 512
    split: int = 1
    base_lr: float = 0.003
    mixup: float = 0.0
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, with :class:`~bitdoc.training.engine.TrainingError`."""
        if min(self.batch, self.resize, self.crop, self.schedule[-1]) < 1:
            raise TrainingError(f"a batch, sides in pixels, and steps must be 1 or more, got {self}")
        if self.split < 1 or self.batch % self.split:
            raise TrainingError(
                f"a batch of {self.batch} cannot be split in {self.split}; choose a divisor of the batch"
            )
        if self.crop > self.resize:
            raise TrainingError(f"{self.crop} pixels cannot be cropped from {self.resize}")
        if list(self.schedule) != sorted(self.schedule):
            raise TrainingError(f"the steps of a schedule must ascend, got {self.schedule}")
        if not (self.base_lr > 0 and self.mixup >= 0 and math.isfinite(self.base_lr + self.mixup)):
            raise TrainingError(f"a rate must be above 0 and MixUp's α 0 or more, got {self.base_lr} and {self.mixup}")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise TrainingError(f"unknown interpolation {self.interpolation!r}; choose bilinear or bicubic")

    def plain(self) -> dict:
        """The recipe as a run record holds it."""
        return asdict(self) | {"schedule": list(self.schedule)}


def rule(examples: int, size: tuple[int, int], arch: str = "", source: str = "code", **changes) -> Recipe:
    """BiT-HyperRule's recipe for a data set of ``examples`` images of ``size`` (height, width)."""
    resize, crop = hyperrule.get_resolution(size, source, arch)
    recipe = Recipe(resize, crop, hyperrule.get_schedule(examples, source), mixup=hyperrule.get_mixup(examples))
    return replace(recipe, **changes)


def miniature(examples: int, **changes) -> Recipe:
    """The rule at the scale of two CPU cores: its shape, with a fifth of the steps and an eighth of the batch.

    Images are enlarged to 64 pixels, the upstream size, and not cropped (the rule: 160/128 against 224); bicubic
    interpolation keeps them sharper, as upstream images are. That and the learning rate were chosen once, on CIFAR-10
    training images held out for it; the records of that choice are the experiment ``few-shot-choice``.
    """
    schedule = tuple(step // 5 for step in hyperrule.get_schedule(examples))
    mixup = hyperrule.get_mixup(examples)
    recipe = Recipe(64, 64, schedule, batch=64, base_lr=0.01, mixup=mixup, interpolation="bicubic")
    return replace(recipe, **changes)


def thumbnail(examples: int, **changes) -> Recipe:
    """The rule at the scale at which two CPU cores fine-tune R50x3: a twentieth of the steps, a sixteenth of the batch.

    Images keep CIFAR-10's own 32 pixels, at which the grown networks learned upstream, and are mirrored but not
    cropped. The learning rate was chosen once, on held-out CIFAR-10 training images, with R50x1 and the R50x3 grown
    from it; rate and crops once more for R50x3 from random weights. The records are ``few-shot-grown-choice``.
    """
    schedule = tuple(step // 20 for step in hyperrule.get_schedule(examples))
    recipe = Recipe(32, 32, schedule, batch=32, base_lr=0.03, mixup=hyperrule.get_mixup(examples))
    return replace(recipe, **changes)


@dataclass(frozen=True)
class Growth:
    """How a network becomes a larger one: widened by ``factor`` (1: not), then deepened to ``depth`` (None: not)."""

    factor: int
    depth: int | None


def growth(model: str, parent: str) -> Growth:
    """How the network of the model ``parent`` grows to the architecture ``model``; not at all, if it is of that one.

    It is widened first: the blocks that are added then have random filters of the full width, and no copies.

    Raises
    ------
    TrainingError
        If it cannot be, saying why.
    """
    wanted, small = architecture(model), architecture(weights.ModelName.parse(parent).arch)
    factor = wanted.width / small.width
    depth = None if wanted.blocks == small.blocks else next(d for d, b in DEPTHS.items() if b == wanted.blocks)
    try:
        larger = small if factor == 1 else widened(small, factor)
        if depth is not None:
            deepened(larger, depth)
    except ValueError as error:
        raise TrainingError(
            f"{model} cannot be grown from {parent} ({error}); choose a network that is no deeper, and whose width "
            f"is that of x{wanted.width:g}, its half, its third, ..."
        ) from None
    return Growth(int(factor), depth)


_WORDS = {"schedule": ("staircase", "linear"), "norm_kind": ("group", "batch", "none")}
_NUMBERS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "fraction": ("above 0 and at most 1", lambda x: 0 < x <= 1),
    "batch": ("a whole number of 1 or more", lambda x: x >= 1),
    "base_lr": ("above 0", lambda x: x > 0),
    "warmup": ("at least 0 and below 1", lambda x: 0 <= x < 1),
    "weight_decay": ("0 or more", lambda x: x >= 0),
    "smallest_crop": ("above 0 and at most 1", lambda x: 0 < x <= 1),
    "mixup": ("0 or more", lambda x: x >= 0),
    "noise": ("0 or more", lambda x: x >= 0),
    "seed": ("a whole number of 0 or more, below 2**63", lambda x: 0 <= x < 2**63),
}


@dataclass(frozen=True)
class Upstream:
    """Everything chosen in a pre-training run.

    Attributes
    ----------
    dataset, fraction : str, float
        Upstream data set, and the share of each class's images that is used.
    model : str
        Architecture.
    phases : str
        ``"SIDExEPOCHS"`` joined by commas: side of the images in pixels, epochs at that side.
    batch, base_lr : int, float
        The peak learning rate is ``base_lr * batch / 256``.
    warmup : float
        Share of all steps.
    schedule : {"staircase", "linear"}
        The paper's drops (tenfold at 1/3, 2/3 and 8/9 of the training), or a straight line to 0.
    smallest_crop : float
        Smallest share of an image's surface that a random-resized crop keeps.
    mixup : float
        MixUp's α; the paper uses none upstream, where images are many.
    norm_kind, standardized : str, bool
        As for :class:`bitdoc.network.resnet.ResNetV2`.
    grown_from, noise : str, float
        Model whose weights the run begins with, grown to ``model``, and the noise that then tells the copies apart
        and opens the new blocks (:mod:`bitdoc.training.grow`); by default the run begins with random weights. Weights
        of the same architecture are trained on, as they are with ``noise=0``.
    """

    dataset: str = "tiny-imagenet"
    fraction: float = 1.0
    model: str = "R26x0.5"
    phases: str = "32x7,48x4,64x3"
    batch: int = 128
    base_lr: float = 0.03
    warmup: float = 0.05
    schedule: str = "staircase"
    weight_decay: float = 1e-4
    smallest_crop: float = 0.35
    mixup: float = 0.0
    norm_kind: str = "group"
    standardized: bool = True
    grown_from: str = ""
    noise: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained; spaces in ``phases`` mean nothing.

        Raises
        ------
        TrainingError
            Saying which choice cannot be made.
        ValueError
            If there is no such architecture or parent.
        """
        object.__setattr__(self, "phases", "".join(self.phases.split()))
        architecture(self.model)
        for name, options in _WORDS.items():
            if getattr(self, name) not in options:
                raise TrainingError(f"unknown {name} {getattr(self, name)!r}; choose {' or '.join(options)}")
        for name, (expected, holds) in _NUMBERS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and holds(value)):
                raise TrainingError(f"{name} must be {expected}, got {value}")
        self.sides  # noqa: B018 - reads the phases
        if self.grown_from:
            growth(self.model, self.grown_from)
            if self.norm_kind != "group" or not self.standardized:
                raise TrainingError("a network that is grown has its parent's group norm and weight standardization")

    @property
    def tag(self) -> str:
        """Name of the run: every choice that differs from the default."""
        default = Upstream()
        parts = [self.model, f"{self.fraction:g}"]
        parts += [
            f"{k}={v}" for k, v in asdict(self).items() if k not in ("model", "fraction") and v != getattr(default, k)
        ]
        return "_".join(parts).replace(",", "+")

    @property
    def sides(self) -> list[tuple[int, float]]:
        """Side of the images in pixels and epochs, phase by phase."""
        phases = [re.fullmatch(r"(\d+)x(\d+\.?\d*|\.\d+)", phase, re.ASCII) for phase in self.phases.split(",")]
        found = [(int(match[1]), float(match[2])) for match in phases if match]
        if len(found) < len(phases):
            raise TrainingError(f"cannot read the phases {self.phases!r}; expected for example 32x8,48x4,64x2")
        if any(side < 1 or not 0 < epochs < math.inf for side, epochs in found):
            raise TrainingError(f"a phase of 0 pixels or 0 epochs trains nothing, got {self.phases!r}")
        return found

    def plan(self, examples: int) -> list[tuple[int, int]]:
        """(last step, side) of each phase for a data set of ``examples`` images."""
        plan, epochs = [], 0.0
        for side, count in self.sides:
            epochs += count
            plan.append((round(epochs * examples / self.batch), side))
        return plan

    def lr_at(self, step: int, steps: int) -> float | None:
        """Learning rate of a step out of ``steps``; None at the end."""
        if step >= steps:
            return None
        peak, ramp = self.base_lr * self.batch / 256, max(1, round(self.warmup * steps))
        if step < ramp:
            return peak * (step + 1) / ramp
        if self.schedule == "linear":
            return peak * (steps - step) / (steps - ramp)
        return peak / 10 ** sum(step >= round(share * steps) for share in (1 / 3, 2 / 3, 8 / 9))


def fraction_of(model: str) -> float:
    """Share of the upstream images that a ``BiT-T`` name tells: 0.1 for ``BiT-T-R26x0.5-10pct``, 1 without a suffix.

    Raises
    ------
    TrainingError
        If the suffix is anything else.
    """
    name = weights.ModelName.parse(model)
    if not re.fullmatch(r"(\d+(\.\d+)?pct)?", name.suffix):
        raise TrainingError(f"cannot pre-train {model}: expected BiT-T-{name.arch} or, say, BiT-T-{name.arch}-10pct")
    return float(name.suffix.removesuffix("pct") or 100) / 100
