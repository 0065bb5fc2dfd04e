"""Normalization page: which outputs move when the batch changes. The still form of the explorer, and its numbers."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from bitdoc.figures import figure, style
from bitdoc.figures.normalization.blocks import NORMS, apply

#: The explorer's block, (3, 8, 2, 2): a line for each image, four positions for each channel. The widget has it too.
_EXPLORER = """
    9 7 8 4   3 2 5 6   1 0 2 1   6 9 9 8   4 4 1 3   7 5 9 7   2 6 3 1   5 3 6 2
    4 3 2 3   2 1 2 3   0 1 1 2   5 3 4 4   2 3 1 2   3 4 5 4   1 3 2 2   3 1 2 2
    14 6 9 19 1 11 8 0  9 2 0 13  17 8 5 14 9 0 13 6  6 16 18 8 7 0 11 2  3 12 0 9
"""
#: Image 2 is changed into these numbers.
_OTHER = "1 9 6 0   8 7 3 6   4 0 9 3   2 8 7 1   9 5 6 4   0 2 7 9   5 3 0 8   6 1 4 9"


def explorer_block(changed: bool = False) -> Tensor:
    """Return the explorer's block, ``(3, 8, 2, 2)``; with ``changed`` its second image is another one."""
    block = torch.tensor([float(number) for number in _EXPLORER.split()]).reshape(3, 8, 2, 2)
    if changed:
        block[1] = torch.tensor([float(number) for number in _OTHER.split()]).reshape(8, 2, 2)
    return block


def movement(
    kind: str,
    groups: int,
    changed: bool = True,
    members: tuple[int, ...] = (0, 1, 2),
    micro: bool = False,
    evaluation: bool = False,
) -> Tensor:
    """Mean absolute change of the normalized values of each image and channel, ``(3, 8)``, NaN outside the batch.

    Parameters
    ----------
    kind, groups : str, int
        The norm. What it makes of the three images together, in training, is what the change is measured from.
    changed : bool
        Whether image 2 is exchanged.
    members : tuple of int
        Images in the batch.
    micro : bool
        Whether each image is a batch of its own.
    evaluation : bool
        Whether batch norm takes running statistics, here those of the three images as they were.
    """
    before, block = explorer_block(), explorer_block(changed)
    after = torch.full_like(block, torch.nan)
    for batch in [[n] for n in members] if micro else [list(members)]:
        after[batch] = apply(kind, block[batch], groups)
    if evaluation and kind == "batch":
        spread = torch.sqrt(before.var((0, 2, 3), correction=0, keepdim=True) + 1e-5)
        after[list(members)] = ((block - before.mean((0, 2, 3), keepdim=True)) / spread)[list(members)]
    return (after - apply(kind, before, groups)).abs().mean((2, 3))


@figure(
    "norm-explorer",
    caption=(
        "Image 2 of three is exchanged for another. The darker a cell, the more the normalized values of that image "
        "and channel move; at the right the mean absolute change."
    ),
    alt=(
        "Four grids of three images by eight channels. Under batch norm the cells of all three images are colored "
        "although only image 2 was exchanged; under layer, instance and group norm images 1 and 3 change by exactly "
        "zero."
    ),
)
def explorer_still() -> Figure:
    """Draw how far each output moves when one image of the batch is exchanged."""
    fig, panels = style.new(7.2, 3.3, 2, 2, (6.0, 1))
    style.headline(fig, "Exchange one image, and only batch norm moves the others")
    for ax, norm in zip(panels.flat, NORMS, strict=True):
        moved = movement(norm.key, groups=4)
        for image in range(3):
            for channel in range(8):
                alpha = min(1.0, moved[image, channel].item() / 1.6)
                place = (channel, 2 - image)
                ax.add_patch(Rectangle(place, 1, 1, facecolor=style.COLOURS[norm.colour], alpha=alpha, linewidth=0))
                ax.add_patch(Rectangle(place, 1, 1, facecolor="none", edgecolor=style.ink("faint")))
            ax.text(8.2, 2.5 - image, f"{moved[image].mean():.2f}", va="center", fontsize=9)
            ax.text(-0.2, 2.5 - image, f"image {image + 1}", ha="right", va="center", fontsize=9)
        ax.text(4, -0.15, "8 channels", ha="center", va="top", fontsize=9)
        ax.set_title(norm.name + (", 4 groups" if norm.key == "group" else ""))
        ax.set(xlim=(-2.6, 9.7), ylim=(-0.8, 3.05), aspect="equal")
        ax.axis("off")
    return fig
