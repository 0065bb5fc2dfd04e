"""``bitdoc compare``: two runs or more on the same test pictures, and whether what tells them apart may be luck.

What each network said of its test pictures stands in the table of its run, so nothing is computed anew and the pictures
need not be there. In a cross-validation that is what a network said that had not seen the picture.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb
from pathlib import Path
from typing import Any

import torch

from bitdoc.desk import bundle
from bitdoc.desk.scores import interval
from bitdoc.records import runs
from bitdoc.training.command import Refused
from bitdoc.training.paired import difference

_SHOWN = 3  # pictures that are named before the rest is counted
_COLUMNS = {"path", "class", "said", "digest"}


@dataclass(frozen=True)
class Answer:
    """What a run said of one test picture."""

    digest: str
    label: str
    path: str
    said: str

    @property
    def is_right(self) -> bool:
        """Whether it named the class."""
        return self.said == self.label


@dataclass(frozen=True)
class Answered:
    """A run, as far as it is compared.

    Attributes
    ----------
    run : Path
        Its folder.
    record : RunRecord
        Its record.
    classes : tuple of str
        Names of all classes.
    answers : list of Answer
        On the test pictures, in the order of their contents, so that those of another run stand beside them.
    """

    run: Path
    record: runs.RunRecord
    classes: tuple[str, ...]
    answers: list[Answer]

    @cached_property
    def hits(self) -> torch.Tensor:
        """``(N,)`` whether each answer is right."""
        return torch.tensor([answer.is_right for answer in self.answers])

    def plain(self) -> dict[str, Any]:
        """The run's own result, in percent."""
        low, high = interval(self.hits)
        setting = self.record.setting
        return {
            "run": str(self.run),
            "model": self.record.model,
            "method": setting.get("method"),
            "precision": setting.get("precision"),
            "right": int(self.hits.sum()),
            "accuracy": round(100 * self.hits.double().mean().item(), 3),
            "interval": [round(low, 2), round(high, 2)],
        }


def read(run: Path) -> Answered:
    """Read a run's record and table.

    Raises
    ------
    Refused
        If it is none, or its table does not say what is needed.
    """
    bundle.check_run(run)
    table = run / bundle.TABLE
    try:
        record = runs.read(run / bundle.RECORD)
        with table.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            missing = sorted(_COLUMNS - set(reader.fieldnames or ()))
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise Refused(f"{run} cannot be compared: {' '.join(str(error).split())}") from None
    if missing:
        raise Refused(f"{table} has no column {missing[0]!r}, without which pictures are not known again; make it anew")
    tested = [Answer(row["digest"], row["class"], row["path"], row["said"]) for row in rows if row["said"]]
    if not tested:
        raise Refused(f"{table} names no tested picture, so {run} cannot be compared")
    answers = sorted(tested, key=lambda one: (one.digest, one.label, one.path))
    return Answered(run, record, tuple(sorted({row["class"] for row in rows})), answers)


def check(first: Answered, other: Answered) -> None:
    """Refuse runs that were not tested on the same pictures of the same classes."""
    if first.classes != other.classes:
        alone = [
            f"only {one.run} has {', '.join(map(repr, sorted(set(one.classes) - set(two.classes))[:3]))}"
            for one, two in ((first, other), (other, first))
            if set(one.classes) - set(two.classes)
        ]
        raise Refused(f"{first.run} and {other.run} have other classes: {'; '.join(alone)}")
    mine, theirs = ([(a.digest, a.label) for a in one.answers] for one in (first, other))
    if mine == theirs:
        return
    if sorted(d for d, _ in mine) == sorted(d for d, _ in theirs):
        raise Refused(f"test pictures have other labels in {first.run} than in {other.run}; make both on the same ones")
    both = len({d for d, _ in mine} & {d for d, _ in theirs})
    raise Refused(
        f"{first.run} was tested on {len(mine):,} pictures and {other.run} on {len(theirs):,}, {both:,} of them "
        f"the same; expected the same test pictures in both"
    )


