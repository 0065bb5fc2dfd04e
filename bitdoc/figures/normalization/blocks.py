"""Normalization page: the block (N, C, H, W), which of its values share a mean, and the example worked by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from torch import Tensor

from bitdoc.figures import figure, style
from bitdoc.network import norms

#: Two images, four channels, one row of two positions. Every mean and every standard deviation of all four norms
#: (two groups) is a whole number, so that each can be checked in one's head.
BLOCK = torch.tensor(
    [
        [[[14.0, 12.0]], [[12.0, 6.0]], [[2.0, 0.0]], [[8.0, 2.0]]],
        [[[12.0, 6.0]], [[6.0, 4.0]], [[2.0, 8.0]], [[10.0, 8.0]]],
    ]
)

#: Where the value stands that the page follows through all four norms: image, channel, row, column.
FOLLOWED = (0, 3, 0, 0)


@dataclass(frozen=True)
class Norm:
    """A norm as the page shows it: its set of values in words, in axes, and how many such sets there are."""

    key: str
    name: str
    colour: str
    words: str
    axes: str
    sets: str


NORMS = (
    Norm("batch", "Batch norm", "blue", "one channel, all images", "over N, H, W", "C sets"),
    Norm("layer", "Layer norm", "green", "one image, all channels", "over C, H, W", "N sets"),
    Norm("instance", "Instance norm", "yellow", "one image, one channel", "over H, W", "N × C sets"),
    Norm("group", "Group norm", "orange", "one image, a group of channels", "over C/G, H, W", "N × G sets"),
)


def same_set(kind: str, shape: tuple[int, ...], place: tuple[int, int], groups: int) -> Tensor:
    """Mark the (image, channel) pairs whose values share a mean with those at ``place``.

    Parameters
    ----------
    kind : {"batch", "layer", "instance", "group"}
        Which norm.
    shape : tuple of int
        ``(N, C, H, W)`` of the block.
    place : tuple of int
        Image and channel, counted from 0.
    groups : int
        Groups of group norm; the others ignore it.

    Returns
    -------
    Tensor
        Booleans of shape ``(N, C)``. All ``H * W`` positions of a marked pair belong to the set.
    """
    n, c = shape[:2]
    image, channel = torch.arange(n)[:, None] == place[0], torch.arange(c)[None, :] == place[1]
    size = c // groups
    group = (torch.arange(c) // size == place[1] // size)[None, :]
    return {
        "batch": channel.expand(n, c),
        "layer": image.expand(n, c),
        "instance": image & channel,
        "group": image & group,
    }[kind]


def apply(kind: str, x: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """Normalize ``x`` of shape ``(N, C, H, W)`` with the norm called ``kind``."""
    if kind == "group":
        return norms.group_norm(x, groups, eps)
    return {"batch": norms.batch_norm, "layer": norms.layer_norm, "instance": norms.instance_norm}[kind](x, eps)


# ---- The block, four times -----------------------------------------------------------------------------------------

_SIDE = 3  # cells along each edge of a feature map
_RIGHT, _BACK, _UP = (0.34, 0.0), (0.17, 0.13), (0.0, 0.62)  # one cell to the right, one to the back, one channel up


def _corner(image: int, channel: int, row: float, column: float) -> tuple[float, float]:
    x = image * 2.05 + column * _RIGHT[0] + row * _BACK[0]
    return x, channel * _UP[1] + row * _BACK[1]


def _map(ax: Axes, image: int, channel: int, colour: str | None) -> None:
    """Draw one feature map as a sheet of cells lying flat."""
    for row in range(_SIDE):
        for column in range(_SIDE):
            steps = ((row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column))
            ax.add_patch(
                Polygon(
                    [_corner(image, channel, *step) for step in steps],
                    facecolor=colour or style.ink("wash"),
                    edgecolor=style.ink("paper") if colour else style.ink("faint"),
                    linewidth=0.9,
                )
            )
    rim = [_corner(image, channel, *step) for step in ((0, 0), (0, _SIDE), (_SIDE, _SIDE), (_SIDE, 0))]
    edge = style.ink() if colour else style.COLOURS["grey"]
    ax.add_patch(Polygon(rim, facecolor="none", edgecolor=edge, linewidth=1.1 if colour else 0.7))


def _panel(ax: Axes, norm: Norm, images: int = 3, channels: int = 6, groups: int = 3) -> None:
    shape, place = (images, channels, _SIDE, _SIDE), (0, 3)
    marked = same_set(norm.key, shape, place, groups)
    for channel in range(channels):
        for image in range(images):
            _map(ax, image, channel, style.COLOURS[norm.colour] if marked[image, channel] else None)
    top = channels * _UP[1]
    size = style.by_width(10, 8)
    for image in range(images):
        x = _corner(image, 0, 0, _SIDE / 2)[0]
        ax.text(x, -0.13, f"image {image + 1}", ha="center", va="top", fontsize=size)
    ax.annotate("", (-0.16, top - 0.2), (-0.16, 0.0), arrowprops={"arrowstyle": "->", "color": style.ink(), "lw": 1})
    ax.text(
        style.by_width(-0.3, -0.5),
        top / 2 - style.by_width(0.1, 0.4),
        "channels",
        rotation=90,
        ha="center",
        va="center",
        fontsize=size,
    )
    ink, told = style.words(style.COLOURS[norm.colour]), f"{norm.words}\n{norm.axes}: {norm.sets}"
    if style.by_width(False, True):
        told = f"{style.wrapped(norm.words, 22)}\n{norm.axes}"
    head: dict[str, Any] = {"fontsize": style.by_width(10.5, 8), "va": "top", "linespacing": 1.35}
    foot = top + style.by_width(0.75, 2.0)
    ax.text(-0.4, foot, norm.name, color=ink, weight="bold", fontsize=style.by_width(13, 10))
    ax.text(-0.4, foot - style.by_width(0.07, 0.12), told, **head)
    ax.set(xlim=(style.by_width(-0.45, -0.75), 5.75), ylim=(-0.5, top + style.by_width(1.1, 2.6)), aspect="equal")
    ax.axis("off")


@figure(
    "norm-axes",
    caption=(
        "Three images, six channels (the sheets of a stack), 3 × 3 positions in a sheet. All colored values share one "
        "mean and one spread; group norm is drawn with three groups of two channels."
    ),
    alt=(
        "Four drawings of three stacks of feature maps. Batch norm colors the same sheet in all three stacks; layer "
        "norm all sheets of one stack; instance norm one sheet of one stack; group norm two neighboring sheets of one "
        "stack. Only batch norm's set reaches across images."
    ),
)
def axes() -> Figure:
    """Draw which values share a mean under batch, layer, instance and group norm."""
    fig, panels = style.new(7.2, 6.4, 2, 2, (4.3, 2))
    style.headline(fig, "Four norms differ in which values share one mean")
    for ax, norm in zip(panels.flat, NORMS, strict=True):
        _panel(ax, norm)
    return fig


# ---- The example worked by hand ------------------------------------------------------------------------------------


def _numbers(ax: Axes, marked: Tensor, colour: str) -> None:
    """Write the example's sixteen numbers, color the set of the followed one, and frame that."""
    n, c, _, w = BLOCK.shape
    size = style.by_width(11, 9)
    for image in range(n):
        for channel in range(c):
            for column in range(w):
                x, y = image * 2.5 + column, c - 1 - channel
                inside = bool(marked[image, channel])
                face = colour if inside else style.ink("wash")
                ax.add_patch(Rectangle((x, y), 1, 1, facecolor=face, edgecolor=style.ink("paper"), linewidth=1.5))
                followed = (image, channel, 0, column) == FOLLOWED
                ink = style.ink("paper") if inside else style.ink()
                weight = "bold" if followed else "normal"
                look: dict[str, Any] = {
                    "ha": "center",
                    "va": "center",
                    "color": ink,
                    "weight": weight,
                    "fontsize": size,
                }
                ax.text(x + 0.5, y + 0.48, f"{BLOCK[image, channel, 0, column]:g}", **look)
    corner = FOLLOWED[0] * 2.5 + FOLLOWED[3] + 0.06, c - 1 - FOLLOWED[1] + 0.06
    ax.add_patch(Rectangle(corner, 0.88, 0.88, facecolor="none", edgecolor=style.ink(), linewidth=2))


