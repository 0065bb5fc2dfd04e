"""Looks at pictures that are not trained on, while a network is trained: which step is kept, and when to stop.

What was seen is kept in the checkpoint, so that a training that was stopped and goes on ends with all of its looks and
keeps the same step as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from bitdoc.training.engine import TrainingError
from bitdoc.training.loop import Score

_TOLD = ("top1", "top5", "loss")
#: Part of the lowest loss so far that a look has to stay below to be a gain: at the lowest rates the loss creeps on.
GAIN = 0.99


class Watch:
    """The looks of one training.

    Parameters
    ----------
    every : int, optional
        Steps between two looks; by default one look is taken, at the end.
    patience : int, optional
        The network of the look with the lowest loss is kept, and so many looks in a row without a gain end the
        training. By default the last network is kept.
    first : int
        Looks up to this step cannot end the training, as those of a warm-up, in which little is gained.
    on_look : callable, optional
        Called with the step and the score of each look.

    Attributes
    ----------
    looks : dict
        Lists of equal length: ``"step"``, and ``"top1"``, ``"top5"`` and ``"loss"`` of the look at that step.
    """

    def __init__(
        self,
        every: int | None = None,
        patience: int | None = None,
        *,
        first: int = 0,
        on_look: Callable[[int, Score], None] | None = None,
    ) -> None:
        self.every, self.patience, self.first, self.on_look = every, patience, first, on_look
        self.looks: dict[str, list] = {name: [] for name in ("step", *_TOLD)}
        self.best: dict[str, Tensor] | None = None

    @property
    def last(self) -> int:
        """Step of the last look; 0 before the first."""
        return self.looks["step"][-1] if self.looks["step"] else 0

    @property
    def kept(self) -> int:
        """Place among the looks of the one whose network is kept."""
        losses = self.looks["loss"]
        return len(losses) - 1 if self.patience is None else losses.index(min(losses))

    @property
    def idle(self) -> int:
        """Looks since the last gain, or since the warm-up."""
        least, idle = math.inf, 0
        for step, loss in zip(self.looks["step"], self.looks["loss"], strict=True):
            idle = 0 if step <= self.first or loss < GAIN * least else idle + 1
            least = min(least, loss)
        return idle

    @property
    def is_over(self) -> bool:
        """Whether nothing was gained for so long that the training should end."""
        return self.patience is not None and self.idle >= self.patience

    def is_due(self, step: int) -> bool:
        """Whether a look is to be taken after ``step`` steps, and was not yet."""
        return self.every is not None and step > 0 and step % self.every == 0 and step != self.last

    def look(self, step: int, score: Score, model: nn.Module) -> None:
        """Note the score of ``model`` after ``step`` steps, and keep the network if it is the best so far.

        Raises
        ------
        TrainingError
            If the loss is not finite.
        """
        if not math.isfinite(score.loss):
            raise TrainingError(f"the loss is {score.loss} on other pictures, at step {step}; try a lower --base_lr")
        for name, value in {"step": step, **{name: getattr(score, name) for name in _TOLD}}.items():
            self.looks[name].append(value)
        if self.patience is not None and self.kept == len(self.looks["step"]) - 1:
            self.best = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        if self.on_look:
            self.on_look(step, score)

    def put_back(self, model: nn.Module) -> None:
        """Give ``model`` the weights that are kept, where they are not its last ones."""
        if self.best is not None and self.looks["step"][self.kept] != self.last:
            model.load_state_dict(self.best)

    def result(self) -> dict[str, Any]:
        """What a record says of the network that is kept, and of all looks, where there are more than one."""
        digits = {"step": 0, "top1": 3, "top5": 3, "loss": 5}
        told = {name: [round(value, digits[name]) for value in values] for name, values in self.looks.items()}
        found: dict[str, Any] = {name: told[name][self.kept] for name in _TOLD}
        return found | ({"looks": told} if len(told["step"]) > 1 else {})

    def state(self) -> dict[str, Any]:
        """What goes into the checkpoint."""
        return {"looks": self.looks, "best": self.best}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave; from nothing, where nothing was kept."""
        if state:
            self.looks, self.best = state["looks"], state["best"]
