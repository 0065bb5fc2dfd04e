"""What all commands share: how a flag is read and checked, and how an error, a signal or the end becomes a status.

A command makes one value of its flags, which is checked whole before anything is read, downloaded or trained. What is
refused then is one line and status 2; what fails later is one line and status 1.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

import torch

from bitdoc.network import weights
from bitdoc.network.resnet import architecture
from bitdoc.records import runs
from bitdoc.records.files import expanded
from bitdoc.training.engine import TrainingError

#: The data sets that have names, and the training images of each class where all have as many.
DATASETS = {"cifar10": 5000, "cifar100": 500, "tiny-imagenet": 500, "imagenet2012": None, "folder": None}

T = TypeVar("T")


class Resumable(Protocol):
    """What a command was told, of a run that goes on where it was stopped."""

    @property
    def kept(self) -> Path | None:
        """The checkpoint; None where none is asked for."""


Told = TypeVar("Told", bound=Resumable)


class Refused(ValueError):
    """What a command was told cannot be done; known before anything is read, downloaded or trained."""


class Parser(argparse.ArgumentParser):
    """A command line whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with status 2."""
        say(f"error: {message}; --help lists the flags")
        raise SystemExit(2)


def _kind(what: str, read: Callable[[str], T], holds: Callable[[T], bool]) -> Callable[[str], T]:
    def kind(text: str) -> T:
        try:
            value = read(text)
        except (ValueError, OverflowError):
            raise argparse.ArgumentTypeError(f"expected {what}, got {text!r}") from None
        if not holds(value):
            raise argparse.ArgumentTypeError(f"expected {what}, got {text!r}")
        return value

    return kind


count = _kind("a whole number of 1 or more, below 2**31", int, lambda n: 1 <= n < 2**31)
seed = _kind("a whole number of 0 or more, below 2**63", int, lambda n: 0 <= n < 2**63)
rate = _kind("a number above 0", float, lambda x: x > 0 and math.isfinite(x))
amount = _kind("a number of 0 or more", float, lambda x: x >= 0 and math.isfinite(x))


def _as_refusal(read: Callable[[str], T]) -> Callable[[str], T]:
    def kind(text: str) -> T:
        try:
            return read(text)
        except (ValueError, OSError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return kind


def _checked_model(name: str) -> str:
    if name.startswith("BiT-"):
        weights.ModelName.parse(name)
    else:
        architecture(name)
    return name


def _picture(text: str) -> Path:
    from matplotlib.backend_bases import FigureCanvasBase

    path, known = expanded(text), FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in known:
        raise Refused(f"{text!r} is no kind of picture; end it with .{', .'.join(sorted(known))}")
    if not path.parent.is_dir():
        raise Refused(f"no folder {path.parent} to save {path.name} in; create it or name another")
    return path


path = _as_refusal(expanded)
run_name = _as_refusal(runs.checked_name)
model = _as_refusal(_checked_model)
picture = _as_refusal(_picture)


def dataset(text: str) -> str:
    """The name of a data set that there is."""
    if text not in DATASETS:
        raise argparse.ArgumentTypeError(f"unknown data set {text!r}; choose one of {', '.join(DATASETS)}")
    return text


def check_shots(name: str, shots: int | None) -> None:
    """Refuse more examples per class than a class of the data set has."""
    most = DATASETS[name]
    if shots is not None and most is not None and shots > most:
        raise Refused(f"{shots} examples per class asked for, but a class of {name} has {most:,}")


def check_weights(name: str, directory: str | os.PathLike | None, *, can_be_made: bool = False) -> None:
    """Refuse a model whose weights are neither on this machine nor published; ``can_be_made``: nor a ``BiT-T`` one."""
    try:
        weights.check_folder(directory)
    except weights.WeightsError as error:
        raise Refused(str(error)) from None
    if not name.startswith("BiT-"):
        return
    parts = weights.ModelName.parse(name)
    made_here = can_be_made and parts.upstream == "T"
    if parts.is_published or made_here or weights.at_hand(name, directory):
        return
    raise Refused(weights.why_missing(name, directory))


def check_writable(folder: Path) -> None:
    """Refuse a folder that nothing can be written to, whether it is there already or is to be made."""
    folder = folder.absolute()
    place = next(place for place in (folder, *folder.parents) if place.exists())
    if not place.is_dir():
        raise Refused(f"{place} is no folder, so nothing can be kept in {folder}; name another")
    if not os.access(place, os.W_OK | os.X_OK):
        raise Refused(f"{place} cannot be written to, so nothing can be kept in {folder}; name another")


def check_compiler(compiled: bool) -> None:
    """Refuse to compile a network where there is no C++ compiler, which ``torch.compile`` needs."""
    names = (os.environ.get("CXX"), "c++", "g++", "clang++", "cl")
    if compiled and not any(shutil.which(name) for name in names if name):
        raise Refused(
            "--compile needs a C++ compiler, and there is none (g++, clang++, cl); install one or leave it out"
        )


def say(text: str) -> None:
    """Print a line to standard error, as far as there is one."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated as Ctrl-C is."""


@contextmanager
def _watched() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, and let streams take any text, or none, without an error."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:  # closed by who started this process
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the rest of the process
        elif hasattr(stream, "reconfigure"):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")

    def terminate(*_: object) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def ended(work: Callable[[], int | None], stopped: Callable[[], str] | str) -> int:
    """Do ``work`` and return the exit status: 0, or what it returned; 2 for what was refused, 1 for what failed.

    An error is one line on standard error. After Ctrl-C or SIGTERM (130, 143) the line is that of the interrupt, or
    ``stopped``, which says how to go on.
    """
    try:
        with _watched():
            return work() or 0
    except Refused as error:
        say(f"error: {error}")
        return 2
    except (ValueError, TrainingError, OSError, torch.OutOfMemoryError) as error:
        say(f"error: {' '.join(str(error).split())}")
        return 1
    except KeyboardInterrupt as error:
        say(str(error) or (stopped if isinstance(stopped, str) else stopped()))
        return 143 if isinstance(error, Terminated) or getattr(error, "number", 0) == signal.SIGTERM else 130
    except SystemExit as end:  # of the parser
        return 0 if end.code is None else end.code if isinstance(end.code, int) else 1


def carried_out(read: Callable[[], Told], work: Callable[[Told], object]) -> int:
    """Read what a command was told and do the work, ended as :func:`ended` says; a stopped one tells how it goes on."""
    told: list[Told] = []

    def both() -> None:
        told.append(read())
        work(told[0])

    def stopped() -> str:
        kept = told[0].kept if told else None
        if kept and kept.exists():
            return f"stopped; the same command goes on from {kept}"
        return "stopped before anything was kept; the same command begins anew"

    return ended(both, stopped)
