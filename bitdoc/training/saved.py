"""Read a file of saved training state that may be anything: damaged, cut, another program's, or full of NaN."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bitdoc.training.engine import TrainingError

_PARTS = {"model": dict, "optimizer": dict, "step": int}
_ADVICE = "move it away to begin anew"


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
            raise TrainingError(f"{path} is no checkpoint; {_ADVICE}")
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(damaged)
            if not any(name.endswith("data.pkl") for name in archive.namelist()):
                raise TrainingError(f"{path} is an archive, but no checkpoint; {_ADVICE}")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except TrainingError:
        raise
    except pickle.UnpicklingError:  # whole, but with things in it that no checkpoint has
        raise TrainingError(f"{path} is no checkpoint of bitdoc; {_ADVICE}") from None
    except Exception as error:  # zipfile and torch.load raise a dozen kinds of errors on a damaged file
        print(f"warning: {path} is damaged and is passed over ({type(error).__name__})", flush=True)
        return None
    if not isinstance(state, dict):
        raise TrainingError(f"{path} holds a {type(state).__name__} and is no checkpoint of bitdoc; {_ADVICE}")
    for name, kind in _PARTS.items():
        if type(state.get(name)) is not kind and not (kind is dict and isinstance(state.get(name), dict)):
            raise TrainingError(f"{path} is no checkpoint of bitdoc: it has no {name!r}; {_ADVICE}")
    if state["step"] < 0:
        raise TrainingError(f"{path} is of step {state['step']}, expected 0 or more; {_ADVICE}")
    if not all(value.isfinite().all() for value in _tensors((state["model"], state["optimizer"]))):
        raise TrainingError(f"{path} has values that are not finite, so the run had failed; {_ADVICE}, at a lower rate")
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
        raise TrainingError(f"{path} is a checkpoint of another network ({why}); {_ADVICE}") from None
