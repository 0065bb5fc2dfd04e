"""Normalization page: experiments on activations, run live while the figure is drawn."""

from __future__ import annotations

import math
from functools import cache

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from bitdoc.figures import figure, style, value
from bitdoc.network import norms, resnet

# ---- The scale of activations through twenty layers ----------------------------------------------------------------

LAYERS = 20
_DEFAULT = "PyTorch's default"
#: Standard deviation of the weights, in units of He et al.'s sqrt(2 / fan-in). PyTorch's default is sqrt(1/6) of it.
STARTS = {"1.5 × He": 1.5, "He": 1.0, _DEFAULT: (1 / 6) ** 0.5}
DRAWS = range(10)


@cache
@torch.no_grad()
def scales(start: str, kind: str | None, seed: int = 0) -> list[float]:
    """Root mean square of the activations after each of twenty 3x3 convolutions with ReLU.

    ``start`` is a key of :data:`STARTS`; ``kind`` is a norm before each ReLU, or None. The input is 16 noise images.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(16, 32, 8, 8, generator=generator)
    out = [x.square().mean().sqrt().item()]
    for _ in range(LAYERS):
        filters = torch.randn(32, 32, 3, 3, generator=generator) * STARTS[start] * (2 / (32 * 9)) ** 0.5
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), filters)
        if kind == "batch":
            x = norms.batch_norm(x)
        elif kind == "group":
            x = norms.group_norm(x, groups=8)
        x = F.relu(x)
        out.append(x.square().mean().sqrt().item())
    return out


def expected_scale(start: str, layer: int) -> float:
    """Root of the mean square that the activations have after ``layer`` layers, averaged over all random weights.

    He's scale doubles the mean square in the convolution, and the ReLU halves it; any other scale enters squared.
    """
    return STARTS[start] ** layer


@figure(
    "norm-depth",
    caption=(
        "Size of the activations through twenty convolutions with ReLU, from three scales of random weights (He: the "
        "one that keeps the size): without a norm, and with batch norm (line) or group norm (circles) in each layer."
    ),
    measured=(
        f"While the page is built: 32 channels; root mean square. Without a norm each thin line is one of {len(DRAWS)} "
        "draws of the weights, the dashed line the average over all weights; with a norm one draw, and the three "
        "starts coincide."
    ),
    alt=(
        f"Left, on a logarithmic axis: with weights 1.5 times He's the activations grow by {1.5**LAYERS:,.0f} over "
        f"twenty layers, with He's they stay level, with PyTorch's default they shrink by "
        f"{6 ** (LAYERS / 2) / 1e6:.0f} million. Right, with batch or group norm, all lines are "
        "flat and lie on each other."
    ),
)
def depth() -> Figure:
    """Draw the scale of activations through twenty layers, without and with normalization."""
    fig, (left, right) = style.new(7.2, 3.6, 1, 2, (6.0, 1), sharey=True)
    style.headline(fig, "Without a norm activations grow or die; with one they stay")
    layers = range(LAYERS + 1)
    for start in STARTS:
        ink = style.COLOURS["grey"]
        for seed in DRAWS:
            left.plot(layers, scales(start, None, seed), color=ink, linewidth=0.7, alpha=0.6)
        left.plot(layers, [expected_scale(start, layer) for layer in layers], "--", color=style.ink(), linewidth=1.6)
        place = LAYERS if start != _DEFAULT else LAYERS // 2
        nudge = {"xytext": (-4, 12), "ha": "right"} if place == LAYERS else {"xytext": (6, 10), "ha": "left"}
        style.label(left, place, expected_scale(start, place), start, ink, **nudge)
        right.plot(layers, scales(start, "batch"), color=style.COLOURS["blue"])
        right.plot(layers, scales(start, "group"), "o", color=style.COLOURS["orange"], mfc="none", ms=6)
    left.set(yscale="log", xlabel="layer", ylabel="size of activations (rms)", title="Without a norm")
    left.set_yticks([1e4, 1, 1e-4, 1e-8], ["10,000", "1", "1/10,000", "1/100 million"])
    left.minorticks_off()
    right.set(xlabel="layer", title="With a norm")
    right.text(LAYERS / 2, 6, "all three starts, batch or group norm", ha="center", fontsize=9)
    for ax in (left, right):
        ax.set_xticks(range(0, LAYERS + 1, 5))
        ax.grid(axis="y")
    return fig


# Factor by which twenty layers grow with weights 1.5 times He's, and shrink with PyTorch's, averaged over all weights.
value("norm-depth-grow")(lambda: f"{expected_scale('1.5 × He', LAYERS):,.0f}")
value("norm-depth-shrink")(lambda: f"{1e-6 / expected_scale(_DEFAULT, LAYERS):,.0f} million")


# ---- What a batch of 2, 8 or 32 does to a mean ----------------------------------------------------------------------

BATCHES = (2, 8, 32)


@cache
def batch_means(batch: int, draws: int = 400) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of ``draws`` random batches from a population of mean 0 and spread 1."""
    values = torch.randn(draws, batch, generator=torch.Generator().manual_seed(batch))
    return values.mean(1), values.std(1, correction=0)


