"""What studies share: making the runs that have no record yet, and the command that does so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tqdm import tqdm

from bitdoc.records import runs
from bitdoc.studies.fewshot import which_runs
from bitdoc.training.command import ended


class Planned(Protocol):
    """A run that can be made."""

    @property
    def experiment(self) -> str:
        """Experiment of its record."""

    @property
    def name(self) -> str:
        """Name of its record."""


R = TypeVar("R", bound=Planned)


def sweep(todo: Sequence[R], make: Callable[[R], runs.RunRecord]) -> None:
    """Make those of ``todo`` that have no record yet; write each record at once."""
    missing = [run for run in todo if not runs.exists(run.experiment, run.name)]
    for run in tqdm(missing, desc="sweep", unit="run", disable=None):
        record = make(run)
        runs.write(record)
        tqdm.write(f"{record.experiment}/{record.name}: {record.result['top1']:.2f} % right")


def command(todo: Sequence[R], make: Callable[[R], runs.RunRecord], only: str | None = None) -> int:
    """Make part ``only`` (``"i/n"``) of the plan ``todo``, or all of it; return the exit status."""
    work = lambda: sweep(which_runs.part(list(todo), only), make)  # noqa: E731
    return ended(work, "stopped; the same command goes on where it stopped")
