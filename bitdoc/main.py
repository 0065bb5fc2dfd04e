"""The command ``bitdoc``: flags and messages of its subcommands, and nothing else.

What a subcommand does stands in :mod:`bitdoc.desk`; it is imported when it is needed, so that ``--help`` and the
completion of names in a shell do not wait for PyTorch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

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
    bitdoc predict my_pictures/run new/      what is in new pictures

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


def _asked(words: list[str]) -> Callable[[], int | None]:
    """What is to be done; errors of the command line become refusals of one line."""

    def work() -> int | None:
        from bitdoc.training.command import Refused

        try:
            return cli.main(words, prog_name="bitdoc", standalone_mode=False)
        except click.ClickException as error:
            raise Refused(f"{' '.join(error.format_message().split())} --help lists what there is") from None
        except click.Abort:
            raise KeyboardInterrupt from None

    return work


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 for what failed, 2 for what was refused."""
    words = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if "_BITDOC_COMPLETE" in os.environ or {"-h", "--help", "--version"} & set(words):
        return cli.main(words, prog_name="bitdoc", standalone_mode=False) or 0
    from bitdoc.training import command  # needs PyTorch, for which a shell that completes a name should not wait

    return command.ended(_asked(words), "stopped; the same command begins anew")
