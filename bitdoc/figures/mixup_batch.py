"""A batch of real CIFAR-10 images, mixed as the official code mixes it."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc import data
from bitdoc.figures import figure, style
from bitdoc.mixup import mix

LAM = 0.7
CHOSEN, PARTNER = (0, 1, 3, 8), (2, 3, 1, 0)  # classes, and who is mixed with whom
COMMAND = f"{data.DATA_VARIABLE}=<folder with CIFAR-10> nox -s docs"


@cache
def cifar() -> data.Images | None:
    """Four CIFAR-10 test images of four classes; None where the data set is not on this computer (no download)."""
    folder = data.data_folder(None)
    if not any((folder / part).is_dir() for part in ("cifar10-jpeg", "cifar10", "cifar-10-batches-py")):
        return None
    images = data.load("cifar10", "test", folder)
    one_of_each = data.few_shot_indices(images.labels, 1, seed=3)
    return images.subset(one_of_each[list(CHOSEN)])


def _caption() -> str:
    images = cifar()
    source = (
        f"CIFAR-10 {{cite:p}}`krizhevsky2009learning`, stored as {images.encoding}"
        if images
        else "not drawn in this build"
    )
    return (
        f"A batch and how BiT mixes it: the batch, the same batch in a shuffled order, and {LAM} of the first plus "
        f"{1 - LAM:.1f} of the second. One $\\lambda$ serves the whole batch. Images: {source}."
    )


def _alt() -> str:
    if cifar() is None:
        return "An empty place: the CIFAR-10 images are not on the computer that built this page."
    return (
        f"Three rows of four small CIFAR-10 images: the batch, its shuffled copy, and their blend with weight {LAM}, "
        "in which the upper image dominates. Below each blend stand its two labels with their weights."
    )


@figure("mixup-batch", caption=_caption, alt=_alt, format="png")
def batch() -> Figure:
    """The batch, its permutation and the blend; an empty labelled place without the data."""
    images = cifar()
    if images is None:
        fig, ax = style.new(7.2, 1.6)
        ax.set(xticks=(), yticks=(), facecolor=style.ink("wash"))
        text = f"CIFAR-10 is not on this computer. To draw this figure:\n{COMMAND}"
        ax.text(0.5, 0.5, text, ha="center", va="center")
        return fig
    partner = torch.tensor(PARTNER)
    pixels = images.fetch(torch.arange(len(CHOSEN))).double()
    rows = {"batch": pixels, "partner": pixels[partner], f"{LAM} + {1 - LAM:.1f}": mix(pixels, LAM, partner)}
    fig, axes = style.new(7.2, 5.9, len(rows), len(CHOSEN))
    names = [images.classes[label] for label in images.labels]
    for line, (title, pictures) in zip(axes, rows.items(), strict=True):
        for ax, picture in zip(line, pictures, strict=True):
            _show(ax, picture.round().byte().permute(1, 2, 0).numpy())
        line[0].set_ylabel(title, fontsize=12)
    for column, ax in enumerate(axes[-1]):
        ax.set_xlabel(f"{LAM} {names[column]}\n{1 - LAM:.1f} {names[partner[column]]}", fontsize=11)
    return fig


def _show(ax: Axes, picture: np.ndarray) -> None:
    ax.imshow(picture)
    ax.set(xticks=(), yticks=())
    ax.spines[:].set_visible(False)
