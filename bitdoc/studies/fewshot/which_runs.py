"""The runs of Fig. 6 as records: which there are to make, which are made, which may be compared."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bitdoc.literature import published
from bitdoc.network import weights
from bitdoc.records import runs
from bitdoc.training import identity
from bitdoc.training.engine import TrainingError

EXPERIMENT = "few-shot-cifar10"
#: Grown networks, their parents, and random weights by the same recipe, the smallest: these runs are their own study.
GROWN = "few-shot-grown"
SHOTS = (1, 2, 5, 10)
#: Two numbers more for the shipped network and its architecture alone, whose runs take under a minute.
MORE_SHOTS = (1, 2, 3, 5, 7, 10)
SHIPPED = "BiT-T-R26x0.5"
SEEDS = (0, 1, 2, 3, 4)
#: What runs must share to stand on one line, or to be compared with published ones.
COMPARABLE = (
    *("model", "method", "dataset", "encoding", "test_split", "test_images", "resize", "crop", "interpolation"),
    *("schedule", "batch", "base_lr", "mixup", "penalty", "precision", "weights_sha256", "test_digest"),
)


@dataclass(frozen=True)
class Run:
    """One point of Fig. 6: a model, a way to adapt it, examples per class, and the seed of the random subset."""

    model: str
    method: str
    shots: int
    seed: int
    experiment: str = EXPERIMENT

    @property
    def name(self) -> str:
        """Name of the record."""
        return f"{self.model}_{self.method}_{self.shots}_{self.seed}"

    @property
    def path(self) -> Path:
        """Place of the record."""
        return runs.path_of(self.experiment, self.name)


def plan(model: str, shots=None, seeds=SEEDS, method: str = "fine-tune", experiment: str = EXPERIMENT) -> list[Run]:
    """All runs of a model, fewest examples first; ``shots=None`` for those that its figure shows."""
    shots = shots or (MORE_SHOTS if model in (SHIPPED, SHIPPED.removeprefix("BiT-T-")) else SHOTS)
    return [Run(model, method, k, seed, experiment) for k, seed in itertools.product(shots, seeds)]


def part(todo: list[Any], only: str | None) -> list[Any]:
    """Every n-th run, for ``only="i/n"``; all of them for None."""
    if only is None:
        return todo
    try:
        first, count = (int(number) for number in only.split("/"))
        if not 1 <= first <= count:
            raise ValueError
    except ValueError:
        raise TrainingError(f"cannot read --only {only!r}; expected i/n with 1 <= i <= n, such as 2/8") from None
    return todo[first - 1 :: count]


def done(run: Run) -> bool:
    """Whether a run has its record. A damaged one is named and put aside, and the run counts as not made."""
    return run.path.exists() and is_sound(run.path)


def is_sound(path: Path) -> bool:
    """Whether a record can be read; if not, put it aside."""
    try:
        return bool(runs.read_named(path))
    except runs.RecordError as error:
        if isinstance(error.__cause__, OSError):
            raise  # it cannot be read now, which says nothing of what it holds
        with suppress(FileNotFoundError):  # another sweep put it aside
            path.replace(path.with_suffix(".damaged"))
        tqdm.write(f"warning: {error}; kept as {path.stem}.damaged, so that the run can be made again")
        return False


def can_be_read(run: Run) -> bool:
    """What :func:`done` will say, leaving a damaged record where it is."""
    try:
        return runs.exists(run.experiment, run.name)
    except runs.RecordError:
        return False


def check_lines() -> None:
    """Refuse records that cannot be drawn: damaged ones, and those that differ where a line joins them."""
    for experiment in (EXPERIMENT, GROWN):
        for records in runs.group(runs.load(experiment), lambda r: (r.model, r.setting["method"])).values():
            runs.require_same(records, *COMPARABLE)


def check_against_records(todo: Iterable[Run], asked: Callable[[Run], dict[str, Any]]) -> None:
    """Hold runs that are asked for against the records that are there.

    Parameters
    ----------
    asked : callable
        What is known of a run before it is made, in the words of a record's setting.

    Raises
    ------
    TrainingError
        If a run that counts as done was made otherwise, or one to be made could not stand on one line with others.
    """
    todo = list(todo)
    paths = [path for experiment in dict.fromkeys(run.experiment for run in todo) for path in runs.paths(experiment)]
    sound = {path: record for path in paths if (record := _if_sound(path))}
    for run in todo:
        told, own = asked(run), run.path
        for path, record in sound.items():
            same_line = (record.model, record.setting["method"]) == (run.model, run.method)
            there = {key: runs.lookup(record, key) for key in told if key in record.setting or key == "precision"}
            if path == own:  # made; its precision is its own, as long as the whole line has it
                there.pop("precision", None)
            if path == own or (same_line and own not in sound):
                where = path if path == own else f"the line that {run.name} would join ({path})"
                identity.refuse_other(there, told, where, identity.ASIDE)


def _if_sound(path: Path) -> runs.RunRecord | None:
    try:
        return runs.read_named(path)
    except runs.RecordError:
        return None


def compare(model: str) -> tuple[list[str], bool]:
    """Hold the recorded runs of BiT-S-R50x3 or BiT-M-R50x3 against the five published ones.

    Returns
    -------
    (list of str, bool)
        A line for each number of examples, and whether every median is one of five runs or more and lies within the
        published spread.

    Raises
    ------
    RecordError
        If there are no runs to compare, they differ in their settings, or none are published for ``model``.
    """
    name = weights.ModelName.parse(model) if model.startswith("BiT-") else None
    if name is None or name.arch != "R50x3" or name.upstream == "T":
        raise runs.RecordError(f"no few-shot runs of {model} are published; there are those of BiT-S- and BiT-M-R50x3")
    records = runs.load(EXPERIMENT, model=model, method="fine-tune")
    runs.require_same(records, *COMPARABLE)
    here, lines, inside = runs.group(records, "examples_per_class"), [], True
    for shots, by_upstream in published.FIG6_R50X3_RUNS.values.items():
        five, ours = by_upstream[name.upstream], [r.result["top1"] for r in here.get(shots, [])]
        known = f"published {statistics.median(five)} % ({min(five)} to {max(five)})"
        if ours:
            fits = min(five) <= statistics.median(ours) <= max(five)
            too_few = f"only {len(ours)} of {len(five)} runs"
            verdict = too_few if len(ours) < len(five) else "inside" if fits else "OUTSIDE"
            spread = f"{statistics.median(ours):.1f} % ({min(ours):.1f} to {max(ours):.1f}), {len(ours)} runs"
            lines.append(f"{shots} per class: median {spread}; {known}: {verdict}")
            inside = inside and verdict == "inside"
    if not lines:
        raise runs.RecordError(f"there are no runs of {model} at 1 or 5 examples per class yet; make them with --run")
    return lines, inside


def medians(records: list[runs.RunRecord]) -> dict[int, float]:
    """Median top-1 accuracy in percent at each number of examples per class."""
    by_shots = runs.group(records, "examples_per_class")
    return {shots: statistics.median(r.result["top1"] for r in group) for shots, group in by_shots.items()}
