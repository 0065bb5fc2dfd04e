"""How alike the copies of a channel are in a network that was widened: at birth, after the noise, after training on.

Only where training drives the copies apart has the wide network more features than its parent. The measure is
:func:`bitdoc.network.widen.likeness`. It is taken of R50x3, grown from R50x1 with little and with much noise, and
trained on for a fifth of a pass; the parent was trained on as long, at three rates, the network at two.
"""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path

from bitdoc.network import weights
from bitdoc.network.resnet import build
from bitdoc.network.widen import likeness, perturb, widen
from bitdoc.records import runs
from bitdoc.training import command
from bitdoc.training.recipe import Growth, Upstream, growth
from bitdoc.training.upstream import LARGE

EXPERIMENT = "likeness"
#: The parent trained on, as large as it is.
PARENT = replace(LARGE, model="R50x1", phases="32x0.2", base_lr=0.01, grown_from="BiT-T-R50x1", noise=0.0)
PARENTS = tuple(replace(PARENT, base_lr=rate) for rate in (0.003, 0.01, 0.03))
#: R50x3, grown from it.
GROWN = tuple(
    replace(PARENT, model="R50x3", noise=noise, base_lr=rate) for noise, rate in ((0.2, 0.01), (0.5, 0.01), (0.2, 0.03))
)


def measure(name: str, workdir: Path, directory: str | None) -> runs.RunRecord:
    """Measure the network that the pre-training ``name`` grew, and return the record.

    Parameters
    ----------
    name : str
        Of the pre-training's record.
    workdir : Path
        Folder with the weights it ended with.
    directory : str, optional
        Where the parent's weights are looked for first.

    Raises
    ------
    Refused
        If there is no such pre-training, it widened nothing or deepened too (its new blocks are no copies), or the
        weights are not those that it tells of.
    """
    if not runs.exists("pretrain", name):
        raise command.Refused(f"there is no record of a pre-training named {name}; choose one of those that there are")
    told = runs.read_named(runs.path_of("pretrain", name)).setting
    choice = Upstream(**{field.name: told[field.name] for field in fields(Upstream)})
    how = growth(choice.model, choice.grown_from) if choice.grown_from else Growth(1, None)
    if how.factor == 1 or how.depth is not None:
        raise command.Refused(f"{name} has blocks that are no copies; choose a network that was widened and no more")
    command.check_weights(choice.grown_from, directory)
    ends = workdir / f"{name}.npz"
    for file, key in (weights.find(choice.grown_from, directory), "parent_weights_sha256"), (ends, "weights_sha256"):
        if not file.is_file() or weights.sha256(file) != told[key]:
            raise command.Refused(f"{file} holds no weights, or others than {name} tells of; name the folder of those")

    wide = widen(weights.load(choice.grown_from, directory=directory), how.factor)
    found = {"birth": likeness(wide, how.factor)}
    perturb(wide, choice.noise, choice.seed)
    found["noise"] = likeness(wide, how.factor)
    trained = build(choice.model, wide.classes)
    weights.load_into(trained, ends)
    found["end"] = likeness(trained, how.factor)
    kept = ("weights_sha256", "parent_weights_sha256", "grown_from", "noise", "base_lr", "phases")
    return runs.made_now(EXPERIMENT, name, choice.model, {key: told[key] for key in kept}, found)


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(prog="python -m bitdoc.studies.fewshot.likeness", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the record of the pre-training")
    parser.add_argument("--workdir", type=command.path, default=Path("upstream"), help="folder with its weights")
    parser.add_argument(
        "--bit_pretrained_dir", "--bit-pretrained-dir", type=command.path, help="folder with the parent's .npz weights"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Measure one network and write its record; returns the exit status."""

    def work() -> None:
        flags = _parser().parse_args(arguments)
        directory = str(flags.bit_pretrained_dir) if flags.bit_pretrained_dir else None
        record = measure(flags.name, flags.workdir, directory)
        runs.write(record)
        print(", ".join(f"{stage} {value:.3f}" for stage, value in record.result.items()))

    return command.ended(work, "stopped; nothing was written")


if __name__ == "__main__":
    raise SystemExit(main())
