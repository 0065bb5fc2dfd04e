"""``bitdoc predict``: what is in new pictures, one line each, as a table, as CSV or as JSON lines."""

from __future__ import annotations

import csv
import glob
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import torch
from torch import Tensor

from bitdoc.data import folders, pictures
from bitdoc.data.pictures import DataError
from bitdoc.desk.bundle import Classifier
from bitdoc.desk.found import is_run
from bitdoc.network.norms import standardized_once
from bitdoc.training.command import Refused
from bitdoc.training.engine import Engine


@dataclass(frozen=True)
class Prediction:
    """What is said of one picture: ``(class, probability)``, the most probable first; or why it cannot be read."""

    path: Path
    best: tuple[tuple[str, float], ...] = ()
    fault: str = ""


def named(given: Sequence[str], lines: Iterable[str]) -> Iterator[Path]:
    """Files that are meant: as named, all pictures of a folder, those of a pattern, or (``-``) one a line.

    Raises
    ------
    Refused
        If there is no such file or folder, or nothing to look at in it.
    """
    for name in given:
        path = Path(name).expanduser()
        if name == "-":
            yield from (Path(line) for text in lines if (line := text.rstrip("\r\n")))
        elif path.is_dir():
            yield from _inside(path)
        elif path.is_file():
            yield path
        elif found := sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 - a pattern may be absolute
            yield from (Path(one) for one in found)
        else:
            raise Refused(f"no picture {name}; expected a file, a folder, a pattern, or - for names on standard input")


def _inside(folder: Path) -> Iterator[Path]:
    """All pictures of a folder and of those in it, by name."""
    found = _walk(folder)
    first = next(found, None)
    if first is None:
        raise Refused(f"no pictures in {folder}; expected files ending in {', '.join(sorted(pictures.SUFFIXES))}")
    return chain([first], found)


def _walk(folder: Path) -> Iterator[Path]:
    yield from folders.of_class(folder)[0]
    for entry in folders.shown(folder):
        if entry.is_dir() and not entry.is_symlink() and not is_run(entry):
            yield from _walk(entry)


@torch.no_grad()
def predict(
    classifier: Classifier, paths: Iterable[Path], *, top: int = 1, batch: int = 32, engine: Engine | None = None
) -> Iterator[Prediction]:
    """Say what is in each picture, in the order given; one that cannot be read gets a fault.

    Parameters
    ----------
    top : int
        Classes told of each picture.
    batch : int
        Pictures computed at once; so many are waited for before the first is told.
    engine : Engine, optional
        Device and precision; by default the best device there is.
    """
    engine = engine or Engine.start()
    model = engine.place(classifier.network).eval()

    def logits(x: Tensor) -> Tensor:
        with engine.autocast():
            return model(x.contiguous(memory_format=torch.channels_last)).float()

    with standardized_once(model):
        for some in _in_batches(paths, batch):
            ready, faults = _read(classifier, some)
            best: Iterator[tuple] = iter(())
            if ready:
                shares = engine.in_parts(logits, torch.stack(ready).to(engine.device)).softmax(1).cpu()
                best = _best(classifier.classes, shares, top)
            for place, path in enumerate(some):
                if place in faults:
                    yield Prediction(path, fault=faults[place])
                else:
                    yield Prediction(path, next(best))


def _in_batches(paths: Iterable[Path], size: int) -> Iterator[list[Path]]:
    rest = iter(paths)
    while some := list(islice(rest, size)):
        yield some


def _read(classifier: Classifier, paths: Sequence[Path]) -> tuple[list[Tensor], dict[int, str]]:
    ready, faults = [], {}
    for place, path in enumerate(paths):
        try:
            ready.append(classifier.preprocess(path))
        except DataError as error:
            faults[place] = str(error)
    return ready, faults


def _best(classes: Sequence[str], shares: Tensor, top: int) -> Iterator[tuple[tuple[str, float], ...]]:
    found = shares.topk(min(top, len(classes)))
    for values, indices in zip(found.values.tolist(), found.indices.tolist(), strict=True):
        yield tuple((classes[i], round(share, 4)) for share, i in zip(values, indices, strict=True))


_Form = tuple[str, Callable[[Prediction], str]]  # the first line, if there is one, and what makes one of a picture


def _table(classes: Sequence[str], top: int) -> _Form:
    """For people: probability and class, and the file at the end."""
    wide = max(map(len, classes))
    return "", lambda one: "  ".join([f"{100 * p:5.1f} %  {name:<{wide}}" for name, p in one.best] + [str(one.path)])


def _csv(classes: Sequence[str], top: int) -> _Form:
    """For spreadsheets."""

    def line(cells: Iterable[object]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(cells)
        return text.getvalue()

    more = [f"{what}_{n}" for n in range(2, min(top, len(classes)) + 1) for what in ("class", "probability")]
    head = line(["path", "class", "probability", *more])
    return head, lambda one: line([one.path, *(cell for pair in one.best for cell in pair)])


def _jsonl(classes: Sequence[str], top: int) -> _Form:
    """For programs: one object a line."""

    def line(one: Prediction) -> str:
        told: dict = {"path": str(one.path), "class": one.best[0][0], "probability": one.best[0][1]}
        if top > 1:
            told["top"] = [{"class": name, "probability": share} for name, share in one.best]
        return json.dumps(told, ensure_ascii=False)

    return "", line


#: What is printed, by the name of its form.
FORMS: dict[str, Callable[[Sequence[str], int], _Form]] = {"table": _table, "csv": _csv, "jsonl": _jsonl}
