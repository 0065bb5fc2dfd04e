"""The command ``bitdoc``: flags and messages of its subcommands, and nothing else.

What a subcommand does stands in ``bitdoc.desk``; it is imported when it is needed, so that ``--help`` and the
completion of names in a shell do not wait for PyTorch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

#: What ``bitdoc export`` writes; :data:`bitdoc.exchange.exports.TARGETS` says how.
FORMATS = ("safetensors", "npz", "timm", "transformers", "onnx", "torch.export")

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """Subcommands in the order in which they are used."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names, in the order of their definition."""
        return list(self.commands)


@click.group(cls=_Commands, context_settings=_CONTEXT)
@click.version_option(package_name="bitdoc", message="%(prog)s %(version)s")
def cli() -> None:
    """From a folder of pictures to a classifier in use.

    \b
    bitdoc look my_pictures                  what is there, and what is wrong with it
    bitdoc probe my_pictures                 a classifier in minutes, on any machine
    bitdoc train my_pictures                 a better one: the network itself is trained
    bitdoc compare run-1 run                 which of two is better, and whether it may be luck
    bitdoc predict my_pictures/run new/      what is in new pictures
    bitdoc export my_pictures/run --to onnx  the network for other programs

    my_pictures holds a folder for each class, or train/, val/ and test/ with such folders; a CSV table with the columns
    path and label does as well.
    """  # noqa: D301 - click reads a backspace as "as it stands"


def example(text: str) -> dict[str, Any]:
    """The examples below a subcommand's help, one a line."""
    return {"epilog": "\b\nExamples:\n" + "\n".join(f"  {line.strip()}" for line in text.strip().splitlines())}


_PICTURES = click.argument("pictures", type=click.Path(path_type=Path))


@cli.command(**example("bitdoc look my_pictures\nbitdoc look labels.csv"))
@_PICTURES
def look(pictures: Path) -> int:
    """Say what is in PICTURES: classes, counts, sizes, formats, the split, near-duplicates, and every fault."""
    from bitdoc.desk import look

    result = look.survey(pictures)
    for line in look.text(result):
        click.echo(line)
    return 1 if result.found.faults else 0


def _flags(*groups: list[Callable]) -> Callable[[Callable], Callable]:
    """Add flags to a command, in the order given."""

    def add(command: Callable) -> Callable:
        for flag in reversed([flag for group in groups for flag in group]):
            command = flag(command)
        return command

    return add


def _flag(name: str, field: str = "", **options: Any) -> Callable:
    """A flag that is written with underscores or with dashes; ``field`` is its name in the order, if it is another."""
    return click.option(*dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}")), field or name, **options)