@dataclass(frozen=True)
class Pair:
    """Two runs on the same test pictures."""

    first: Answered
    second: Answered

    def only(self, one: Answered, other: Answered) -> list[tuple[Answer, Answer]]:
        """Answers that are right by ``one`` and wrong by ``other``, side by side, in the order of the files' names."""
        both = zip(one.answers, other.answers, strict=True)
        return sorted(((a, b) for a, b in both if a.is_right and not b.is_right), key=lambda pair: pair[0].path)

    def plain(self) -> dict[str, Any]:
        """The comparison in numbers, in points of a percent, and the pictures that make the difference."""
        won, lost = self.only(self.second, self.first), self.only(self.first, self.second)
        n = len(self.first.answers)
        low, high = difference(len(won), len(lost), n)

        def told(pairs: list[tuple[Answer, Answer]]) -> list[dict[str, str]]:
            return [{"path": a.path, "class": a.label, "other_said": b.said} for a, b in pairs]

        return {
            "first": str(self.first.run),
            "second": str(self.second.run),
            "difference": round(100 * (len(won) - len(lost)) / n, 3),
            "interval": [round(100 * low, 2), round(100 * high, 2)],
            "p": float(f"{by_chance(len(won), len(lost)):.3g}"),
            "only_second_right": told(won),
            "only_first_right": told(lost),
        }


def by_chance(won: int, lost: int) -> float:
    """How often a fair coin would part ``won + lost`` pictures at least as unevenly: McNemar's exact test (1947)."""
    total, least = won + lost, min(won, lost)
    return min(1.0, 2 * sum(comb(total, k) for k in range(least + 1)) / 2**total)


def compare(places: Sequence[Path]) -> dict[str, Any]:
    """Hold each run against the first, on the test pictures that all of them share.

    Raises
    ------
    Refused
        If there are fewer than two, one is no run, or classes or test pictures differ.
    """
    if len(places) < 2:
        raise Refused(f"one run, {places[0]}; expected two or more to compare")
    first, *others = every = [read(place) for place in places]
    for other in others:
        check(first, other)
    return {
        "pictures": len(first.answers),
        "classes": list(first.classes),
        "runs": [one.plain() for one in every],
        "pairs": [Pair(first, other).plain() for other in others],
    }


def table(found: dict[str, Any]) -> Iterator[str]:
    """The comparison for people."""
    wide = max(len(one["run"]) for one in found["runs"])
    yield f"{found['pictures']:,} test pictures in {len(found['classes'])} classes; in brackets, 95 % intervals"
    for one in found["runs"]:
        low, high = one["interval"]
        how = f"{one['method']}, {one['model']}"
        yield f"{one['run']:<{wide}}  {one['accuracy']:5.1f} %  [{low:.1f} to {high:.1f}]  {how}"
    for pair in found["pairs"]:
        (low, high), first, second = pair["interval"], pair["first"], pair["second"]
        verdict = f"{second if low > 0 else first} names more right" if low > 0 or high < 0 else "may be luck"
        yield (
            f"{second} against {first}: {pair['difference']:+.1f} points  [{low:+.1f} to {high:+.1f}], "
            f"p = {pair['p']:.2g}: {verdict}"
        )
        for one, key in ((second, "only_second_right"), (first, "only_first_right")):
            yield f"  only {one} is right about {len(pair[key])}{_some(pair[key])}"


def _some(answers: list[dict[str, str]]) -> str:
    if not answers:
        return ""
    names = ", ".join(f"{answer['path']} ({answer['other_said']})" for answer in answers[:_SHOWN])
    more = f" and {len(answers) - _SHOWN} more" if len(answers) > _SHOWN else ""
    return f", where the other said\n    {names}{more}"


def as_json(found: dict[str, Any]) -> Iterator[str]:
    """The comparison for programs, with all pictures that make a difference."""
    yield json.dumps(found, indent=1, ensure_ascii=False)


#: What is printed, by the name of its form.
FORMS = {"table": table, "json": as_json}
