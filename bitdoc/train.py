"""Fine-tune BiT from the command line: ``python -m bitdoc.train --name run --model BiT-M-R50x1 ...``.

The flags are those of the official ``bit_pytorch.train`` (dashes are accepted for underscores); the two that the
official PyTorch code parses and ignores, ``--bit_pretrained_dir`` and ``--examples_per_class_seed``, work here.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

import torch

from bitdoc import data
from bitdoc.network.resnet import architecture
from bitdoc.network.weights import ModelName
from bitdoc.records import runs
from bitdoc.training.engine import PRECISIONS
from bitdoc.training.finetune import Engine, Task, finetune, rule
from bitdoc.training.loop import TrainingError

log = logging.getLogger("bitdoc")

_FLAGS: dict[str, dict[str, Any]] = {
    "name": {"required": True, "help": "name of this run; logs and checkpoints go to LOGDIR/NAME"},
    "model": {"required": True, "help": "BiT-M-R50x1 and so on, or an architecture alone (R26x0.5) for random weights"},
    "logdir": {"required": True, "type": Path, "help": "where to log"},
    "bit_pretrained_dir": {"default": ".", "help": "where the .npz weights may lie already (default: here)"},
    "dataset": {"required": True, "help": "cifar10, cifar100, tiny-imagenet, imagenet2012, or folder"},
    "examples_per_class": {"type": int, "help": "few-shot: images of each class (default: the whole training set)"},
    "examples_per_class_seed": {"type": int, "default": 0, "help": "seed of the few-shot choice (default: 0)"},
    "batch": {"type": int, "default": 512, "help": "images in a step (default: 512)"},
    "batch_split": {"type": int, "default": 1, "help": "micro-batches in a step; more need less memory (default: 1)"},
    "base_lr": {"type": float, "default": 0.003, "help": "peak learning rate (default: 0.003)"},
    "eval_every": {"type": int, "help": "steps between evaluations (default: only at the end)"},
    "datadir": {"help": f"folder with the data (default: {data.DATA_VARIABLE}, else ./data)"},
    "workers": {"type": int, "default": 8, "help": "threads that decode images (default: 8)"},
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bitdoc.train", description=__doc__.split("\n\n")[0])
    for name, options in _FLAGS.items():
        spellings = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
        parser.add_argument(*spellings, dest=name, **options)
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bfloat16 or float16 on CUDA, else float32")
    parser.add_argument("--compile", action="store_true", help="compile the network (pays in long runs)")
    parser.add_argument("--no-save", "--no_save", dest="save", action="store_false", help="keep no checkpoint")
    return parser


def _check_model(name: str) -> None:
    if name.startswith("BiT-"):
        ModelName.parse(name)
    else:
        architecture(name)


def _log_to(folder: Path) -> None:
    """Log to ``folder/train.log`` and to standard error; of several processes, only the main one does."""
    folder.mkdir(parents=True, exist_ok=True)
    log.setLevel(logging.DEBUG)
    log.handlers.clear()
    to_file = logging.FileHandler(folder / "train.log", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    to_screen = logging.StreamHandler()
    to_screen.setLevel(logging.INFO)
    for handler in (to_file, to_screen):
        log.addHandler(handler)


def run(flags: argparse.Namespace) -> runs.RunRecord:
    """Fine-tune as the flags say and write the run record ``LOGDIR/NAME/run.json``."""
    _check_model(flags.model)  # before any data is read or downloaded
    folder = flags.logdir / flags.name
    engine = Engine.start(precision=flags.precision, compiled=flags.compile)
    with engine.main_first():
        train = data.load(flags.dataset, "train", flags.datadir, flags.workers)
        test = data.load(flags.dataset, "test", flags.datadir, flags.workers)
    task = Task.choose(train, test, flags.examples_per_class, flags.examples_per_class_seed)
    changes = {"batch": flags.batch, "split": flags.batch_split, "base_lr": flags.base_lr}
    recipe = rule(len(task.train), train.size, **changes)
    if engine.is_main:
        _log_to(folder)
    images = f"{len(task.train)} training and {len(test)} test images"
    log.info("%s on %s: %s, on %s in %s", flags.model, train.name, images, engine.device, engine.precision)
    log.info("%s", recipe)
    _, record = finetune(
        flags.model,
        task,
        recipe,
        experiment="train",
        run=flags.name,
        seed=flags.examples_per_class_seed,
        directory=flags.bit_pretrained_dir,
        engine=engine,
        checkpoint=folder / "bit.pt" if flags.save else None,
        eval_every=flags.eval_every,
        progress=True,
    )
    if engine.is_main:
        log.info("record: %s", runs.write(record, folder / "run.json"))
    engine.finish()
    return record


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    flags = parser().parse_args(arguments)
    try:
        run(flags)
    except (ValueError, OSError, TrainingError, torch.OutOfMemoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
