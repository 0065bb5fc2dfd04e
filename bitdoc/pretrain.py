"""Pre-train upstream: ``python -m bitdoc.pretrain --dataset tiny-imagenet --datadir DIR --model R26x0.5``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bitdoc import data
from bitdoc.records import runs
from bitdoc.training import command
from bitdoc.training.engine import PRECISIONS, Engine, TrainingError
from bitdoc.training.grow import check_records
from bitdoc.training.pretrain import check_export, export, pretrain
from bitdoc.training.recipe import Upstream

#: What the texts and paths among the flags are, where they are more than text.
_KINDS = {"dataset": command.dataset, "model": command.model, "seed": command.seed, "batch": command.count}


@dataclass(frozen=True)
class Order:
    """What the command was told, checked as far as it can be before anything is read."""

    choice: Upstream
    datadir: Path | None
    workdir: Path
    directory: Path | None
    precision: str | None
    compile: bool
    export: str | None

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        runs.checked_name(self.choice.tag)
        command.check_writable(self.workdir)
        if self.export:
            check_export(self.choice, self.export)
        if self.choice.grown_from:
            command.check_weights(self.choice.grown_from, self.directory)
            check_records(self.choice, self.directory)
        command.check_compiler(self.compile)

    @property
    def kept(self) -> Path:
        """Where the state is kept."""
        return self.workdir / f"{self.choice.tag}.pt"

    @classmethod
    def of(cls, flags: argparse.Namespace) -> Order:
        """Read the flags of :func:`parser`; errors are those of what they choose, as one refusal."""
        told = vars(flags)
        own = {name: told.pop(name) for name in ("datadir", "workdir", "directory", "precision", "compile", "export")}
        try:
            return cls(Upstream(**told), **own)
        except (TrainingError, ValueError) as error:
            raise command.Refused(str(error)) from None


def parser() -> command.Parser:
    """The command line."""
    parser = command.Parser(prog="python -m bitdoc.pretrain", description="Pre-train upstream, and keep the weights.")
    for name, default in asdict(Upstream()).items():
        flags = (name, "grow_from") if name == "grown_from" else (name,)  # the latter, as the few-shot command has it
        spellings = dict.fromkeys(f"--{flag.replace('_', mark)}" for flag in flags for mark in "_-")
        if isinstance(default, bool):
            parser.add_argument(*spellings, dest=name, action=argparse.BooleanOptionalAction, default=default)
        else:
            kind, told = _KINDS.get(name, type(default)), f"default: {default or 'none'}"
            parser.add_argument(*spellings, dest=name, type=kind, default=default, help=told)
    where = f"folder with the data set (default: {data.DATA_VARIABLE}, else ./data)"
    parser.add_argument("--datadir", type=command.path, help=where)
    parser.add_argument(
        "--workdir", type=command.path, default=Path("upstream"), help="checkpoints and weights go here"
    )
    parser.add_argument(
        "--bit_pretrained_dir",
        "--bit-pretrained-dir",
        dest="directory",
        type=command.path,
        help="folder with the .npz weights to grow from",
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bfloat16 or float16 on CUDA, else float32")
    parser.add_argument("--compile", action="store_true", help="compile the network (faster after a minute or two)")
    parser.add_argument("--export", metavar="NAME", help="ship the weights with the package, as BiT-T-... in float16")
    return parser


def run(order: Order) -> None:
    """Pre-train as told, or ship what was pre-trained, and print the score."""
    engine = Engine.start(precision=order.precision, compiled=order.compile)
    datadir, directory = (str(path) if path else None for path in (order.datadir, order.directory))
    _, score = pretrain(order.choice, datadir, order.workdir, engine=engine, directory=directory)
    engine.finish()
    if not engine.is_main:
        return
    if order.export:
        score = export(order.choice, order.export, datadir, order.workdir)
    print(f"validation: top-1 {score.top1:.2f} %, top-5 {score.top5:.2f} %")


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    return command.carried_out(lambda: Order.of(parser().parse_args(arguments)), run)


if __name__ == "__main__":
    sys.exit(main())
