"""What the short rule costs: the miniature with other numbers of steps, and at other resolutions.

The official code gives a task of 50 pictures 500 steps at 128 pixels, the miniature 100 steps at 64. One of the two is
changed at a time. Accuracy is judged on CIFAR-10 training pictures held out for choices, never on the test set.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from bitdoc import data
from bitdoc.records import runs
from bitdoc.studies import sweeping
from bitdoc.studies.fewshot import make_runs, which_runs
from bitdoc.studies.fewshot.flags import Setup
from bitdoc.training import command, hyperrule
from bitdoc.training.engine import PRECISIONS, Engine
from bitdoc.training.finetune import Task, finetune
from bitdoc.training.recipe import Recipe, miniature

EXPERIMENT = "few-shot-short-rule"
SHOTS = 5
CLASSES = len(data.CIFAR10_CLASSES)
STEPS, SIDES = (25, 100, 500), (32, 64, 96, 128)
#: The miniature's own.
USUAL_STEPS, USUAL_SIDE = miniature(SHOTS * CLASSES).schedule[-1], miniature(SHOTS * CLASSES).crop


@dataclass(frozen=True)
class Run:
    """One fine-tuning: number of steps, side of the pictures in pixels, and the seed of the subset."""

    steps: int
    side: int
    seed: int
    model: str = which_runs.SHIPPED

    experiment = EXPERIMENT

    @property
    def name(self) -> str:
        """Name of the record."""
        return f"{self.model}_{self.steps}_{self.side}_{self.seed}"

    @property
    def recipe(self) -> Recipe:
        """The miniature, with the rule's schedule in so many steps."""
        whole = hyperrule.get_schedule(SHOTS * CLASSES)
        schedule = tuple(step * self.steps // whole[-1] for step in whole)
        return miniature(SHOTS * CLASSES, schedule=schedule, resize=self.side, crop=self.side)


def plan(model: str = which_runs.SHIPPED) -> list[Run]:
    """All runs: every number of steps at the usual side, every side at the usual number of steps."""
    settings = [(steps, USUAL_SIDE) for steps in STEPS] + [(USUAL_STEPS, side) for side in SIDES]
    return [Run(*setting, seed, model) for seed in which_runs.SEEDS for setting in dict.fromkeys(settings)]


def make(run: Run, setup: Setup, engine: Engine | None = None) -> runs.RunRecord:
    """Make one run and return its record."""
    train, held_out = make_runs.held_out_split(setup.datadir)
    ready = make_runs.resized_test(setup.datadir, run.recipe, held_out=True)
    task = replace(Task.choose(train, held_out, SHOTS, run.seed), ready=ready)
    return finetune(
        run.model,
        task,
        run.recipe,
        experiment=EXPERIMENT,
        run=run.name,
        seed=run.seed,
        directory=setup.directory,
        engine=engine,
    )[1]


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(prog="python -m bitdoc.studies.fewshot.short_rule", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=command.model, default=which_runs.SHIPPED, help="pre-trained model")
    where = f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)"
    parser.add_argument("--datadir", type=command.path, help=where)
    parser.add_argument(
        "--bit_pretrained_dir", "--bit-pretrained-dir", type=command.path, help="folder with .npz weights"
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bfloat16 or float16 on CUDA, else float32")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Make the runs that have no record yet; returns the exit status."""

    def work() -> None:
        flags = _parser().parse_args(arguments)
        datadir, directory = (str(path) if path else None for path in (flags.datadir, flags.bit_pretrained_dir))
        command.check_weights(flags.model, directory)
        setup, engine = Setup(datadir, directory), Engine.start(precision=flags.precision)
        sweeping.sweep(plan(flags.model), lambda run: make(run, setup, engine))

    return command.ended(work, "stopped; the same command goes on where it stopped")


if __name__ == "__main__":
    raise SystemExit(main())
