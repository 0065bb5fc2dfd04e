"""Class folders: which files in them are pictures, what is left out, and what is said about it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from bitdoc.data import pictures
from bitdoc.data.images import Images, decoded
from bitdoc.data.pictures import DataError

_IN_MEMORY = 2 << 30  # bytes of decoded pixels above which a class folder is decoded on demand
#: What systems and programs leave in folders, besides names that begin with a dot.
_HIDDEN = {"__macosx", "__pycache__", "@eadir", "$recycle.bin", "lost+found", "thumbs.db", "desktop.ini"}
_Left = dict[str, list[Path]]  # what is left out, by what it is


def class_folders(root: Path, name: str, split: str) -> Images:
    """Read images from ``root/<class>/<file>``; classes are in alphabetical order.

    Hidden files and folders are passed over. Whatever else is no picture, or lies deeper, is left out: one line on
    standard error counts it. The pictures of a user's own folder (``name="folder"``) are turned by their EXIF tag.

    Raises
    ------
    DataError
        If the folder is missing, a class has no image, or an image cannot be read.
    """
    if not root.is_dir():
        raise DataError(f"no folder {root}; expected class folders {root}/<class>/<image>")
    left: _Left = {}
    classes: list[str] = []
    paths: list[Path] = []
    labels: list[int] = []
    for entry in _visible(root):
        if not entry.is_dir():
            left.setdefault("beside the class folders", []).append(entry)
            continue
        files = _pictures(entry, left)
        if not files:
            expected = ", ".join(sorted(pictures.SUFFIXES))
            raise DataError(
                f"no images in {entry}; expected files ending in {expected}{_counted(left, '; left out: ')}"
            )
        labels += [len(classes)] * len(files)
        paths += files
        classes.append(entry.name)
    if not paths:
        found = _counted(left, "; left out: ")
        raise DataError(f"no class folders in {root}; expected {root}/<class>/<image>{found}")
    if left:
        _say_once(_counted(left, f"left out of {root}: "))
    images = Images(name, split, _encoding(paths), tuple(classes), torch.tensor(labels), paths=tuple(paths))
    images = replace(images, turned=name == "folder")
    height, width = pictures.size_of(paths[0], images.turned)
    return decoded(images) if 3 * height * width * len(images) < _IN_MEMORY else images


def _visible(folder: Path) -> list[Path]:
    """What a folder holds, hidden names left out, by name."""
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot look into {folder}: {error.strerror}") from None
    return [entry for entry in entries if not entry.name.startswith(".") and entry.name.lower() not in _HIDDEN]


def _pictures(folder: Path, left: _Left) -> list[Path]:
    """The pictures of one class, numbered names in numerical order; what else there is goes to ``left``."""
    found = []
    for entry in _visible(folder):
        if entry.is_file():  # a named pipe is none, and would let its reader wait for ever
            if entry.suffix.lower() in pictures.SUFFIXES:
                found.append(entry)
            else:
                left.setdefault("of other kinds", []).append(entry)
        elif entry.is_dir():
            deeper = [Path(place) / file for place, _, files in os.walk(entry) for file in files]
            left.setdefault("in folders inside a class", []).extend(sorted(deeper))
        else:
            left.setdefault("that are no files (broken links, pipes)", []).append(entry)
    return sorted(found, key=_natural)


def shown(folder: Path) -> list[Path]:
    """What a folder holds, by name, without what is hidden or left there by systems."""
    return _visible(folder)


def of_class(folder: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """The pictures of one class, and what its folder holds beside them, by what that is."""
    left: _Left = {}
    return _pictures(folder, left), left


def encoding_of(paths: list[Path]) -> str:
    """How the files of a set are stored, as it stands in run records."""
    return _encoding(paths)


def _natural(path: Path) -> tuple:
    return (len(path.stem), path.stem, path.name) if path.stem.isdigit() else (1 << 20, path.stem, path.name)


def _counted(left: _Left, begin: str) -> str:
    parts = [f"{len(paths)} {what} (such as {paths[0]})" for what, paths in left.items() if paths]
    return begin + ", ".join(parts) if parts else ""


@cache
def _say_once(text: str) -> None:
    if text:
        print(text, file=sys.stderr)


def _encoding(paths: list[Path]) -> str:
    """How the files are stored, with the quality of the first one where all are of one kind."""
    kinds = sorted({pictures.kind_of(path) for path in paths})
    return "class folders, " + " and ".join(kinds) + (pictures.jpeg_quality(paths[0]) if len(kinds) == 1 else "")
