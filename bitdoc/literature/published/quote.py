"""How a published number is held: its value, what it is, and where it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Published:
    """Published values with their source.

    Attributes
    ----------
    cite : str
        Key in ``docs/references.bib``.
    where : str
        Table, figure or file, and "read off" where a figure was decoded.
    unit : str
        What the numbers are, such as ``"top-1 accuracy, %"``.
    values : Any
        Usually nested dictionaries, keyed by what the reader would look up.
    """

    cite: str
    where: str
    unit: str
    values: Any


def rows(text: str) -> dict[str, list[float]]:
    """Read a table kept as text: on each line a name and its numbers; ``/``, ``|`` and ``±`` only guide the eye."""
    lines = [line.translate(str.maketrans("/|±", "   ")).split() for line in text.strip().splitlines()]
    return {name: [float(number) for number in numbers] for name, *numbers in lines}


def by_upstream_size(text: str, columns: tuple) -> dict:
    """Read rows that hold one triple S / M / L for each of ``columns``; returns ``{column: {row: {"S": ...}}}``."""
    read = rows(text)
    return {
        column: {name: dict(zip("SML", numbers[3 * i : 3 * i + 3], strict=True)) for name, numbers in read.items()}
        for i, column in enumerate(columns)
    }
