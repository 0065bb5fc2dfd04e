"""Normalization page: why group norm needs weight standardization. Channels' offsets over depth, run while drawing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import mean

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from bitdoc.figures import figure, style, table, value
from bitdoc.network import norms
from bitdoc.studies.normalization import channels

LAYERS, CHANNELS, GROUPS = 20, 64, 8
SEEDS = range(20)
#: Norm of the activations, whether filters are standardized, color and line.
TRIALS = {
    "BN": ("batch", False, "blue", "-"),
    "GN": ("group", False, "orange", "--"),
    "GN + WS": ("group", True, "orange", "-"),
}
#: The layer, counted from 1, whose filters are drawn against what they do to their channels.
SHOWN_LAYER = 2


@dataclass(frozen=True)
class Pass:
    """One pass through the layers.

    Attributes
    ----------
    offset, stuck : list of float
        :func:`~bitdoc.studies.normalization.channels.offset` and ``stuck`` behind the norm of each layer.
    push : Tensor
        For each filter of :data:`SHOWN_LAYER`: the sum of its weights times the mean of all its inputs.
    mean : Tensor
        Mean of that filter's outputs, before the norm.
    """

    offset: list[float]
    stuck: list[float]
    push: Tensor
    mean: Tensor


@cache
@torch.no_grad()
def forward(name: str, seed: int = 0, groups: int = GROUPS) -> Pass:
    """Send 16 noise images through twenty 3x3 convolutions with random weights, each with norm and ReLU.

    Weights have He et al.'s scale; borders are closed to a ring, so that every position sees 9 full taps.
    """
    kind, standardized, _, _ = TRIALS[name]
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(16, CHANNELS, 8, 8, generator=generator)
    offset, stuck = [], []
    for layer in range(1, LAYERS + 1):
        filters = torch.randn(CHANNELS, CHANNELS, 3, 3, generator=generator) * (2 / (CHANNELS * 9)) ** 0.5
        if standardized:
            filters = norms.standardize(filters)
        level = x.mean()
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), filters)
        if layer == SHOWN_LAYER:
            push, middle = filters.sum((1, 2, 3)) * level, x.mean((0, 2, 3))
            spread = x.std()
        x = norms.batch_norm(x) if kind == "batch" else norms.group_norm(x, groups)
        offset.append(channels.offset(x))
        stuck.append(channels.stuck(x))
        x = F.relu(x)
    return Pass(offset, stuck, push / spread, middle / spread)


def over_seeds(name: str, what: str) -> Tensor:
    """``"offset"`` or ``"stuck"`` of one trial, shape ``(seeds, layers)``."""
    return torch.tensor([getattr(forward(name, seed), what) for seed in SEEDS])


def _lines(ax: Axes, what: str, scale: float, places: dict[str, tuple[float, float]]) -> None:
    layers = range(1, LAYERS + 1)
    for name, (_, _, color, line) in TRIALS.items():
        rows = scale * over_seeds(name, what)
        ink = style.COLOURS[color]
        ax.fill_between(layers, rows.amin(0), rows.amax(0), color=ink, alpha=0.18, linewidth=0)
        ax.plot(layers, rows.mean(0), line, color=ink)
        ax.text(*places[name], name, color=style.words(ink), fontsize=9.5, ha="center", va="center")
    ax.set(xlabel="layer", xlim=(1, LAYERS))
    ax.set_xticks((1, 5, 10, 15, 20))


def _alt() -> str:
    last = {name: (over_seeds(name, "offset")[:, -1].mean(), over_seeds(name, "stuck")[:, -1]) for name in TRIALS}
    told = ", ".join(f"{name} {offset:.2f}" for name, (offset, _) in last.items())
    low, high = (100 * last["GN"][1].min(), 100 * last["GN"][1].max())
    return (
        "Left: with plain filters a channel's mean lies on the diagonal, where the sum of its weights times the mean "
        f"input says; with standardized filters all are near zero. Middle: after twenty layers the offset is {told}. "
        f"Right: with group norm alone {low:.0f} to {high:.0f} percent of the channels are stuck there, else none."
    )


@figure(
    "norm-offset",
    caption=(
        "Twenty convolutions with random weights, each with norm and ReLU. The mean of each channel of layer 2 against "
        "what its filter's sum makes of the mean input; channels' offsets, and stuck channels, over depth."
    ),
    measured=(
        "While the page is built: 3 × 3 convolutions of 64 channels, no training; GN: 8 groups. Left: before the "
        "norm, in standard deviations of the layer. Middle: distance of a channel's mean from 0 behind the norm, "
        "averaged over the channels, in standard deviations. Right: channels that the ReLU passes for less than 1% of "
        f"all values or for more than 99%. Mean and range of {len(SEEDS)} draws of weights and images."
    ),
    alt=_alt,
)
def offset() -> Figure:
    """Draw what pushes a channel, how far channels stand from zero over depth, and how many are stuck."""
    fig, (left, middle, right) = style.new(7.2, 3.4, 1, 3, (8.4, 1))
    style.headline(fig, "Group norm leaves a channel where its filter pushes it; standardized filters do not push")
    for name, fill in (("GN", False), ("GN + WS", True)):
        one, ink = forward(name), style.COLOURS["orange"]
        left.plot(one.push, one.mean, "o", color=ink, mfc=ink if fill else "none", ms=4, alpha=0.8)
    left.axline((0, 0), slope=1, color=style.ink(), linewidth=0.8, linestyle=":", zorder=0)
    left.set(xlabel="sum of weights × mean input", ylabel="mean of the channel", title="A filter's sum pushes it")
    left.annotate("GN", (0.75, 0.75), (0.35, 1.05), color=style.COLOURS["orange"], fontsize=9.5)
    left.text(0.2, -0.3, "GN + WS", color=style.COLOURS["orange"], fontsize=9.5)
    _lines(middle, "offset", 1, {"GN": (11, 0.8), "GN + WS": (13, 0.11), "BN": (4, -0.065)})
    middle.set(ylabel="offset of a channel", title="GN leaves the offset", ylim=(-0.12, 0.95))
    _lines(right, "stuck", 100, {"GN": (4.5, 17), "GN + WS": (14, -2.3), "BN": (4, -2.3)})
    right.set(ylabel="channels stuck, %", title="Channels get stuck", ylim=(-4, 40))
    return fig


@table(
    "norm-offset-groups",
    caption=f"After the {LAYERS} layers of {{numref}}`fig-norm-offset` with group norm and plain filters: offset and "
    f"stuck channels by size of the groups, mean of {len(SEEDS)} draws.",
)
def by_group_size() -> list[list[str]]:
    """A row for each size of the groups, from instance norm to layer norm."""
    rows = [["channels in a group", "offset", "channels stuck"]]
    for size in (1, 2, 8, 32, CHANNELS):
        runs = [forward("GN", seed, CHANNELS // size) for seed in SEEDS]
        told = {1: " (instance norm)", CHANNELS: " (layer norm)"}.get(size, "")
        offset, stuck = (mean(values) for values in ([r.offset[-1] for r in runs], [r.stuck[-1] for r in runs]))
        rows.append([f"{size}{told}", f"{offset:.2f}", f"{100 * stuck:.0f}%"])
    return rows


def _value(id: str, name: str, what: str, text: str) -> None:
    def told() -> str:
        last = over_seeds(name, what)[:, -1]
        percent = 100 * last
        return text.format(mean=last.mean(), percent=percent.mean(), low=percent.min(), high=percent.max())

    value(id)(told)


_value("norm-offset-gn", "GN", "offset", "{mean:.2f}")
_value("norm-offset-gn-ws", "GN + WS", "offset", "{mean:.2f}")
_value("norm-stuck-gn", "GN", "stuck", "{percent:.0f}%")
_value("norm-stuck-gn-range", "GN", "stuck", "{low:.0f} to {high:.0f}%")


@value("norm-push-correlation")
def push_correlation() -> str:
    """Correlation, in layer 2 with group norm, of a channel's mean with its filter's sum times the mean input."""
    pairs = [forward("GN", seed) for seed in SEEDS]
    return f"{mean(torch.corrcoef(torch.stack([p.push, p.mean]))[0, 1].item() for p in pairs):.3f}"
