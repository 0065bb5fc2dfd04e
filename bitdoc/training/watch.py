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
from bitdoc.training.paired import difference

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
        So many looks in a row without a gain end the training, and the network of an earlier look is kept if it named
        more pictures right than the last one, beyond luck. By default the last network is kept.
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
        self.hits: list[Tensor] = []  # of each look, which of the pictures were named right
        self.best: dict[str, Tensor] | None = None

    @property
    def last(self) -> int:
        """Step of the last look; 0 before the first."""
        return self.looks["step"][-1] if self.looks["step"] else 0

    @property
    def leader(self) -> int:
        """Place among the looks of the one that named most pictures right; of equal ones the last."""
        scores = self.looks["top1"]
        return max(range(len(scores)), key=lambda place: (scores[place], place))

    @property
    def kept(self) -> int:
        """Place of the look whose network is kept: the last, unless the leader is better beyond luck."""
        last = len(self.hits) - 1
        if self.patience is None or self.leader == last:
            return last
        best, end = self.hits[self.leader], self.hits[last]
        low, _ = difference(int((best & ~end).sum()), int((end & ~best).sum()), len(end))
        return self.leader if low > 0 else last

    @property
    def idle(self) -> int:
        """Looks since the last gain, of right answers or of loss, or since the warm-up."""
        least, most, idle = math.inf, -1.0, 0
        for step, loss, top1 in zip(*(self.looks[name] for name in ("step", "loss", "top1")), strict=True):
            idle = 0 if step <= self.first or loss < GAIN * least or top1 > most else idle + 1
            least, most = min(least, loss), max(most, top1)
        return idle

    @property
    def is_over(self) -> bool:
        """Whether nothing was gained for so long that the training should end."""
        return self.patience is not None and self.idle >= self.patience

    def is_due(self, step: int) -> bool:
        """Whether a look is to be taken after ``step`` steps, and was not yet."""
        return self.every is not None and step > 0 and step % self.every == 0 and step != self.last

    def look(self, step: int, score: Score, model: nn.Module, labels: Tensor) -> None:
        """Note the score of ``model`` after ``step`` steps, and keep the network if it leads.

        Parameters
        ----------
        labels : Tensor
            ``(N,)`` the classes that are right.

        Raises
        ------
        TrainingError
            If the loss is not finite.
        """
        if not math.isfinite(score.loss):
            raise TrainingError(f"the loss is {score.loss} on other pictures, at step {step}; try a lower --base_lr")
        for name, value in {"step": step, **{name: getattr(score, name) for name in _TOLD}}.items():
            self.looks[name].append(value)
        self.hits.append(score.logits.argmax(1).cpu() == labels.cpu())
        if self.patience is not None and self.leader == len(self.hits) - 1:
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
        return {"looks": self.looks, "hits": self.hits, "best": self.best}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave; from nothing, where nothing was kept."""
        if state:
            self.looks, self.hits, self.best = state["looks"], state["hits"], state["best"]
