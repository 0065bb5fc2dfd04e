"""Two experiments that run while the page is built: gradients without normalization, and the root's padding."""

from __future__ import annotations

from functools import cache

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from bitdoc.figures import figure, style, value
from bitdoc.network.resnet import BottleneckV1, PreActBottleneck, ResNetV1, ResNetV2, Root, architecture, build

_DEPTHS = (50, 101, 200)
_SEEDS = (0, 1, 2)
_LOOK = {"v1": "orange", "v2": "blue"}


def block_gradients(version: str, depth: int, seed: int, shortcuts_only: bool = False) -> list[float]:
    """Measure the norm of the gradient at the output of every block of an untrained network without normalization.

    Parameters
    ----------
    version : {"v1", "v2"}
        Which block; the networks are 1/8 as wide as usual and have the initialization of He et al. (2015).
    depth : int
        50, 101 or 200 layers.
    seed : int
        For weights, images and the random direction in the logits from which the gradient starts.
    shortcuts_only : bool
        Let no gradient through the branches, so that what arrives came along the shortcuts.

    Returns
    -------
    list of float
        From the first block to the last, divided by the last.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        arch = architecture(f"R{depth}x0.125")
        model: ResNetV1 | ResNetV2
        model = ResNetV1(arch, 10, "none") if version == "v1" else ResNetV2(arch, 10, "none", standardized=False)
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight)
        outputs: list[Tensor] = []
        for block in (module for module in model.modules() if isinstance(module, BottleneckV1 | PreActBottleneck)):
            block.register_forward_hook(lambda _, __, out: outputs.append(out))
            if shortcuts_only:
                block.conv_c.register_forward_hook(lambda _, __, out: out.detach())
        logits = model(torch.randn(4, 3, 32, 32))
        gradients = torch.autograd.grad((logits * torch.randn_like(logits)).sum(), outputs)
    norms = [gradient.double().norm().item() for gradient in gradients]
    return [norm / norms[-1] for norm in norms]


@cache
def _gradients(shortcuts_only: bool) -> dict[tuple[str, int], list[list[float]]]:
    return {
        (version, depth): [block_gradients(version, depth, seed, shortcuts_only) for seed in _SEEDS]
        for version in _LOOK
        for depth in _DEPTHS
    }


def _at_first_block(version: str, depth: int) -> float:
    """Median over the seeds of what reaches the first block along the shortcuts."""
    return sorted(run[0] for run in _gradients(True)[version, depth])[len(_SEEDS) // 2]


@value("arch-gradient-v1")
def gradient_v1() -> str:
    """Share of the gradient that reaches the first of 50 layers' blocks along v1's shortcuts."""
    return f"{100 * _at_first_block('v1', 50):.0f}%"


@value("arch-gradient-v2")
def gradient_v2() -> str:
    """The same along v2's shortcuts at 200 layers."""
    return f"{100 * _at_first_block('v2', 200):.0f}%"


@figure(
    "arch-gradients",
    caption="Gradient at every block of untrained networks without any normalization, relative to the last block;"
    " width ×1/8, three random starts each. Left: the whole gradient. It explodes with depth in v1 and v2 alike,"
    " because every branch adds its part; taming that is the norm's work. Right: only what comes back along the"
    " shortcuts. Every ReLU on v1's trunk blocks some of it, until nothing is left at 200 layers; in v2 it changes at"
    " the four projections alone.",
    alt="Two panels over the number of blocks passed backward. Left, on a log scale, v1 and v2 lie together and grow"
    " by orders of magnitude with depth. Right, along the shortcuts only, v1 falls steadily, to zero in the 200-layer"
    " network, while v2 stays near one at all three depths.",
)
def draw_gradients() -> Figure:
    """Draw the gradients of 50-, 101- and 200-layer networks, whole and along the shortcuts."""
    fig, (whole, clean) = style.new(7.2, 3.7, columns=2)
    for ax, shortcuts_only in ((whole, False), (clean, True)):
        for (version, depth), runs in _gradients(shortcuts_only).items():
            _draw_runs(ax, version, depth, runs)
        ax.set_xlabel("blocks passed on the way back")
        ax.grid(axis="y")
    whole.set_yscale("log")
    whole.set_title("whole gradient")
    whole.set_ylabel("norm, last block = 1")
    clean.set_title("along the shortcuts only")
    clean.set_ylim(0, 1.5)
    whole.text(4, 3e5, "v1", color=style.COLOURS["orange"], fontsize=12)
    whole.text(12, 3e5, "v2", color=style.COLOURS["blue"], fontsize=12)
    clean.text(40, 1.25, "v2", color=style.COLOURS["blue"], fontsize=12)
    clean.text(22, 0.38, "v1", color=style.COLOURS["orange"], fontsize=12)
    return fig


def _draw_runs(ax: Axes, version: str, depth: int, runs: list[list[float]]) -> None:
    colour, count = style.COLOURS[_LOOK[version]], len(runs[0])
    back = range(count - 1, -1, -1)
    runs = sorted(runs, key=lambda run: run[0])
    lowest, highest = ([pick(column) for column in zip(*runs, strict=True)] for pick in (min, max))
    ax.fill_between(back, lowest, highest, color=colour, alpha=0.2, linewidth=0)
    ax.plot(back, runs[len(runs) // 2], color=colour, linewidth=1.5)
    ax.plot(count - 1, runs[len(runs) // 2][0], "o", color=colour, markersize=4)
    if version == "v2":
        ax.annotate(
            f"{depth} layers", (count - 1, highest[0]), (0, 6), textcoords="offset points", ha="center", fontsize=9
        )


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
    caption="A root padded with minus infinity instead of zeros. Left: share of the root's outputs that differ at each"
    " position, for 64-pixel images: the first row and the first column, where every window holds padding. (At even"
    " sizes the last row of padding is never read.) Right: how far the network's pooled features move, for three"
    " random networks (R50x0.25) and two random 1/f pictures each; the line joins the means. Small images suffer most.",
    alt=_padding_alt,
)
def draw_padding() -> Figure:
    """Draw where the root's output changes, and by how much the features move."""
    fig, (left, right) = style.new(7.2, 3.2, columns=2, gridspec_kw={"wspace": 0.08})
    differs, _ = _padding_effect(64)
    left.set_title("outputs of the root that differ, %")
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
    right.set_title("relative change of the features, %")
    right.grid(axis="y")
    return fig
