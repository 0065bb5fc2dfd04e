"""Fine-tune BiT from the command line: ``python -m bitdoc.train --name run --model BiT-M-R50x1 ...``.

The flags are those of the official ``bit_pytorch.train`` (dashes are accepted for underscores); the two that the
official PyTorch code parses and ignores, ``--bit_pretrained_dir`` and ``--examples_per_class_seed``, work here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitdoc import data
from bitdoc.records import runs
from bitdoc.training import command, identity
from bitdoc.training.engine import PRECISIONS
from bitdoc.training.finetune import Engine, Job, Task, carry_out, chosen, rule

log = logging.getLogger("bitdoc")

_FLAGS: dict[str, dict[str, Any]] = {
    "name": {"required": True, "type": command.run_name, "help": "name of this run; all it makes goes to LOGDIR/NAME"},
    "model": {
        "required": True,
        "type": command.model,
        "help": "BiT-M-R50x1 and so on, or an architecture alone (R26x0.5) for random weights",
    },
    "logdir": {"required": True, "type": command.path, "help": "where to log"},
    "bit_pretrained_dir": {
        "type": command.path,
        "default": Path(),
        "help": "where the .npz weights may lie already (default: here)",
    },
    "dataset": {
        "required": True,
        "type": command.dataset,
        "help": "cifar10, cifar100, tiny-imagenet, imagenet2012, or folder",
    },
    "examples_per_class": {
        "type": command.count,
        "help": "few-shot: images of each class (default: the whole training set)",
    },
    "examples_per_class_seed": {"type": command.seed, "default": 0, "help": "seed of the few-shot choice (default: 0)"},
    "batch": {"type": command.count, "default": 512, "help": "images in a step (default: 512)"},
    "batch_split": {
        "type": command.count,
        "default": 1,
        "help": "micro-batches in a step; more need less memory (default: 1)",
    },
    "base_lr": {"type": command.rate, "default": 0.003, "help": "peak learning rate (default: 0.003)"},
    "eval_every": {"type": command.count, "help": "steps between evaluations (default: only at the end)"},
    "datadir": {"type": command.path, "help": f"folder with the data (default: {data.DATA_VARIABLE}, else ./data)"},
    "workers": {
        "type": command.count,
        "default": 8,
        "help": "threads that decode large sets (default: 8)",
    },
}


@dataclass(frozen=True)
class Order:
    """What the command was told, checked as far as it can be before anything is read; fields are the flags'."""

    name: str
    model: str
    logdir: Path
    bit_pretrained_dir: Path
    dataset: str
    examples_per_class: int | None
    examples_per_class_seed: int
    batch: int
    batch_split: int
    base_lr: float
    eval_every: int | None
    datadir: Path | None
    workers: int
    precision: str | None
    compile: bool
    save: bool

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if self.batch % self.batch_split:
            raise command.Refused(
                f"a batch of {self.batch} cannot be split in {self.batch_split}; choose a divisor of the batch"
            )
        command.check_writable(self.folder)
        command.check_shots(self.dataset, self.examples_per_class)
        command.check_weights(self.model, self.bit_pretrained_dir)
        command.check_compiler(self.compile)

    @property
    def folder(self) -> Path:
        """Where the log, the checkpoint and the record go."""
        return self.logdir / self.name

    @property
    def kept(self) -> Path | None:
        """Where the state is kept, if it is to be."""
        return self.folder / "bit.pt" if self.save else None


def parser() -> command.Parser:
    """The command line."""
    parser = command.Parser(prog="python -m bitdoc.train", description="Fine-tune BiT from the command line.")
    for name, options in _FLAGS.items():
        spellings = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
        parser.add_argument(*spellings, dest=name, **options)
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bfloat16 or float16 on CUDA, else float32")
    parser.add_argument("--compile", action="store_true", help="compile the network (pays in long runs)")
    parser.add_argument("--no-save", "--no_save", dest="save", action="store_false", help="keep no checkpoint")
    return parser


@contextmanager
def _logged_to(folder: Path) -> Iterator[None]:
    """Log to ``folder/train.log`` and to standard error while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(folder / "train.log", encoding="utf-8", errors="backslashreplace")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    to_screen = logging.StreamHandler()
    to_screen.setLevel(logging.INFO)
    before = log.level
    log.setLevel(logging.DEBUG)
    for handler in (to_file, to_screen):
        log.addHandler(handler)
    try:
        yield
    finally:
        log.setLevel(before)
        for handler in (to_file, to_screen):
            log.removeHandler(handler)
            handler.close()


def _prepared(order: Order, engine: Engine) -> Job:
    """Read the data and the weights, and find the recipe."""
    with engine.main_first():
        train, test = (data.load(order.dataset, split, order.datadir, order.workers) for split in ("train", "test"))
    task = Task.choose(train, test, order.examples_per_class, order.examples_per_class_seed)
    recipe = rule(len(task.train), train.size, batch=order.batch, split=order.batch_split, base_lr=order.base_lr)
    return Job.prepare(
        order.model,
        task,
        recipe,
        seed=order.examples_per_class_seed,
        directory=str(order.bit_pretrained_dir),
        engine=engine,
        chosen=chosen(task, recipe),
    )


def _made_before(job: Job, file: Path) -> runs.RunRecord | None:
    """The record of the very same run; refuses to put one run's record in the place of another's."""
    if not file.is_file():
        return None
    record = runs.read(file)
    identity.refuse_other(identity.told_by(record), job.run, file, "name this run otherwise, or remove the record")
    return record


def run(order: Order) -> runs.RunRecord:
    """Fine-tune as told and write the run record ``LOGDIR/NAME/run.json``; one that is there already is left alone."""
    engine = Engine.start(precision=order.precision, compiled=order.compile)
    job, file = _prepared(order, engine), order.folder / "run.json"
    made = _made_before(job, file)
    with _logged_to(order.folder) if engine.is_main else nullcontext():  # of several processes, only the main one
        if made:
            result = made.result["top1"]
            log.info("this run was made before, top-1 %s %%; its record is left alone: %s", result, file)
        else:
            made = _make(order, job, file)
    engine.finish()
    return made


def _make(order: Order, job: Job, file: Path) -> runs.RunRecord:
    images = f"{len(job.task.train)} training and {len(job.task.test)} test images"
    engine = job.engine
    log.info("%s on %s: %s, on %s in %s", job.name, job.task.train.name, images, engine.device, engine.precision)
    log.info("%s", job.recipe)
    _, record = carry_out(job, "train", order.name, checkpoint=order.kept, eval_every=order.eval_every)
    if engine.is_main:
        log.info("record: %s", runs.write(record, file))
    return record


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return command.carried_out(lambda: Order(**vars(parser().parse_args(arguments))), run)


if __name__ == "__main__":
    sys.exit(main())
