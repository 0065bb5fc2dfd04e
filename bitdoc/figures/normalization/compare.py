"""Normalization page: batch norm, group norm, weight standardization and their pair on one screen, and as a table."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bitdoc.figures import figure, style, table
from bitdoc.literature.published import TABLE4

FINDING = "GN + WS does batch norm's work without looking at other images"
#: What stands under the picture, so that it may be shown without the page.
NOTES = (
    "Inference: use after training. Chip: a GPU, or a core of a TPU. Micro-batch: part of a batch that fits in memory. "
    "Folded: merged into the convolution before. Accuracy: ResNet-50 on ILSVRC-2012, 32 images on each chip, "
    "Kolesnikov et al. 2020. 11 points: 2 images on a GPU, not 32, Wu & He 2018.",
    "bitdoc: Big Transfer, explained by experiments. The bitdoc authors, CC BY 4.0. "
    "BN: Ioffe & Szegedy 2015. GN: Wu & He 2018. WS: Qiao et al. 2019.",
)
ROWS = (
    "what is normalized",
    "one mean over",
    "at inference",
    "a batch of one, in training",
    "accuracy, batch 4,096",
    "what it cannot do",
    "cost",
    "take it when",
)


@dataclass(frozen=True)
class Method:
    """One column: short and full name, color, and a text for each of :data:`ROWS`."""

    short: str
    name: str
    color: str
    told: tuple[str, ...]


def _accuracy(norm: str, filters: str) -> str:
    return f"{TABLE4.values[norm][filters]:.1f}%"


METHODS = (
    Method(
        "BN",
        "Batch norm",
        "blue",
        (
            "activations",
            "one channel of all images",
            "running mean and variance, kept from training",
            "turns into instance norm (2 images a GPU: 11 points lost)",
            _accuracy("batch norm", "plain"),
            "work with few images, micro-batches, new data",
            "chips wait if they share means; free at inference (folded)",
            "one data set, 32 or more images on each chip",
        ),
    ),
    Method(
        "GN",
        "Group norm",
        "orange",
        (
            "activations",
            "a group of channels of one image",
            "the image's own means, as in training",
            "no change",
            f"{_accuracy('group norm', 'plain')} (another paper, batch 256: 75.9%, BN 76.4%)",
            "keep channel means near zero: some channels are always on or off",
            "means of every image, also at inference",
            "batches are small and filters cannot be standardized",
        ),
    ),
    Method(
        "WS",
        "Weight standardization",
        "purple",
        (
            "filters",
            "the weights of one filter",
            "nothing: filters are standardized once",
            "no change",
            "not used alone",
            "set the scale of activations: needs a norm or a rescaling behind it",
            "filters anew at each training step; free at inference",
            "never alone",
        ),
    ),
    Method(
        "GN + WS",
        "Both: what BiT uses",
        "orange",
        (
            "activations and filters",
            "a group of one image; one filter",
            "the image's own means; filters as for WS",
            "no change",
            _accuracy("group norm", "standardized"),
            "be folded away; hold channels exactly at zero once trained",
            "those of GN and of WS",
            "few images on a chip, micro-batches, or others will fine-tune",
        ),
    ),
)

_COLUMN, _LABEL = 1.51, 1.02  # inches: a method's column, the names of the rows
_LINE, _GAP, _TOP = 0.158, 0.13, 1.28  # inches: a line of text, the space between rows, head and pictures
_HEAD = 0.2  # inches: a line of the title
_SIZE, _ACROSS = 8.4, 21  # points; characters in a line


def _cells(ax: Axes, x: float, y: float, rows: int, columns: int, marked: set[tuple[int, int]], color: str) -> None:
    """Draw a small grid, its top left corner at ``(x, y)``, with the cells of ``marked`` (row, column) colored."""
    side = 0.105
    for row in range(rows):
        for column in range(columns):
            face = color if (row, column) in marked else style.ink("wash")
            corner = (x + column * side * 1.25, y - (row + 1) * side)
            ax.add_patch(
                Rectangle(corner, side * 1.2, side * 0.92, facecolor=face, edgecolor=style.ink("faint"), lw=0.5)
            )


def _icon(ax: Axes, method: Method, x: float, y: float) -> None:
    """Draw the set that shares a mean: in a block of 6 channels (down) and 3 images (across), or in a 3x3 filter."""
    ink = style.COLOURS[method.color]
    sets = {"BN": {(2, n) for n in range(3)}, "WS": {(r, c) for r in range(3) for c in range(3)}}
    group = {(r, 1) for r in (2, 3)}
    if method.short != "WS":
        _cells(ax, x, y, 6, 3, sets.get(method.short, group), ink)
    if method.short in ("WS", "GN + WS"):
        _cells(ax, x + (0 if method.short == "WS" else 0.62), y - 0.16, 3, 3, sets["WS"], style.COLOURS["purple"])


@figure(
    "norm-compare",
    caption=(
        "The four methods at a glance. The small pictures mark what shares one mean: in a block of six channels (down) "
        "and three images (across), or among the nine weights of a filter."
    ),
    alt="; ".join(
        f"{method.name} ({method.short}): "
        + ", ".join(f"{row}: {text}" for row, text in zip(ROWS, method.told, strict=True))
        for method in METHODS
    ),
)
def compare() -> Figure:
    """Draw the comparison of batch norm, group norm, weight standardization and group norm with standardization."""
    beside, across, signs = style.by_width((4, _ACROSS, 110), (2, 23, 52))
    parts = [METHODS[first : first + beside] for first in range(0, len(METHODS), beside)]
    texts = [[[textwrap.wrap(row, across, break_on_hyphens=False) for row in m.told] for m in part] for part in parts]
    width = style.by_width(_LABEL + _COLUMN * len(METHODS) + 0.1, style.NARROW)
    head = textwrap.wrap(FINDING, style.by_width(70, 40))
    foot = [line for note in NOTES for line in textwrap.wrap(note, signs)]
    above = len(head) * _HEAD + 0.08
    height = above + sum(map(_height, texts)) + len(foot) * _LINE + 0.06
    fig = Figure(figsize=(width, height))
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(-height, 0))
    ax.axis("off")
    _lines(ax, 0.1, 0.06, head, _HEAD, fontsize=style.by_width(11.0, 9.5), weight="bold")
    top = -above
    for part, told in zip(parts, texts, strict=True):
        _part(ax, part, told, top, width)
        top -= _height(told)
    _lines(ax, 0.1, -top, foot, _LINE, fontsize=8.3, color=style.COLOURS["grey"])
    return fig


def _lines(ax: Axes, x: float, down: float, lines: list[str], step: float, **look: Any) -> None:
    """Write lines, one text each, so that lines beside each other stand on one level however many a cell has."""
    for n, line in enumerate(lines):
        ax.text(x, -down - (n + 0.75) * step, line, va="baseline", **look)


def _names() -> list[list[str]]:
    """Names of the rows in lines: wide, a column beside the cells; narrow, a line above them."""
    return [textwrap.wrap(name, style.by_width(12, 40)) for name in ROWS]


def _counts(told: list[list[list[str]]]) -> list[int]:
    """Lines that each row takes."""
    cells = [max(len(column[row]) for column in told) for row in range(len(ROWS))]
    return [style.by_width(max(count, len(name)), count + 1) for count, name in zip(cells, _names(), strict=True)]


def _height(told: list[list[list[str]]]) -> float:
    return _TOP + sum(count * _LINE + _GAP for count in _counts(told))


def _part(ax: Axes, part: tuple[Method, ...], told: list[list[list[str]]], top: float, width: float) -> None:
    """Draw some methods side by side, their rows of texts below them."""
    label, step, down = style.by_width((_LABEL, _COLUMN, 0.0), (0.0, (width - 0.2) / len(part), _LINE))
    places = [0.1 + label + column * step for column in range(len(part))]
    for x, method in zip(places, part, strict=True):
        color = style.words(style.COLOURS[method.color])
        ax.text(x, top - 0.12, method.short, color=color, weight="bold", fontsize=13, va="top")
        ax.text(x, top - 0.36, method.name, color=color, fontsize=8.8, va="top")
        _icon(ax, method, x, top - 0.56)
    if not down:
        grey = style.COLOURS["grey"]
        _lines(ax, 0.1, 0.62 - top, ["across: images", "down: channels"], _LINE, fontsize=8.3, color=grey)
    y = top - _TOP
    for row, (name, count) in enumerate(zip(_names(), _counts(told), strict=True)):
        ax.plot((0.1, width - 0.1), (y + _GAP / 2,) * 2, color=style.ink("faint"), linewidth=0.8)
        _lines(ax, 0.1, -y, name, _LINE, fontsize=_SIZE, weight="bold")
        for x, texts in zip(places, told, strict=True):
            _lines(ax, x, down - y, texts[row], _LINE, fontsize=_SIZE)
        y -= count * _LINE + _GAP


@table("norm-compare", caption="The comparison of {numref}`fig-norm-compare` in words")
def compared() -> list[list[str]]:
    """Rows of the comparison, a column for each method."""
    head = ["", *(method.short for method in METHODS)]
    return [head, *([f"**{row}**", *(m.told[n] for m in METHODS)] for n, row in enumerate(ROWS))]
