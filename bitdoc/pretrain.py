"""Pre-train upstream: ``python -m bitdoc.pretrain --dataset tiny-imagenet --datadir DIR --model R26x0.5``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from bitdoc import data
from bitdoc.records import runs
from bitdoc.training.engine import Engine, TrainingError
from bitdoc.training.pretrain import export, pretrain
from bitdoc.training.recipe import Upstream


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bitdoc.pretrain", description=__doc__)
    for name, default in asdict(Upstream()).items():
        if isinstance(default, bool):
            parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(f"--{name}", type=type(default), default=default, help=f"default: {default}")
    parser.add_argument("--datadir", help=f"folder with the data set (default: {data.DATA_VARIABLE}, else ./data)")
    parser.add_argument("--workdir", type=Path, default=Path("upstream"), help="checkpoints and weights go here")
    parser.add_argument("--bit_pretrained_dir", help="folder with the .npz weights to grow from")
    parser.add_argument("--compile", action="store_true", help="compile the network (faster after a minute or two)")
    parser.add_argument("--export", metavar="NAME", help="ship the weights with the package, as BiT-T-... in float16")
    flags = vars(parser.parse_args(arguments))
    datadir, workdir, compiled, name = (flags.pop(name) for name in ("datadir", "workdir", "compile", "export"))
    directory = flags.pop("bit_pretrained_dir")
    choice = Upstream(**flags)
    try:
        if name and runs.exists("pretrain", choice.tag):
            score = export(choice, name, datadir, workdir)
        else:
            engine = Engine.start(compiled=compiled)
            _, score = pretrain(choice, datadir, workdir, engine=engine, directory=directory)
            engine.finish()
            if name:
                score = export(choice, name, datadir, workdir)
    except (TrainingError, ValueError, OSError, torch.OutOfMemoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    print(f"validation: top-1 {score.top1:.2f} %, top-5 {score.top5:.2f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
