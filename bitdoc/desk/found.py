"""What a user's folder holds, or a table of paths and labels: pictures, classes, given splits, and all faults."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bitdoc.data import folders
from bitdoc.training.command import Refused

#: Names that a split's folder may have; the first is the one used here.
SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
#: Names that the columns of a table may have.
_COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "image", "picture"),
    "label": ("label", "class", "category"),
    "split": ("split", "set", "subset"),
}


@dataclass(frozen=True)
class Picture:
    """One picture: its file, the name of its class, and the split it was put in (``""``: none was given)."""

    path: Path
    label: str
    split: str = ""


@dataclass
class Found:
    """What was found.

    Attributes
    ----------
    source, root : Path
        What was named, and the folder that paths are told from.
    pictures : list of Picture
        In the order of their names.
    left : dict
        Paths that are no pictures of a class, by what they are.
    faults : list of str
        What has to be mended before anything can be trained, a line each.
    """

    source: Path
    root: Path
    pictures: list[Picture] = field(default_factory=list)
    left: dict[str, list[Path]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in alphabetical order."""
        return tuple(sorted({picture.label for picture in self.pictures}))

    @property
    def given(self) -> tuple[str, ...]:
        """The splits that were given, in the order train, val, test."""
        splits = {picture.split for picture in self.pictures}
        return tuple(split for split in SPLITS if split in splits)

    def told(self, path: Path) -> str:
        """A path as it is shown: from the root on, where it lies there."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


def is_run(folder: Path) -> bool:
    """Whether a folder is a run (:mod:`bitdoc.desk.bundle`), which may lie among the classes."""
    return (folder / "model.safetensors").is_file()


def find(source: Path) -> Found:
    """Look into a folder of class folders, with or without splits above them, or into a CSV table.

    Everything that is wrong with the layout is gathered in ``faults``; nothing is opened yet but the table.

    Raises
    ------
    Refused
        If there is no such folder or table.
    """
    if source.is_file():
        found = Found(source, source.parent)
        _read_table(found)
    elif source.is_dir():
        found = Found(source, source)
        _walk(found)
    else:
        raise Refused(
            f"no folder {source}; expected one that holds {source}/<class>/<picture>, or a CSV table of paths and "
            f"labels"
        )
    if not found.faults:
        found.faults += _faults(found)
    return found


def _walk(found: Found) -> None:
    splits = dict(_split_folders(found.root))
    if "train" not in splits:
        _class_folders(found, found.root, "")
        return
    for split, folder in splits.items():
        _class_folders(found, folder, split)
    others = [entry for entry in folders.shown(found.root) if entry not in splits.values() and not is_run(entry)]
    if others:
        found.left["beside the folders of the splits"] = others


def _split_folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Folders named as a split that hold class folders; one that holds pictures is a class of that name."""
    for split, names in SPLITS.items():
        for entry in folders.shown(root):
            if entry.is_dir() and entry.name.lower() in names and not folders.of_class(entry)[0]:
                yield split, entry
                break


def _class_folders(found: Found, root: Path, split: str) -> None:
    for entry in folders.shown(root):
        if not entry.is_dir():
            found.left.setdefault("beside the class folders", []).append(entry)
        elif not is_run(entry):
            files, left = folders.of_class(entry)
            for what, paths in left.items():
                found.left.setdefault(what, []).extend(paths)
            found.pictures += [Picture(path, entry.name, split) for path in files]
            if not files:
                deeper = any(left.get("in folders inside a class", ()))
                hint = "; its pictures lie one folder deeper" if deeper else ""
                found.faults.append(f"{found.told(entry)}: no pictures in this class folder{hint}")


def _read_table(found: Found) -> None:
    """Rows of path, label and, if there is a third column, split; paths are told from the table's folder."""
    try:
        text = found.source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise Refused(f"{found.source} cannot be read as a table: {error}") from None
    first = text.partition("\n")[0]
    rows = list(csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count)))
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    places = {what: next((head.index(n) for n in names if n in head), None) for what, names in _COLUMNS.items()}
    path, label, split = (places[what] for what in ("path", "label", "split"))
    if path is None or label is None:
        raise Refused(
            f"{found.source}: its first line is {first.strip()[:60]!r}, expected the names of its columns, path and "
            f"label, and split if there is one"
        )
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = [row[place].strip() if place is not None and place < len(row) else "" for place in (path, label, split)]
        _read_row(found, f"{found.source.name}, line {number}", *cells)


def _read_row(found: Found, where: str, path: str, label: str, split: str) -> None:
    known = {name: key for key, names in SPLITS.items() for name in names} | {"": ""}
    file = found.root / path
    if not (path and label):
        found.faults.append(f"{where}: no {'label' if path else 'path'}")
    elif split.lower() not in known:
        found.faults.append(f"{where}: unknown split {split!r}, expected train, val or test")
    elif not file.is_file():
        found.faults.append(f"{where}: there is no file {path}")
    else:
        found.pictures.append(Picture(file, label, known[split.lower()]))


def _faults(found: Found) -> Iterator[str]:
    """What is wrong with the whole, once each part of it is in place."""
    name = found.told(found.source) if found.source.is_file() else str(found.source)
    if len(found.classes) < 2:
        what = f"one class, {found.classes[0]!r}" if found.classes else "no class folders with pictures"
        yield f"{name}: {what}; expected two classes or more, {found.root}/<class>/<picture>"
    counts = {split: Counter(p.label for p in found.pictures if p.split == split) for split in ("", *found.given)}
    if "test" not in found.given and "val" not in found.given:
        single = [name for name, count in Counter(p.label for p in found.pictures).items() if count == 1]
        if single:
            yield f"only one picture of {', '.join(sorted(single))}; expected two or more, to learn from and to test on"
    if found.given and counts[""]:
        yield f"{name}: {counts[''].total()} pictures have no split, and others have one"
    if found.given and "train" not in found.given:
        yield f"{name}: no pictures to train on; expected the split train beside {' and '.join(found.given)}"
        return
    for split in found.given[1:]:
        if alone := sorted(set(counts[split]) - set(counts["train"])):
            yield f"{split} has classes that train has not: {', '.join(alone)}"
    if twice := [path for path, times in Counter(p.path for p in found.pictures).items() if times > 1]:
        yield f"{name}: {len(twice)} files are named more than once, such as {found.told(twice[0])}"
