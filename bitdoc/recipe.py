"""What one fine-tuning does: BiT-HyperRule's recipe, and its miniature for small machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from bitdoc import hyperrule
from bitdoc.training import TrainingError


@dataclass(frozen=True)
class Recipe:
    """What one fine-tuning does.

    Attributes
    ----------
    resize, crop : int
        Side of the square an image is resized to and of the square cropped from it; test images are resized to
        ``crop`` straight away.
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

    def __post_init__(self) -> None:
        if self.split < 1 or self.batch % self.split:
            raise TrainingError(
                f"a batch of {self.batch} cannot be split in {self.split}; choose a divisor of the batch"
            )

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

    Resolution is 80/64 where upstream used 64 (the rule: 160/128 against 224). The learning rate was chosen once, on
    CIFAR-10 training images held out for it; the records of that choice are the experiment ``few-shot-choice``.
    """
    schedule = tuple(step // 5 for step in hyperrule.get_schedule(examples))
    recipe = Recipe(80, 64, schedule, batch=64, base_lr=0.03, mixup=hyperrule.get_mixup(examples))
    return replace(recipe, **changes)
