"""Measured while the page is built: how gradients travel through v1 and v2 as the networks grow deeper."""

from __future__ import annotations

from functools import cache, partial
from statistics import median

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from bitdoc.figures import figure, style, value
from bitdoc.network.resnet import (
    DEPTHS,
    BottleneckV1,
    PreActBottleneck,
    ResNetV1,
    ResNetV2,
    architecture,
)

_DEPTHS = (50, 101, 200)
_SEEDS = (0, 1, 2)
_LOOK = {"v1": "orange", "v2": "blue"}
#: First and last block of the third stage of 200 layers: on the 35 blocks between their outputs no shape changes.
_THIRD_STAGE = (sum(DEPTHS[200][:2]), sum(DEPTHS[200][:3]) - 1)


def untrained(version: str, depth: int) -> ResNetV1 | ResNetV2:
    """Build a network with batch norm, 1/4 as wide as usual, with the initialization of He et al. (2015)."""
    arch = architecture(f"R{depth}x0.25")
    model: ResNetV1 | ResNetV2
    model = ResNetV1(arch, 10, "batch") if version == "v1" else ResNetV2(arch, 10, "batch", standardized=False)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight)
    return model


def _blocks(model: nn.Module) -> list[BottleneckV1 | PreActBottleneck]:
    return [module for module in model.modules() if isinstance(module, BottleneckV1 | PreActBottleneck)]


def block_gradients(version: str, depth: int, seed: int, shortcuts_only: bool = False) -> list[float]:
    """Measure the norm of the gradient at the output of every block of an untrained network with batch norm.

    Parameters
    ----------
    version : {"v1", "v2"}
        Which block.
    depth : int
        50, 101 or 200 layers.
    seed : int
        For weights, the 16 noise images of 64 pixels, and the direction in the logits from which the gradient starts.
    shortcuts_only : bool
        Let no gradient through the branches, so that what arrives came along the shortcuts.

    Returns
    -------
    list of float
        From the first block to the last, divided by the last.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = untrained(version, depth)
        outputs: list[Tensor] = []
        for block in _blocks(model):
            block.register_forward_hook(lambda _, __, out: outputs.append(out))
            if shortcuts_only:
                block.conv_c.register_forward_hook(lambda _, __, out: out.detach())
        logits = model(torch.randn(16, 3, 64, 64))
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


def _at_first_block(version: str, depth: int, shortcuts_only: bool = False) -> float:
    """Median over the seeds of the gradient at the first block, relative to the last."""
    return median(run[0] for run in _gradients(shortcuts_only)[version, depth])


def _through_third_stage(version: str) -> float:
    """Median share of the gradient that 35 blocks without a projection pass back along the shortcuts."""
    first, last = _THIRD_STAGE
    return median(run[first] / run[last] for run in _gradients(True)[version, 200])


@torch.no_grad()
def branch_share(version: str, seed: int) -> float:
    """How large the branch is beside the sum it is added to, in the last block of the third stage at 200 layers.

    Returns the ratio of their standard deviations over images and positions, both as the mean over channels.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = untrained(version, 200)
        block = _blocks(model)[_THIRD_STAGE[1]]
        spread: dict[str, float] = {}
        branch = block.norm_c if version == "v1" else block.conv_c
        branch.register_forward_hook(lambda _, __, out: spread.update(branch=_spread(out)))
        block.register_forward_hook(lambda _, inputs, __: spread.update(sum=_spread(inputs[0])))
        model(torch.randn(16, 3, 64, 64))
    return spread["branch"] / spread["sum"]


def _spread(x: Tensor) -> float:
    return x.std((0, 2, 3)).square().mean().sqrt().item()


def _passed(version: str) -> str:
    return f"{100 * _through_third_stage(version):.0f}%"


def _share(version: str) -> str:
    return f"{100 * median(branch_share(version, seed) for seed in _SEEDS):.0f}%"


def _times(version: str, depth: int) -> str:
    return f"{float(f'{_at_first_block(version, depth):.2g}'):,.0f}"


# Quoted on the page, at 200 layers: the whole gradient at the first block, in units of the last and rounded to two
# digits; what the shortcuts of the third stage pass; and how large a branch is beside the sum.
for _version in _LOOK:
    value(f"arch-gradient-{_version}")(partial(_times, _version, 200))
    value(f"arch-shortcut-{_version}")(partial(_passed, _version))
    value(f"arch-share-{_version}")(partial(_share, _version))


