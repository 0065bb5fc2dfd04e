"""Pre-train upstream: ``python -m bitdoc.pretrain --dataset tiny-imagenet --datadir DIR --model R26x0.5``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bitdoc import data
from bitdoc.records import runs
from bitdoc.training import command
from bitdoc.training.engine import Engine, TrainingError
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
    compile: bool
    export: str | None

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        runs.checked_name(self.choice.tag)
        if self.export:
            check_export(self.choice, self.export)
        if self.choice.grown_from:
            command.check_weights(self.choice.grown_from, self.directory)
        command.check_compiler(self.compile)

    @classmethod
    def of(cls, flags: argparse.Namespace) -> Order:
        """Read the flags of :func:`parser`; errors are those of what they choose, as one refusal."""
        told = vars(flags)
        own = {name: told.pop(name) for name in ("datadir", "workdir", "directory", "compile", "export")}
        try:
            return cls(Upstream(**told), **own)
        except (TrainingError, ValueError) as error:
            raise command.Refused(str(error)) from None


def parser() -> command.Parser:
    """The command line."""
    parser = command.Parser(prog="python -m bitdoc.pretrain", description="Pre-train upstream, and keep the weights.")
    for name, default in asdict(Upstream()).items():
        if isinstance(default, bool):
            parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=default)
        else:
            kind = _KINDS.get(name, type(default))
            parser.add_argument(f"--{name}", type=kind, default=default, help=f"default: {default or 'none'}")
    where = f"folder with the data set (default: {data.DATA_VARIABLE}, else ./data)"
    parser.add_argument("--datadir", type=command.path, help=where)
    parser.add_argument(
        "--workdir", type=command.path, default=Path("upstream"), help="checkpoints and weights go here"
    )
    parser.add_argument(
        "--bit_pretrained_dir", dest="directory", type=command.path, help="folder with the .npz weights to grow from"
    )
    parser.add_argument("--compile", action="store_true", help="compile the network (faster after a minute or two)")
    parser.add_argument("--export", metavar="NAME", help="ship the weights with the package, as BiT-T-... in float16")
    return parser


def run(order: Order) -> None:
    """Pre-train as told, or ship what was pre-trained, and print the score."""
    engine = Engine.start(compiled=order.compile)
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
    told: list[Order] = []

    def work() -> None:
        told.append(Order.of(parser().parse_args(arguments)))
        run(told[0])

    def stopped() -> str:
        kept = told and told[0].workdir / f"{told[0].choice.tag}.pt"
        if kept and kept.exists():
            return f"stopped; the same command goes on from {kept}"
        return "stopped before anything was kept; the same command begins anew"

    return command.ended(work, stopped)


if __name__ == "__main__":
    sys.exit(main())