def _grid(ax: Axes, norm: Norm, groups: int = 2) -> None:
    """Draw the example's numbers with the set of the followed value, and print its mean and spread."""
    n, c = BLOCK.shape[:2]
    marked = same_set(norm.key, tuple(BLOCK.shape), FOLLOWED[:2], groups)
    colour = style.words(style.COLOURS[norm.colour])
    _numbers(ax, marked, colour)
    for image in range(n):
        ax.text(image * 2.5 + 1, c + 0.12, "AB"[image], ha="center", va="bottom", fontsize=style.by_width(10, 9))
    for channel in range(c):
        name = style.by_width("c = ", "c") + str(channel + 1)
        ax.text(-0.2, c - 0.5 - channel, name, ha="right", va="center", fontsize=style.by_width(9, 8.5))
    values = BLOCK[marked]
    mean, spread = values.mean(), values.std(correction=0)
    result = apply(norm.key, BLOCK, groups, eps=0)[FOLLOWED]
    look: dict[str, Any] = {
        "ha": "center",
        "va": "top",
        "fontsize": style.by_width(11, 8.5),
        "color": colour,
        "weight": "bold",
    }
    ax.text(2.25, -0.25, f"({BLOCK[FOLLOWED]:g} − {mean:g}) / {spread:g} = {result:.2f}", **look)
    ax.set_title(f"{norm.name}: {len(values.flatten())} values", fontsize=style.by_width(10.5, 8.5))
    ax.set(xlim=(-1.0, 4.7), ylim=(-0.95, c + 0.6), aspect="equal")
    ax.axis("off")


@figure(
    "norm-worked",
    caption=(
        "Images A and B, four channels, two positions. Colored: the set of the framed 8 under each norm; below, the 8 "
        "minus the set's mean, divided by its standard deviation. Group norm has two groups."
    ),
    alt=(
        "Sixteen numbers in a grid, shown four times. The framed 8 becomes 0.33 under batch norm (set 8, 2, 10, 8), "
        "0.20 under layer norm (all eight values of image A), 1.00 under instance norm (8 and 2), and 1.67 under "
        "group norm (2, 0, 8, 2)."
    ),
)
def worked() -> Figure:
    """Draw the example of the page with the set of one value colored under each norm."""
    fig, panels = style.new(7.2, 6.6, 2, 2, (4.2, 2))
    style.headline(fig, "Four norms make four different numbers of the same 8")
    for ax, norm in zip(panels.flat, NORMS, strict=True):
        _grid(ax, norm)
    return fig
