"""The state of a training run on disk, so that a run that was killed goes on where it was.

The file that is read back may be anything: damaged, cut, another program's, or full of NaN.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bitdoc.records.files import written_atomically
from bitdoc.training.engine import Engine, TrainingError
from bitdoc.training.identity import refuse_other

ADVICE = "name the run otherwise, or remove it to begin anew"
_PARTS = {"model": dict, "optimizer": dict, "step": int}
_AWAY = "move it away to begin anew"


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


def read_state(path: Path) -> dict[str, Any] | None:
    """The state in a file, every byte of which passes the archive's own checksums; None if it is damaged.

    ``torch.load`` leaves the checksums alone, and most flipped bits would become weights. A damaged file is named in a
    warning, because an older one may be whole.

    Raises
    ------
    TrainingError
        If the file is whole, but no checkpoint of this package, or has values that are not finite.
    """
    try:
        with path.open("rb") as file:
            begins = file.read(1 << 10)
        if begins.strip(b"\0") and not (begins.startswith(b"PK") or zipfile.is_zipfile(path)):
            raise TrainingError(f"{path} is no checkpoint; {_AWAY}")
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(damaged)
            if not any(name.endswith("data.pkl") for name in archive.namelist()):
                raise TrainingError(f"{path} is an archive, but no checkpoint; {_AWAY}")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except TrainingError:
        raise
    except pickle.UnpicklingError:  # whole, but with things in it that no checkpoint has
        raise TrainingError(f"{path} is no checkpoint of bitdoc; {_AWAY}") from None
    except Exception as error:  # zipfile and torch.load raise a dozen kinds of errors on a damaged file
        print(f"warning: {path} is damaged and is passed over ({type(error).__name__})", flush=True)
        return None
    if not isinstance(state, dict):
        raise TrainingError(f"{path} holds a {type(state).__name__} and is no checkpoint of bitdoc; {_AWAY}")
    for name, kind in _PARTS.items():
        if type(state.get(name)) is not kind and not (kind is dict and isinstance(state.get(name), dict)):
            raise TrainingError(f"{path} is no checkpoint of bitdoc: it has no {name!r}; {_AWAY}")
    if state["step"] < 0:
        raise TrainingError(f"{path} is of step {state['step']}, expected 0 or more; {_AWAY}")
    if not all(value.isfinite().all() for value in _tensors((state["model"], state["optimizer"]))):
        raise TrainingError(f"{path} has values that are not finite, so the run had failed; {_AWAY}, at a lower rate")
    return state


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors of numbers in nested dictionaries and lists."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


def fitted(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load the state of ``path`` into a network and its optimizer.

    Raises
    ------
    TrainingError
        If it is another network's.
    """
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())[:200]
        raise TrainingError(f"{path} is a checkpoint of another network ({why}); {_AWAY}") from None