def exact_statistics(batch: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """What :func:`batch_means` scatters around: mean and spread of the batches' means, and of their spreads.

    ``batch`` times the variance of a normal batch is chi-square distributed with ``batch - 1`` degrees of freedom.
    """
    spread = math.sqrt(2 / batch) * math.gamma(batch / 2) / math.gamma((batch - 1) / 2)
    return (0.0, batch**-0.5), (spread, math.sqrt((batch - 1) / batch - spread**2))


@figure(
    "norm-batch-mean",
    format="png",
    caption=(
        "Each dot is the mean or the standard deviation of one random batch of 2, 8 or 32 values from a population of "
        "mean 0 and standard deviation 1 (dashed)."
    ),
    measured=(
        "While the page is built: 400 batches of each size from a normal population. The bars and their numbers are "
        "exact: the average over all batches, and one standard deviation to either side."
    ),
    alt=(
        "Clouds of dots. Means of batches of 2 scatter by 0.71, of 32 only by 0.18. The standard deviation of a batch "
        "of 2 is often near 0 and 0.56 on average, where the truth is 1."
    ),
)
def batch_mean() -> Figure:
    """Draw how far the statistics of small batches scatter."""
    fig, panels = style.new(7.2, 3.5, 1, 2, (6.0, 1), sharey=True)
    style.headline(fig, "The smaller the batch, the less its mean and its spread can be trusted")
    for index, (ax, truth) in enumerate(zip(panels, (0, 1), strict=True)):
        ax.axvline(truth, color=style.ink(), linestyle="--", linewidth=1)
        for row, batch in enumerate(BATCHES):
            dots = batch_means(batch)[index]
            height = row + 0.5 * (torch.rand(len(dots), generator=torch.Generator().manual_seed(row)) - 0.5)
            ax.plot(dots.tolist(), height.tolist(), ".", color=style.COLOURS["blue"], alpha=0.35, ms=4)
            center, spread = exact_statistics(batch)[index]
            ax.plot([center - spread, center + spread], [row - 0.36] * 2, color=style.ink(), linewidth=3)
            style.label(ax, center + spread, row - 0.37, f"{center:.2f} ± {spread:.2f}", style.ink())
        ax.set_yticks(range(len(BATCHES)), [f"batch of {batch}" for batch in BATCHES])
    panels[0].set(xlabel="mean of the batch", ylim=(len(BATCHES) - 0.55, -0.6))
    panels[1].set(xlabel="standard deviation of the batch")
    return fig


@value("norm-batch2-spread")
def batch2_spread() -> str:
    """Average standard deviation of a batch of two values from a normal population whose own is 1."""
    return f"{exact_statistics(2)[1][0]:.2f}"


# ---- Running statistics, and what another data set does to them -----------------------------------------------------

MOVE = 60  # step at which the data set changes


@cache
def running(steps: int = 100, batch: int = 8) -> tuple[list[float], list[float]]:
    """Batch means, and the running mean of the batch-norm layer of this package, before and after a change of data."""
    generator = torch.Generator().manual_seed(3)
    layer, means, track = norms.Norm2d("batch", 1), [], []
    for step in range(steps):
        level, spread = (1.0, 1.0) if step < MOVE else (2.5, 1.6)
        x = level + spread * torch.randn(batch, 1, 1, 1, generator=generator)
        layer(x)
        means.append(x.mean().item())
        track.append(layer.running_mean.item())
    return means, track


@figure(
    "norm-running",
    caption=(
        "One channel of a batch-norm layer. Dots: the mean of each training batch, which training subtracts. Line: the "
        "running mean, which inference subtracts. At step 60 the data set changes."
    ),
    measured=(
        "While the page is built: 8 values a batch; each step moves the line one tenth of the way to the dot, "
        "PyTorch's default."
    ),
    alt=(
        "Dots scatter around 1 and, from step 60 on, around 2.5. The running mean climbs from 0 to 1 in about twenty "
        "steps, stays there, and needs about twenty steps more to follow the jump."
    ),
)
def running_statistics() -> Figure:
    """Draw batch means and the running mean, with a change of data set."""
    means, track = running()
    fig, ax = style.new(7.2, 3.3, narrow=(3.7, 1))
    style.headline(fig, "When the data change, the running mean fits neither data for some twenty steps")
    ax.plot(means, "o", color=style.COLOURS["blue"], alpha=0.6, ms=4)
    ax.plot(track, color=style.ink())
    ax.axvline(MOVE - 0.5, color=style.ink(), linestyle="--", linewidth=1)
    ax.text(MOVE - 2, 4.5, "upstream data", ha="right", va="top", fontsize=9)
    ax.text(MOVE + 1, 4.5, style.by_width("downstream data", "downstream\ndata"), ha="left", va="top", fontsize=9)
    used = style.by_width("mean of each batch, used in training", "mean of each batch,\nused in training")
    ax.text(0, 2.3, used, color=style.COLOURS["blue"], fontsize=9, va="bottom")
    steady = style.by_width("running mean, used at inference", "running mean,\nused at inference")
    ax.text(0, -0.35, steady, color=style.ink(), fontsize=9, va="top")
    ax.set(xlabel="training step", ylabel="mean of the channel", ylim=(style.by_width(-1.0, -1.4), 4.6), xlim=(-2, 101))
    return fig


# ---- One image in different company ---------------------------------------------------------------------------------


@cache
def company(kind: str, batches: int = 8, size: int = 4) -> Tensor:
    """Logits of one image in batches with different companions, ``(batches, 6)``, from a network in training mode.

    The network is an R14x0.25 with random weights and norm ``kind``; images are noise of random level and contrast.
    """
    generator = torch.Generator().manual_seed(7)
    torch.manual_seed(0)
    net = resnet.build("R14x0.25", 6, norm_kind=kind, standardized=False, zero_head=False).train()
    image = torch.randn(1, 3, 64, 64, generator=generator)
    out = []
    for _ in range(batches):
        level = torch.randn(size - 1, 1, 1, 1, generator=generator)
        contrast = 0.3 + torch.rand(size - 1, 1, 1, 1, generator=generator)
        others = level + contrast * torch.randn(size - 1, 3, 64, 64, generator=generator)
        with torch.no_grad():
            out.append(net(torch.cat([image, others]))[0])
    return torch.stack(out)


def _strip(ax: Axes, kind: str, colour: str) -> None:
    logits = company(kind)
    for row in logits:
        ax.plot(range(1, 7), row.tolist(), "o-", color=style.COLOURS[colour], alpha=0.6, linewidth=1)
    ax.set(xlabel="output", xticks=range(1, 7))
    ax.axhline(0, color=style.ink("faint"), linewidth=1, zorder=0)


@figure(
    "norm-company",
    caption=(
        "Eight forward passes of the same image through the same network in training mode, each time with three other "
        "companions in its batch. A line is a pass: the image's six outputs."
    ),
    measured="While the page is built: an R14x0.25 with random weights, on noise of random level and contrast.",
    alt=(
        "Left, batch norm: eight zigzag lines that disagree by about as much as they vary. Right, group norm: eight "
        "lines that lie exactly on each other."
    ),
)
def batch_mates() -> Figure:
    """Draw the outputs of one image in eight different batches, with batch and with group norm."""
    fig, (left, right) = style.new(7.2, 3.3, 1, 2, (5.6, 1), sharey=True)
    style.headline(fig, "Batch norm's answer depends on the company, group norm's does not")
    _strip(left, "batch", "blue")
    _strip(right, "group", "orange")
    left.set(title="Batch norm: 8 answers", ylabel="value")
    right.set(title="Group norm: 1 answer, 8 times")
    return fig


# ---- Micro-batches ---------------------------------------------------------------------------------------------------


def micro_batch_gap(kind: str, parts: int = 4, standardized: bool = False) -> float:
    """Relative distance between the gradient of a batch and the sum over its micro-batches.

    Parameters
    ----------
    kind : {"batch", "group", "none"}
        Norm of the R14x0.25 network, which has random weights and runs in double precision on 16 noise images.
    parts : int
        Number of micro-batches.
    """

    def gradient(split: int) -> Tensor:
        torch.manual_seed(0)
        net = resnet.build("R14x0.25", 10, norm_kind=kind, standardized=standardized, zero_head=False).double()
        images, labels = torch.randn(16, 3, 32, 32).double(), torch.arange(16) % 10
        for x, y in zip(images.chunk(split), labels.chunk(split), strict=True):
            (F.cross_entropy(net(x), y) * len(x) / 16).backward()
        return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])

    whole = gradient(1)
    return ((gradient(parts) - whole).norm() / whole.norm()).item()