class _Model(click.ParamType):
    """The name of a network; a shell completes those that are known."""

    name = "model"

    def shell_complete(self, context: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
        """Names of published networks and of those that ship with the package."""
        from bitdoc.network import weights

        return [CompletionItem(name) for name in (*weights.shipped(), *weights.PUBLISHED) if name.startswith(begun)]


_COUNT, _SEED, _PATH = click.IntRange(1, 2**31 - 1), click.IntRange(0, 2**63 - 1), click.Path(path_type=Path)
_BOTH = [
    _flag("out", type=_PATH, help="Folder of the run.  [default: PICTURES/run]"),
    _flag(
        "model", type=_Model(), default="BiT-T-R26x0.5", show_default=True, help="To begin with; the hub's names too."
    ),
    _flag("side", type=_COUNT, help="Pictures become squares of this side.  [default: fits model and machine]"),
    _flag("examples_per_class", type=_COUNT, help="Train on so many pictures of each class.  [default: all]"),
    _flag("subsets", type=_COUNT, default=5, help="Subsets of so few that are drawn and compared.  [default: 5]"),
    _flag("seed", type=_SEED, default=0, help="Of all that is drawn at random.  [default: 0]"),
    _flag("weights_dir", type=_PATH, help="Where weights (.npz) may lie already."),
    _flag(
        "precision",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        help="Of the arithmetic; a lower one is quicker where the machine has it.  [default: fits model and machine]",
    ),
    _flag("leave_out", is_flag=True, help="Do without pictures that cannot be read."),
    _flag("dry_run", is_flag=True, help="Say what would be done and how long it takes; do nothing."),
]


@cli.command(
    **example(
        "bitdoc probe my_pictures\nbitdoc probe my_pictures --model BiT-M-R50x1\nbitdoc probe t.csv --out first_run"
    )
)
@_PICTURES
@_flags(_BOTH)
def probe(pictures: Path, **told: Any) -> None:
    """Make a classifier in minutes: a linear head on the features of a network that stays as it is."""
    from bitdoc.desk import bundle, probing
    from bitdoc.desk.order import ProbeOrder

    told["out"] = told["out"] or bundle.place_for(pictures)
    _tell(probing.carry_out(ProbeOrder(pictures, **_from_hub(told)), _say))


def _from_hub(told: dict[str, Any]) -> dict[str, Any]:
    """Let a network that the hub keeps go by bitdoc's name for it."""
    if "/" not in told["model"]:
        return told
    from bitdoc import exchange

    name, folder = exchange.adopt(told["model"])
    return told | {"model": name, "weights_dir": folder}


_TRAIN = [
    _flag(
        "recipe",
        "recipe_name",
        type=click.Choice(["rule", "miniature"]),
        help="BiT-HyperRule, or its miniature for machines without a card.  [default: by machine and model]",
    ),
    _flag("steps", type=_COUNT, help="Steps of the training.  [default: the recipe's]"),
    _flag("batch", type=_COUNT, help="Pictures in a step.  [default: the recipe's]"),
    _flag("base_lr", type=click.FloatRange(0, min_open=True), help="Peak learning rate.  [default: the recipe's]"),
    click.option(
        "--mirror/--no-mirror",
        default=True,
        help="Mirror every other picture; not for signs and text.  [default: mirror]",
    ),
]


@cli.command(
    **example(
        "bitdoc train my_pictures --dry-run\nbitdoc train my_pictures --no-mirror\n"
        "bitdoc train my_pictures --model BiT-M-R50x1 --side 128 --steps 200"
    )
)
@_PICTURES
@_flags(_BOTH, _TRAIN)
def train(pictures: Path, **told: Any) -> None:
    """Make a better classifier: the network itself is fine-tuned, by BiT's rule or by its miniature.

    The last step is kept, or, where there are enough validation pictures, an earlier one that is better beyond luck. A
    training that was stopped goes on when the same command is given again. TensorBoard, if it is installed, gets logs.
    """
    from bitdoc.desk import bundle, tuning
    from bitdoc.desk.order import TrainOrder

    told["out"] = told["out"] or bundle.place_for(pictures)
    _tell(tuning.carry_out(TrainOrder(pictures, **_from_hub(told)), _say))


def _say(line: str) -> None:
    click.echo(line, err=True)


def _tell(run: Path | None) -> None:
    """Say what came of a run, and what to do with it."""
    if run is None:
        return
    from bitdoc.desk.bundle import told

    for line in told(run):
        click.echo(line)


@cli.command(**example("bitdoc compare my_pictures/run-1 my_pictures/run\nbitdoc compare run-1 run-2 run-3 --to json"))
@click.argument("runs", type=_PATH, nargs=-1, required=True)
@_flag("to", type=click.Choice(["table", "json"]), default="table", show_default=True, help="What is printed.")
def compare(runs: tuple[Path, ...], to: str) -> None:
    """Hold RUNS against the first of them, on the same test pictures: accuracies, the difference, and its interval.

    What each said of its test pictures is read from its folder. The interval tells of luck in the choice of those; a
    training with another --seed may differ by as much again.
    """
    from bitdoc.desk import comparison

    for line in comparison.FORMS[to](comparison.compare(runs)):
        click.echo(line)


@cli.command(
    **example(
        "bitdoc predict my_pictures/run new/\nbitdoc predict my_pictures/run a.jpg b.jpg --top 3\n"
        "find . -name '*.png' | bitdoc predict my_pictures/run - --to jsonl"
    )
)
@click.argument("run", type=_PATH)
@click.argument("pictures", nargs=-1, required=True)
@_flag("to", type=click.Choice(["table", "csv", "jsonl"]), default="table", show_default=True, help="What is printed.")
@_flag("top", type=_COUNT, default=1, show_default=True, help="Classes told of each picture, the most probable first.")
def predict(run: Path, pictures: tuple[str, ...], to: str, top: int) -> int:
    """Say what is in PICTURES, by the classifier in RUN: files, folders, patterns, or - for names on standard input."""
    from bitdoc.desk import bundle, predict

    bundle.check_run(run)
    classifier = bundle.load(run)
    names = predict.named(pictures, sys.stdin)
    head, line = predict.FORMS[to](classifier.classes, top)
    faults = 0
    for one in predict.predict(classifier, names if "-" in pictures else list(names), top=top):
        if one.fault:
            _say(f"error: {one.fault}")
            faults += 1
            continue
        if head:
            click.echo(head)
            head = ""
        click.echo(line(one))
    return 1 if faults else 0


@cli.command(
    **example(
        "bitdoc export my_pictures/run --to onnx\nbitdoc export my_pictures/run --to timm --to npz --out away\n"
        "bitdoc export BiT-M-R50x1 --to transformers --out away"
    )
)
@click.argument("run", type=_PATH)
@_flag("to", type=click.Choice(FORMATS), multiple=True, required=True, help="Format; more than one may be named.")
@_flag("out", type=_PATH, help="Folder for what is written.  [default: RUN/export]")
def export(run: Path, to: tuple[str, ...], out: Path | None) -> None:
    """Write the network of RUN for other programs, load it with theirs, and keep it if both compute the same.

    RUN may also be weights by name, a file, or a repository of the hub; --out then says where to.
    """
    from bitdoc import exchange
    from bitdoc.exchange import exports
    from bitdoc.training.command import Refused

    if out is None and not run.is_dir():
        raise Refused(f"{run} is no folder of a run, so --out has to say where to write")
    network, passport = exchange.load(str(run))
    for name in dict.fromkeys(to):
        path, difference = exports.export(network, passport, name, out or run / "export")
        click.echo(f"{path}: loaded again, logits equal to {max(difference, 1e-7):.0e}")
        click.echo(f"  {exports.use(name, path, passport)}")


def _asked(words: list[str]) -> Callable[[], int | None]:
    """What is to be done; errors of the command line become refusals of one line."""

    def work() -> int | None:
        from bitdoc.training.command import Refused

        try:
            return cli.main(words, prog_name="bitdoc", standalone_mode=False)
        except click.ClickException as error:
            raise Refused(f"{' '.join(error.format_message().split())} --help lists what there is") from None
        except click.Abort as abort:  # click's own form of Ctrl-C; what was interrupted may say how it goes on
            cause = abort.__cause__
            raise cause if isinstance(cause, KeyboardInterrupt) else KeyboardInterrupt from None
        except BrokenPipeError:  # who reads has seen enough, as head does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    return work


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 for what failed, 2 for what was refused."""
    words = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if "_BITDOC_COMPLETE" in os.environ or {"-h", "--help", "--version"} & set(words):
        return cli.main(words, prog_name="bitdoc", standalone_mode=False) or 0
    from bitdoc.training import command  # needs PyTorch, for which a shell that completes a name should not wait

    return command.ended(_asked(words), "stopped; the same command begins anew")
