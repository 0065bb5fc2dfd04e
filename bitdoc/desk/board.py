"""Logs for TensorBoard, if it is installed; without it, a training does the same and writes none."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from bitdoc.training.loop import Score

#: Folder of the logs in that of a run.
FOLDER = "tensorboard"


def writer() -> Any:
    """``torch.utils.tensorboard.SummaryWriter``, or None where TensorBoard is not installed or does not work."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except Exception:  # beside what is missing: packages that do not go together, each with an error of its own
        return None
    return SummaryWriter


class Board:
    """The log of one training: its loss, its learning rate, and what was seen of its validation pictures.

    A training that was stopped and goes on writes another file; what the first one holds of later steps is overruled.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.kind = folder, writer()
        self.open: Any = None

    def _add(self, name: str, value: float, step: int) -> None:
        if self.kind is None:
            return
        if self.open is None:
            self.open = self.kind(str(self.folder), purge_step=step)
        self.open.add_scalar(name, value, step)

    def step(self, step: int, lr: float, loss: float) -> None:
        """Log a step of the training."""
        self._add("loss/training", loss, step + 1)
        self._add("learning rate", lr, step + 1)

    def look(self, step: int, score: Score) -> None:
        """Log a look at the validation pictures."""
        self._add("loss/validation", score.loss, step)
        self._add("accuracy/validation", score.top1, step)
        if self.open is not None:
            self.open.flush()  # the checkpoint of this step comes next, and no step before it may be missing

    def __enter__(self) -> Board:
        """Begin; nothing is written before the first step."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left, however the training ended."""
        if self.open is not None:
            self.open.close()


def anonymous(folder: Path) -> None:
    """Rename the logs of a run that may be given away: their names tell the machine that they were written on."""
    for place in {file.parent for file in folder.rglob("events.out.tfevents.*")}:
        for number, file in enumerate(sorted(place.glob("events.out.tfevents.*"))):
            with suppress(OSError):
                file.rename(place / f"events.out.tfevents.{number:010d}.bitdoc")
