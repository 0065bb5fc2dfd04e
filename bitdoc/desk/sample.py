"""Pictures to try the command on: a folder as a user has it, made of photographs that ship with the package.

``python -m bitdoc.desk.sample`` makes ``my_pictures/`` and ``new/`` in the working folder. The photographs are of
CIFAR-10, those of the few-shot learner (:mod:`bitdoc.studies.fewshot.ten_pictures`), 32 pixels wide.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from PIL import Image

from bitdoc.studies.fewshot import ten_pictures
from bitdoc.training import command

CLASSES = ("airplane", "bird", "cat", "ship", "truck")
#: Which picture of each class goes to ``new/``.
NEW = 30


def make(folder: Path) -> Path:
    """Make ``folder/my_pictures/<class>/<number>.png``, 39 of each class, and ``folder/new/``, one of each.

    Raises
    ------
    Refused
        If one of the two is there already.
    """
    for name in ("my_pictures", "new"):
        if (folder / name).exists():
            raise command.Refused(f"{folder / name} is there already; name another folder")
    kept = ten_pictures.read()
    labels, pixels = kept.labels, kept.pictures()
    (folder / "new").mkdir(parents=True)
    for place, name in enumerate(CLASSES, 1):
        (folder / "my_pictures" / name).mkdir(parents=True)
        for number, picture in enumerate(pixels[labels == kept.classes.index(name)]):
            inside = folder / "my_pictures" / name / f"{number:02d}.png"
            Image.fromarray(picture).save(folder / "new" / f"{place}.png" if number == NEW else inside)
    return folder / "my_pictures"


@cache
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="bitdoc-", ignore_cleanup_errors=True)


def enter() -> None:
    """Go to a folder of its own for this process, with the pictures in it and a cache that nobody else has."""
    folder = Path(_scratch().name)
    os.environ["BITDOC_CACHE"] = str(folder / "cache")
    os.chdir(folder)
    if not (folder / "my_pictures").exists():
        make(folder)


def shown(line: str) -> None:
    """Run a command line that begins with ``bitdoc`` in a process of its own, and print all that it says."""
    words = [sys.executable, "-m", *shlex.split(line)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=True)
    print(done.stdout, end="")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = command.Parser(prog="python -m bitdoc.desk.sample", description="Make pictures to try bitdoc on.")
    parser.add_argument("folder", nargs="?", type=command.path, default=Path(), help="where (default: here)")

    def work() -> None:
        print(f"made {make(parser.parse_args(arguments).folder)} and new/ beside it")

    return command.ended(work, "stopped; remove what is half made and begin anew")


if __name__ == "__main__":
    sys.exit(main())
