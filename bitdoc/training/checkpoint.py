"""The state of a training run on disk, so that a run that was killed goes on where it was."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from bitdoc.records.files import written_atomically
from bitdoc.training.engine import Engine, TrainingError
from bitdoc.training.saved import fitted, read_state


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, tag: str, engine: Engine | None = None
) -> None:
    """Write model, momentum and step (and the loss scale of float16) atomically; ``tag`` names the run they are of."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "tag": tag}
    state["scale"] = engine.scaler.state_dict() if engine else {}
    whole = io.BytesIO()  # serialized first, so that the older checkpoint moves aside only for a whole new one
    torch.save(state, whole)
    with written_atomically(path) as file:
        file.write(whole.getbuffer())
        with suppress(FileNotFoundError):  # the first one, or another process moved it just now
            os.replace(path, path.with_suffix(".previous"))


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, tag: str, engine: Engine | None = None
) -> int:
    """Load the newest whole checkpoint of the run ``tag``; return the step to go on from, 0 if there is none.

    A checkpoint that is damaged is passed over, with a warning, for the one before it.

    Raises
    ------
    TrainingError
        If the checkpoint belongs to another run, is none of this package, or has values that are not finite.
    """
    for candidate in (path, path.with_suffix(".previous")):
        if not candidate.exists():
            continue
        state = read_state(candidate)
        if state is None:
            continue
        found = state.get("tag")
        if found != tag:
            raise TrainingError(
                f"{candidate} belongs to another run ({found}), not to {tag}; remove it or rename the run"
            )
        fitted(candidate, model, optimizer, state)
        if engine and state.get("scale"):
            engine.scaler.load_state_dict(state["scale"])
        return int(state["step"])
    return 0
