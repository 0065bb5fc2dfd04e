"""``bitdoc look``: what is there, how it will be split, and what is wrong with it. Every command begins with this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from bitdoc import data
from bitdoc.data import folders, pictures
from bitdoc.desk import examine, split
from bitdoc.desk.examine import Seen
from bitdoc.desk.found import SPLITS, Found, find
from bitdoc.training.command import Refused

#: Classes are called unequal if the largest has more than so many times the pictures of the smallest.
UNEQUAL = 3
#: What is said of how pictures were split, where pictures were set aside that the folder gives to train.
PART_OF_TRAIN = "; val is a part of train, by a hash of each file"
_SHOWN = 12  # faults, and classes, that are listed before the rest is counted


@dataclass
class Survey:
    """What is known of a user's pictures before anything is trained.

    Attributes
    ----------
    found : Found
        What lies there.
    seen : list of Seen
        What each picture turned out to be, in the same order.
    groups : list of list of int
        Near-duplicates.
    sides : list of str
        ``"train"``, ``"val"`` or ``"test"`` for each picture.
    folds : list of int
        Where there are too few pictures for a split: the part in which each is tested. Else empty.
    how : str
        How they were split, in words.
    """

    found: Found
    seen: list[Seen] = field(default_factory=list)
    groups: list[list[int]] = field(default_factory=list)
    sides: list[str] = field(default_factory=list)
    folds: list[int] = field(default_factory=list)
    how: str = ""

    @property
    def labels(self) -> list[str]:
        """The class of each picture."""
        return [picture.label for picture in self.found.pictures]

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture of median area."""
        sizes = sorted(((one.height, one.width) for one in self.seen), key=lambda size: (size[0] * size[1], size))
        return sizes[len(sizes) // 2]

    def images(self, side: str) -> data.Images:
        """The pictures of one side, or of ``"all"``, as a set to train or to score."""
        places = [i for i, own in enumerate(self.sides) if side in (own, "all")]
        return self.chosen(places, side)

    def chosen(self, places: list[int], name: str) -> data.Images:
        """The pictures at ``places`` as a set."""
        paths = [self.found.pictures[i].path for i in places]
        classes = self.found.classes
        labels = torch.tensor([classes.index(self.found.pictures[i].label) for i in places], dtype=torch.int64)
        encoding = folders.encoding_of(paths) if paths else "class folders"
        return data.Images("folder", name, encoding, classes, labels, paths=tuple(paths), turned=True)

    def told(self) -> Iterator[str]:
        """What is trained and tested with, in a line, and what its owner should know."""
        unread = len(self.found.left.get("that cannot be read", ()))
        left = f" ({unread} that cannot be read are left out)" if unread else ""
        yield f"{len(self.seen):,} pictures in {len(self.found.classes)} classes{left}; {self.how}"
        yield from (f"notice  {line}" for line in notices(self))

    def refuse(self) -> None:
        """Refuse to go on where there are faults; all of them are listed at once."""
        if faults := self.found.faults:
            one = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
            unread = any("cannot be read" in fault for fault in faults)
            hint = " (--leave-out does without pictures that cannot be read)" if unread else ""
            raise Refused(
                "\n  - ".join([f"{one} in {self.found.source}; mend them{hint}, nothing was trained", *faults])
            )


def survey(source: Path, *, leave_out: bool = False) -> Survey:
    """Find the pictures, read each of them once, and split them; faults are gathered, not raised.

    Parameters
    ----------
    leave_out : bool
        Leave out the pictures that cannot be read, where they would be faults.

    Raises
    ------
    Refused
        If there is nothing of that name.
    """
    found = find(source)
    every = examine.examine([picture.path for picture in found.pictures])
    if leave_out:
        left = [p.path for p, seen in zip(found.pictures, every, strict=True) if isinstance(seen, str)]
        found.left["that cannot be read"] = left
    else:
        found.faults += [fault for fault in every if isinstance(fault, str)]
    whole = [(p, s) for p, s in zip(found.pictures, every, strict=True) if isinstance(s, Seen)]
    found.pictures[:] = [picture for picture, _ in whole]
    result = Survey(found, [seen for _, seen in whole])
    result.groups = examine.duplicates(result.seen)
    if found.pictures:
        _divide(result)
    return result


def _divide(result: Survey) -> None:
    """Decide the sides: those that are given, and by a hash of each file what is missing of them."""
    labels, digests = result.labels, [one.digest for one in result.seen]
    given = [picture.split for picture in result.found.pictures]
    kinds = result.found.given
    if kinds in ((), ("train",)):
        if len(labels) < split.FEW:
            result.sides, result.folds = ["train"] * len(labels), split.folds(labels, digests, result.groups)
            result.how = (
                f"fewer than {split.FEW} pictures: each is tested once, by cross-validation in {split.FOLDS} parts"
            )
            return
        result.sides = split.split(labels, digests, result.groups)
        result.how = "split by a hash of each file, class by class, near-duplicates on one side"
        return
    result.sides = given
    result.how = "split as the table says" if result.found.source.is_file() else "split as the folders say"
    if "test" not in kinds:
        result.sides = ["test" if side == "val" else side for side in given]
        result.how += "; there is no test set, so val is it"
    if kinds != tuple(SPLITS):
        _take_validation(result, labels, digests)


def _take_validation(result: Survey, labels: list[str], digests: list[str]) -> None:
    places = [i for i, side in enumerate(result.sides) if side == "train"]
    own = {place: number for number, place in enumerate(places)}
    groups = [[own[i] for i in group if i in own] for group in result.groups]
    parts = split.split(
        [labels[i] for i in places],
        [digests[i] for i in places],
        [group for group in groups if group],
        {"val": split.VALIDATION},
    )
    for place, part in zip(places, parts, strict=True):
        result.sides[place] = part
    result.how += PART_OF_TRAIN


def notices(result: Survey) -> Iterator[str]:
    """What the owner should know, though it can be trained with."""
    found, labels = result.found, result.labels
    counts = Counter(labels)
    if not counts:
        return
    (most, largest), (least, smallest) = counts.most_common()[0], counts.most_common()[-1]
    if largest > UNEQUAL * smallest:
        share = 100 * largest / counts.total()
        yield (
            f"classes are unequal: {largest} of {most!r}, {smallest} of {least!r}; always saying {most!r} would be "
            f"right for {share:.0f} %, so look at the accuracy of each class too"
        )
    for group in result.groups:
        if len(kinds := sorted({labels[i] for i in group})) > 1:
            names = ", ".join(f"{found.told(found.pictures[i].path)}" for i in group[:3])
            yield f"near-duplicates under different labels ({', '.join(kinds)}): {names}"
    if not result.folds:
        across = [g for g in result.groups if "test" in (s := {result.sides[i] for i in g}) and len(s) > 1]
        if across:
            names = ", ".join(found.told(found.pictures[i].path) for i in across[0][:3])
            yield (
                f"{sum(map(len, across))} near-duplicates stand on both sides of train and test, such as {names}; "
                f"accuracy on those says little"
            )


def text(result: Survey) -> Iterator[str]:
    """The lines that ``bitdoc look`` prints."""
    found = result.found
    kinds = Counter(pictures.kind_of(picture.path) for picture in found.pictures)
    told = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
    pieces = (len(found.pictures), "picture"), (len(found.classes), "class")
    yield f"{found.source}: {' in '.join(_counted(*piece) for piece in pieces)}{f' ({told})' if told else ''}"
    if found.pictures:
        yield from _table(result)
        areas = sorted((one.height * one.width, one.width, one.height) for one in result.seen)
        (_, w0, h0), (_, w1, h1) = areas[0], areas[-1]
        height, width = result.size
        yield f"size    median {width} x {height}, from {w0} x {h0} to {w1} x {h1}"
        yield f"split   {result.how}"
    if result.groups:
        group = ", ".join(found.told(found.pictures[i].path) for i in result.groups[0][:3])
        yield f"copies  {sum(map(len, result.groups))} near-duplicates in {len(result.groups)} groups, such as {group}"
    for what, paths in found.left.items():
        if paths:
            yield f"left    {len(paths)} {what}, such as {found.told(paths[0])}"
    yield from (f"notice  {line}" for line in notices(result))
    yield from (f"fault   {line}" for line in found.faults)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}{'es' if word.endswith('s') else 's'}"


def _table(result: Survey) -> Iterator[str]:
    sides = [side for side in SPLITS if side in result.sides]
    counts = Counter(zip(result.labels, result.sides, strict=True))
    classes = result.found.classes
    wide = max([5, *(len(name) for name in classes[:_SHOWN])])
    yield "  " + "class".ljust(wide) + "".join(f"{side:>8}" for side in sides)
    for name in classes[:_SHOWN]:
        yield "  " + name.ljust(wide) + "".join(f"{counts[name, side]:>8,}" for side in sides)
    if len(classes) > _SHOWN:
        rest = {side: sum(counts[name, side] for name in classes[_SHOWN:]) for side in sides}
        yield "  " + f"{len(classes) - _SHOWN} more".ljust(wide) + "".join(f"{rest[side]:>8,}" for side in sides)
