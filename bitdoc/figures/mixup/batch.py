"""A batch of real CIFAR-10 images, mixed as the official code mixes it.

The data set does not come with the package, so the twelve small pictures of the figure are kept in a file beside this
module; :func:`make` makes it anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bitdoc import data
from bitdoc.figures import figure, style
from bitdoc.training.mixup import mix

LAM = 0.7
CHOSEN, PARTNER = (0, 1, 3, 8), (2, 3, 1, 0)  # classes, and who is mixed with whom
SEED = 3
ROWS = ("batch", "partner", f"{LAM} + {1 - LAM:.1f}")
CACHE = Path(__file__).with_name("batch.png")


def make(datadir: str | None = None, path: Path = CACHE) -> None:
    """Mix four CIFAR-10 test images and keep the pictures in ``path``, with a note of where they come from."""
    images = data.load("cifar10", "test", datadir)
    chosen = data.few_shot_indices(images.labels, 1, seed=SEED)[list(CHOSEN)]
    pixels = images.subset(chosen).fetch(torch.arange(len(CHOSEN))).double()
    partner = torch.tensor(PARTNER)
    rows = torch.stack([pixels, pixels[partner], mix(pixels, LAM, partner)]).round().byte()
    note = PngInfo()
    note.add_text("source", f"CIFAR-10 test images {', '.join(map(str, chosen.tolist()))}, {images.encoding}")
    Image.fromarray(rows.permute(0, 3, 1, 4, 2).reshape(len(ROWS) * 32, len(CHOSEN) * 32, 3).numpy()).save(
        path, pnginfo=note, optimize=True
    )


def pictures(path: Path = CACHE) -> tuple[np.ndarray, str]:
    """Read the kept pictures, uint8 ``(rows, columns, 32, 32, 3)``, and the note of where they come from."""
    with Image.open(path) as kept:
        sheet, source = np.asarray(kept.convert("RGB")), kept.info["source"]
    return sheet.reshape(len(ROWS), 32, len(CHOSEN), 32, 3).transpose(0, 2, 1, 3, 4), source


@figure(
    "mixup-batch",
    caption=f"The batch, the same batch in a shuffled order, and {LAM} of the first plus {1 - LAM:.1f} of the second, "
    "as BiT's code has it. One $\\lambda$ serves the whole batch.",
    measured=lambda: f"Cached pictures: {pictures()[1]} {{cite:p}}`krizhevsky2009learning`.",
    alt=(
        f"Three rows of four small CIFAR-10 images: the batch, its shuffled copy, and their blend with weight {LAM}, "
        "in which the upper image dominates. Below each blend stand its two labels with their weights."
    ),
    format="png",
)
def batch() -> Figure:
    """The batch, its permutation and the blend."""
    fig, axes = style.new(7.2, 6.1, len(ROWS), len(CHOSEN), (3.6, len(CHOSEN)))
    style.headline(fig, "A batch is mixed with itself, in another order")
    names = [data.CIFAR10_CLASSES[label] for label in CHOSEN]
    for line, title, row in zip(axes, ROWS, pictures()[0], strict=True):
        for ax, picture in zip(line, row, strict=True):
            _show(ax, picture)
        line[0].set_ylabel(title, fontsize=style.by_width(12, 9))
    for column, ax in enumerate(axes[-1]):
        parts = [f"{LAM} {names[column]}", f"{1 - LAM:.1f} {names[PARTNER[column]]}"]
        told = "\n".join(part.replace(" ", style.by_width(" ", "\n")) for part in parts)
        ax.set_xlabel(told, fontsize=style.by_width(11, 8.5))
    return fig


def _show(ax: Axes, picture: np.ndarray) -> None:
    ax.imshow(picture)
    ax.set(xticks=(), yticks=())
    ax.spines[:].set_visible(False)
