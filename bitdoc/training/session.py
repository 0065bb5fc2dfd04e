"""A training under way: its state on disk, its log book, its progress bar, and the signals that may end it.

Both trainings, upstream and downstream, are sessions. What is logged is kept in the checkpoint, so that a run that was
stopped and goes on ends with its whole curve and its whole time.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from bitdoc.records import runs
from bitdoc.records.files import held
from bitdoc.training.checkpoint import load_checkpoint, save_checkpoint
from bitdoc.training.engine import Engine, TrainingError

#: Seconds between two checkpoints.
KEPT_EVERY = 120


class Stopped(KeyboardInterrupt):
    """A training that a signal ended, with one line that says where it is kept and how it goes on."""

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.number = number


@dataclass
class State:
    """What is trained, and where that is kept.

    Attributes
    ----------
    model, optimizer, engine
        As the loop takes them.
    run : mapping
        What the run is (:mod:`bitdoc.training.identity`).
    path : Path or None
        The checkpoint; None keeps nothing.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    engine: Engine
    run: Mapping[str, Any]
    path: Path | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the checkpoint to this run while the block runs; its main process speaks for all."""
        with ExitStack() as stack:
            if self.path and self.engine.is_main:
                stack.enter_context(held(self.path, "trained"))
            yield

    def load(self) -> tuple[int, dict[str, Any]]:
        """Go on from the checkpoint, if there is one; return the step and the log that was kept with it."""
        if not self.path:
            return 0, {}
        start, log = load_checkpoint(self.path, self.model, self.optimizer, self.run, self.engine)
        if self.engine.agree(start) != start:
            raise TrainingError(f"the processes found different checkpoints; all of them must see {self.path}")
        return start, log

    def save(self, step: int, log: Mapping[str, Any]) -> None:
        """Keep the state after ``step`` steps."""
        if self.path and self.engine.is_main:
            save_checkpoint(self.path, self.model, self.optimizer, step, self.run, self.engine, log)


class Session:
    """One training, from the step that was kept to the last; called after each step.

    Parameters
    ----------
    state : State
        What is trained; its checkpoint is taken up.
    steps, batch : int
        Steps in all, and images in each.
    title : str
        Of the progress bar.
    points : int
        Points of the loss curve.
    averaged : bool
        Whether a point is the mean since the last one, or the loss of its step.
    bar : bool, optional
        Whether to show the progress bar; None shows it on a terminal only.
    report : callable
        Called with a line that says that a run was resumed.
    """

    def __init__(
        self,
        state: State,
        steps: int,
        batch: int,
        *,
        title: str,
        points: int,
        averaged: bool,
        bar: bool | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        self.state, self.steps, self.batch, self.averaged = state, steps, batch, averaged
        self.every = max(1, steps // points)
        self.start, log = state.load()
        self.curve: dict[str, list] = log.get("curve", {"step": [], "loss": []})
        self.recent: list[float] = log.get("recent", [])
        self.devices: list[str] = log.get("devices", [])
        self.peak: int | None = log.get("peak")
        self.more: dict[str, Any] = log.get("more", {})  # of whoever trains, kept with the rest
        self.trained = self.before = float(log.get("seconds", 0.0))
        self.done = self.kept = self.start
        self.asked = 0
        if self.start and state.engine.is_main:
            report(f"resumed at step {self.start:,} of {steps:,}")
        hidden = True if not state.engine.is_main else None if bar is None else not bar
        self.bar = tqdm(total=steps, initial=self.start, desc=title, unit="step", disable=hidden, leave=False)
        self._open = ExitStack()

    def __enter__(self) -> Session:
        """Begin to count the time; from now on a signal ends the training after the step under way."""
        self._open.enter_context(self.bar)
        self._open.enter_context(self._signals())
        if self.start < self.steps:
            self.devices = list(dict.fromkeys([*self.devices, runs.environment(self.state.engine.device)["device"]]))
        self.began = self.saved = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bar; leave signals to whom they were left before."""
        self._open.close()

    def __call__(self, step: int, lr: float, loss: float) -> bool:
        """Log a step, and keep the state now and then; return whether the step is a point of the curve."""
        done = self.done = step + 1
        passed = time.monotonic() - self.began
        self.trained = self.before + passed
        rate = self.batch * (done - self.start) / max(passed, 1e-9)  # some clocks stand still for a short step
        self.bar.update()
        self.bar.set_postfix(loss=f"{loss:.3f}", lr=f"{lr:.2g}", images_per_second=f"{rate:.0f}", refresh=False)
        self.recent.append(loss)
        is_point = done % self.every == 0 or (self.averaged and done == self.steps)
        if is_point:
            self.curve["step"].append(done)
            self.curve["loss"].append(round(sum(self.recent) / len(self.recent) if self.averaged else loss, 4))
            self.recent.clear()
        if time.monotonic() - self.saved > KEPT_EVERY:
            self.save(done)
        if self.state.path and (number := self.state.engine.agree(self.asked)):
            self.save(done)
            raise Stopped(self._told("stopped", done), number)
        return is_point

    def save(self, step: int) -> None:
        """Keep the state after ``step`` steps, with the log so far."""
        log = {"curve": self.curve, "recent": self.recent, "seconds": self.trained}
        self.state.save(step, log | {"devices": self.devices, "peak": self._peak(), "more": self.more})
        self.saved, self.kept = time.monotonic(), step

    def _peak(self) -> int | None:
        self.peak = max((x for x in (self.peak, runs.peak_memory(self.state.engine.device)) if x), default=None)
        return self.peak

    def finish(self) -> None:
        """Keep the trained network; nothing if that was done before."""
        if self.kept < self.done or not self.steps:
            self.save(self.done)

    def _told(self, how: str, step: int) -> str:
        if not self.kept:
            return f"{how} at step {step:,}; nothing was kept, and the same command begins anew"
        return (
            f"{how} at step {step:,} of {self.steps:,}; step {self.kept:,} is kept in {self.state.path}, "
            f"and the same command goes on from there"
        )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Note a first signal, to be acted upon between two steps; let a second one stop at once."""
        if not self.state.path or threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, _: object) -> None:
            if self.asked:
                raise Stopped(self._told("stopped", self.done), number)
            self.asked = number
            with suppress(OSError):  # not print, which may be what was interrupted
                os.write(2, b"\nstopping after this step; once more stops at once\n")

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def device(self) -> str:
        """Where the run was made; of a run that went on elsewhere, both."""
        return ", then ".join(self.devices)

    def cost(self) -> dict[str, Any]:
        """Time, speed and memory of the whole run, as a record holds them."""
        return {
            "seconds": round(self.trained, 2),
            "images_per_second": round(self.batch * self.done / self.trained, 1) if self.trained else None,
            "peak_memory_bytes": self._peak(),
        }
