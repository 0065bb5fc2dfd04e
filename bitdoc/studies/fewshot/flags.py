"""What the few-shot command is told: its flags, and the one value they make, checked before anything is read."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bitdoc import data
from bitdoc.network import weights
from bitdoc.studies.fewshot import which_runs
from bitdoc.training import command
from bitdoc.training.engine import PRECISIONS, TrainingError
from bitdoc.training.upstream import Wanted


def arch_of(model: str) -> str:
    """Architecture of a model, or of an architecture alone."""
    return weights.ModelName.parse(model).arch if model.startswith("BiT-") else model


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a sweep to ``parser``."""
    parser.add_argument("--run", action="store_true", help="measure what has no record yet (default: draw only)")
    parser.add_argument("--dry-run", action="store_true", help="print what --run would do")
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare the runs of BiT-S-R50x3 or BiT-M-R50x3 with the published ones; of others, repeat a cached run",
    )
    parser.add_argument(
        "--model",
        type=command.model,
        default=which_runs.SHIPPED,
        help="model, or an architecture alone for random weights",
    )
    parser.add_argument("--method", choices=["fine-tune", "linear-probe"], default="fine-tune")
    parser.add_argument(
        "--shots", type=command.count, nargs="+", help="examples per class (default: those of the figure)"
    )
    parser.add_argument("--seeds", type=command.seed, nargs="+", default=list(which_runs.SEEDS), help="random subsets")
    parser.add_argument("--only", metavar="I/N", help="make only every N-th run, starting from the I-th (1 to N)")
    where = f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)"
    parser.add_argument("--datadir", type=command.path, help=where)
    parser.add_argument(
        "--bit_pretrained_dir", "--bit-pretrained-dir", type=command.path, help="folder with .npz weights"
    )
    parser.add_argument("--batch_split", "--batch-split", type=command.count, help="micro-batches in a step")
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bfloat16 or float16 on CUDA, else float32")
    parser.add_argument("--compile", action="store_true", help="compile the network (pays in long runs)")
    parser.add_argument(
        "--minutes", type=command.rate, help="bound on the pre-training of a BiT-T network without weights"
    )
    parser.add_argument(
        "--grow_from",
        "--grow-from",
        metavar="MODEL",
        type=command.model,
        help="pre-train from these weights, widened, not from random ones; measure both, and random weights",
    )


@dataclass(frozen=True)
class Setup:
    """How runs are made: where their images and weights lie, and what their recipes have unlike the usual ones.

    Attributes
    ----------
    datadir : str, optional
        Folder with CIFAR-10; from here on in full, whatever variables and working folder become.
    directory : str, optional
        Where the weights are looked for first.
    held_out : bool
        Judge on held-out training images instead of the test set, for choices.
    grown : bool
        The recipe of a grown network, its parent, and the same architecture from random weights.
    changes : mapping
        Parts of the recipe that are replaced.
    """

    datadir: str | None = None
    directory: str | None = None
    held_out: bool = False
    grown: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look up where the data are."""
        object.__setattr__(self, "datadir", str(data.data_folder(self.datadir).absolute()))


@dataclass(frozen=True)
class Order:
    """What the command was told; ``todo`` are the runs to make, of all models that were asked for.

    Attributes
    ----------
    datadir, directory : str or None
        Where CIFAR-10 and the weights are looked for first.
    split : int or None
        Micro-batches in a step; None as the recipe says.
    """

    todo: tuple[which_runs.Run, ...]
    model: str
    method: str
    datadir: str | None
    directory: str | None
    precision: str | None
    compile: bool
    minutes: float | None
    grow_from: str | None
    split: int | None
    run: bool
    dry_run: bool
    check: bool

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        for run in self.todo:
            command.check_shots("cifar10", run.shots)
        if self.run or self.dry_run:
            command.check_weights(self.model, self.directory, can_be_made=True)
            _ = self.wanted
            command.check_compiler(self.compile)

    @classmethod
    def of(cls, flags: argparse.Namespace) -> Order:
        """Read the flags of :func:`arguments`.

        Raises
        ------
        Refused
            If they ask for what cannot be done.
        """
        models = [flags.model, *([flags.grow_from, arch_of(flags.model)] if flags.grow_from else [])]
        try:
            experiment = which_runs.GROWN if flags.grow_from else which_runs.EXPERIMENT
            todo = [r for m in models for r in which_runs.plan(m, flags.shots, flags.seeds, flags.method, experiment)]
            return cls(
                todo=tuple(dict.fromkeys(which_runs.part(todo, flags.only))),
                model=flags.model,
                method=flags.method,
                datadir=str(flags.datadir) if flags.datadir else None,
                directory=str(flags.bit_pretrained_dir) if flags.bit_pretrained_dir else None,
                precision=flags.precision,
                compile=flags.compile,
                minutes=flags.minutes,
                grow_from=flags.grow_from,
                split=flags.batch_split,
                run=flags.run,
                dry_run=flags.dry_run,
                check=flags.check,
            )
        except (TrainingError, ValueError) as error:
            raise command.Refused(str(error)) from None

    @property
    def wanted(self) -> Wanted:
        """The weights that the runs start from."""
        return Wanted(self.model, self.directory, self.datadir, self.minutes, self.grow_from)

    @property
    def setup(self) -> Setup:
        """How the runs are made."""
        changes = {"split": self.split} if self.split else {}
        return Setup(self.datadir, self.directory, grown=self.grow_from is not None, changes=changes)
