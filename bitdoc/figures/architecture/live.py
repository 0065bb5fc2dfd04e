"""Measured while the page is built: what the wrong padding of the root changes."""

from __future__ import annotations

from functools import cache

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from bitdoc.figures import figure, style, value
from bitdoc.network.resnet import Root, build

_SEEDS = (0, 1, 2)


def clouds(images: int, side: int, seed: int) -> Tensor:
    """Make random pictures with the 1/f spectrum of photographs, ``(images, 3, side, side)`` in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.fft.fft2(torch.randn(images, 3, side, side, generator=generator))
    frequency = torch.fft.fftfreq(side)
    radius = torch.hypot(frequency[:, None], frequency[None, :]).clamp_min(1 / side)
    pictures = torch.fft.ifft2(noise / radius).real
    return pictures / pictures.abs().amax((1, 2, 3), keepdim=True)


def padded_with_infinity(root: Root, x: Tensor) -> Tensor:
    """The root as one would first write it: ``MaxPool2d(3, 2, padding=1)``, which pads with minus infinity."""
    return F.max_pool2d(root.conv(x), kernel_size=3, stride=2, padding=1)


@cache
@torch.no_grad()
def _padding_effect(side: int) -> tuple[Tensor, list[float]]:
    """Return the share of root outputs that differ at each position, and the relative change of the features."""
    differs, changes = torch.zeros(side // 4, side // 4), []
    for seed in _SEEDS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build("R50x0.25", 0)
        x = clouds(2, side, seed)
        right, wrong = model.root(x), padded_with_infinity(model.root, x)
        differs += (right != wrong).float().mean((0, 1)) / len(_SEEDS)
        features = [F.relu(model.norm(model.stages(start))).mean((2, 3)) for start in (right, wrong)]
        changes += ((features[0] - features[1]).norm(dim=1) / features[0].norm(dim=1)).tolist()
    return differs, changes


@value("arch-padding-32")
def padding_change() -> str:
    """Mean relative change of the features by the wrong root padding at 32 pixels."""
    changes = _padding_effect(32)[1]
    return f"{100 * sum(changes) / len(changes):.0f}%"


def _padding_alt() -> str:
    small, large = (sum(changes) / len(changes) for changes in (_padding_effect(32)[1], _padding_effect(224)[1]))
    return (
        "Left, a 16 by 16 map that is empty but for its first row and first column. Right, the relative change of the"
        f" features falls from {100 * small:.0f} percent at 32 pixels to {100 * large:.0f} at 224."
    )


@figure(
    "arch-padding",
    caption="A root padded with minus infinity instead of zeros: outputs that differ, by position, for 64-pixel"
    " images; and how far the pooled features move, by the size of the image.",
    measured="While the page is built: three random networks (R50x0.25) and two random 1/f pictures each; the line "
    "joins the means. At even sizes the last row of padding is never read.",
    alt=_padding_alt,
)
def draw_padding() -> Figure:
    """Draw where the root's output changes, and by how much the features move."""
    fig, (left, right) = style.new(7.2, 3.4, 1, 2, (5.8, 1), gridspec_kw={"wspace": 0.08})
    style.headline(fig, "Wrong padding changes the rim, and moves the features of small images most")
    differs, _ = _padding_effect(64)
    left.set_title("Outputs of the root that differ, %")
    picture = left.pcolormesh(100 * differs, cmap="cividis", edgecolors="face")
    left.invert_yaxis()
    left.set(aspect="equal", xlabel="column", ylabel="row", xticks=[0, 8, 16], yticks=[0, 8, 16])
    fig.colorbar(picture, ax=left, shrink=0.9)
    sides = (32, 64, 128, 224)
    changes = [[100 * change for change in _padding_effect(side)[1]] for side in sides]
    for side, points in zip(sides, changes, strict=True):
        right.plot([side] * len(points), points, "o", color=style.COLOURS["orange"], alpha=0.6)
    right.plot(sides, [sum(points) / len(points) for points in changes], color=style.COLOURS["orange"])
    right.set(ylim=(0, None), xticks=sides, xlabel="side of the image, pixels")
    right.set_title("Relative change of the features, %")
    right.grid(axis="y")
    return fig
