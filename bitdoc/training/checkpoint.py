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
        If the checkpoint belongs to another run, saying what differs.
    """
    for candidate in (path, path.with_suffix(".previous")):
        if not candidate.exists():
            continue
        try:
            state = torch.load(candidate, map_location="cpu", weights_only=True)
            found = state.get("run", {})
            step, log = int(state["step"]), dict(state.get("log", {}))
        except Exception as error:  # torch.load raises half a dozen kinds of errors on a damaged file
            print(f"warning: {candidate} is damaged and is passed over ({type(error).__name__})", flush=True)
            continue
        refuse_other(dict.fromkeys(run) | found, run, candidate, ADVICE)  # what a checkpoint does not tell, differs
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if engine and state.get("scale"):
            engine.scaler.load_state_dict(state["scale"])
        return step, log
    return 0, {}
