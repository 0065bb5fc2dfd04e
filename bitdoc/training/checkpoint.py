"""The state of a training run on disk, so that a run that was killed goes on where it was."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bitdoc.records.files import written_atomically
from bitdoc.training.engine import Engine
from bitdoc.training.identity import refuse_other
from bitdoc.training.saved import fitted, read_state

ADVICE = "name the run otherwise, or remove it to begin anew"


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    run: Mapping[str, Any],
    engine: Engine | None = None,
    log: Mapping[str, Any] | None = None,
) -> None:
    """Write model, momentum and step (and the loss scale of float16) atomically.

    ``run`` says what they are of (:mod:`bitdoc.training.identity`), ``log`` what is to go on with it.
    """
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "run": dict(run)}
    state |= {"scale": engine.scaler.state_dict() if engine else {}, "log": dict(log or {})}
    whole = io.BytesIO()  # serialized first, so that the older checkpoint moves aside only for a whole new one
    torch.save(state, whole)
    with written_atomically(path) as file:
        file.write(whole.getbuffer())
        with suppress(FileNotFoundError):  # the first one, or another process moved it just now
            os.replace(path, path.with_suffix(".previous"))


def load_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    run: Mapping[str, Any],
    engine: Engine | None = None,
) -> tuple[int, dict[str, Any]]:
    """Load the newest whole checkpoint of ``run``; return the step to go on from, 0 if there is none, and the log.

    A checkpoint that is damaged is passed over, with a warning, for the one before it.

    Raises
    ------
    TrainingError
        If the checkpoint belongs to another run, saying what differs, is none of this package, or has values that are
        not finite.
    """
    for candidate in (path, path.with_suffix(".previous")):
        if not candidate.exists():
            continue
        state = read_state(candidate)
        if state is None:
            continue
        found, log = (part if isinstance(part := state.get(name), dict) else {} for name in ("run", "log"))
        refuse_other(dict.fromkeys(run) | found, run, candidate, ADVICE)  # what a checkpoint does not tell, differs
        fitted(candidate, model, optimizer, state)
        if engine and state.get("scale"):
            engine.scaler.load_state_dict(state["scale"])
        return int(state["step"]), log
    return 0, {}