def _gradients_alt() -> str:
    whole = [f"{depth} layers {_times('v1', depth)} in v1 and {_times('v2', depth)} in v2" for depth in _DEPTHS]
    clean = [
        f"{depth} layers {100 * _at_first_block('v1', depth, True):.2g} and "
        f"{100 * _at_first_block('v2', depth, True):.2g} percent"
        for depth in _DEPTHS
    ]
    return (
        "Two panels over the number of blocks passed backward, logarithmic. Left, the whole gradient at the first "
        f"block, in units of the last: {', '.join(whole)}. Right, what arrives along the shortcuts alone: "
        f"{', '.join(clean)}. In v1 it falls at every block; in v2 it is level inside a stage and steps down at three "
        "projections."
    )


@figure(
    "arch-gradients",
    caption="Gradient at every block on its way back, in units of the last block's, for 50, 101 and 200 layers. Along"
    " the shortcuts v1 loses some of it at every block, v2 at the three projections; there the whole jumps, too.",
    measured="While the page is built: untrained networks with batch norm, width ×1/4; lines are medians of three "
    "random starts, bands span them. In v1 a ReLU stands on the shortcut; v2's projections read a normalized sum.",
    alt=_gradients_alt,
)
def draw_gradients() -> Figure:
    """Draw the gradients of 50-, 101- and 200-layer networks, whole and along the shortcuts."""
    fig, (whole, clean) = style.new(7.2, 4.1, 1, 2, (6.6, 1))
    style.headline(fig, "Nothing stands on v2's shortcut, so gradients come through")
    for ax, shortcuts_only in ((whole, False), (clean, True)):
        for (version, depth), runs in _gradients(shortcuts_only).items():
            _draw_runs(ax, version, depth, runs)
        ax.set(yscale="log", xlabel="blocks passed on the way back", xlim=(-2, 76))
        style.plain(ax.yaxis)
        ax.minorticks_off()
        ax.grid(axis="y")
    whole.set_title("Whole gradient: grows faster in v1")
    whole.set_ylabel("norm, last block = 1")
    whole.set_ylim(0.5, 2e4)
    clean.set_title("Along the shortcuts: level in v2")
    clean.set_ylim(1.5e-3, 4)
    _mark_third_stage(clean)
    return fig


def _mark_third_stage(ax: Axes) -> None:
    """Bracket the blocks of 200 layers over which the page tells what the shortcuts pass."""
    last = sum(DEPTHS[200]) - 1
    end, start = (last - block for block in _THIRD_STAGE)
    ax.annotate("", (end, 0.62), (start, 0.62), arrowprops={"arrowstyle": "|-|,widthA=0.25,widthB=0.25", "lw": 1.1})
    text = f"third stage of 200 layers:\nv2 passes {_passed('v2')}, v1 {_passed('v1')}"
    ax.text(start + 4, 1.15, text, ha="left", va="bottom", fontsize=style.by_width(10, 9), linespacing=1.3)


def _draw_runs(ax: Axes, version: str, depth: int, runs: list[list[float]]) -> None:
    """Draw the median of the runs as a line in a band from the lowest to the highest."""
    count, colour = len(runs[0]), style.COLOURS[_LOOK[version]]
    back = range(count)
    ways = [[pick(at) for at in zip(*(run[::-1] for run in runs), strict=True)] for pick in (min, median, max)]
    ax.fill_between(back, ways[0], ways[2], color=colour, alpha=0.2, linewidth=0)
    ax.plot(back, ways[1], color=colour, linewidth=1.5)
    ax.plot(count - 1, ways[1][-1], "o", color=colour, markersize=4)
    if depth == max(_DEPTHS):
        style.label(ax, count - 1, ways[1][-1], version, colour)
    if version == "v1":  # the depth once, where no line runs: above a gradient that has grown, else below
        ends = {"xytext": (4, 9)} if ways[1][-1] > 1 else {"xytext": (4, -12)}
        style.label(ax, count - 1, ways[1][-1], f"{depth} layers", style.ink(), ha="right", **ends)
