"""Does training without transfer end too early? Its runs at ten examples, with the rule's 500 steps instead of 100.

After 100 steps the network from random weights does not yet fit its hundred pictures. R26x0.5 is trained five times as
long, on the same subsets; R50x3 would take an hour a run on a processor.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from bitdoc import data
from bitdoc.records import runs
from bitdoc.studies import sweeping
from bitdoc.studies.fewshot import make_runs, which_runs
from bitdoc.studies.fewshot.flags import Setup
from bitdoc.training import command, hyperrule
from bitdoc.training.finetune import Task, finetune

EXPERIMENT = "few-shot-longer"
MODEL, SHOTS = "R26x0.5", 10


def plan() -> list[which_runs.Run]:
    """The runs, a subset each."""
    return which_runs.plan(MODEL, [SHOTS], experiment=EXPERIMENT)


def make(run: which_runs.Run, datadir: str | None) -> runs.RunRecord:
    """Make one run and return its record."""
    setup = Setup(datadir, changes={"schedule": hyperrule.get_schedule(SHOTS * len(data.CIFAR10_CLASSES))})
    train, test = (make_runs.cifar10(setup.datadir, split) for split in ("train", "test"))
    recipe = make_runs.recipe_for(run, train, setup)
    ready = make_runs.resized_test(setup.datadir, recipe, held_out=False)
    task = replace(Task.choose(train, test, run.shots, run.seed), ready=ready)
    return finetune(run.model, task, recipe, experiment=EXPERIMENT, run=run.name, seed=run.seed)[1]


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(prog="python -m bitdoc.studies.fewshot.longer", description=__doc__.splitlines()[0])
    where = f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)"
    parser.add_argument("--datadir", type=command.path, help=where)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Make the runs that have no record yet; returns the exit status."""

    def work() -> None:
        flags = _parser().parse_args(arguments)
        datadir = str(flags.datadir) if flags.datadir else None
        sweeping.sweep(plan(), lambda run: make(run, datadir))

    return command.ended(work, "stopped; the same command goes on where it stopped")


if __name__ == "__main__":
    raise SystemExit(main())
