"""Normalization page: weight standardization, its filters and what it does to the loss, run live while drawing."""

from __future__ import annotations

import math
from functools import cache

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from bitdoc.figures import figure, style, value
from bitdoc.network import resnet
from bitdoc.network.norms import StdConv2d, standardize

CLASSES, SIDE, CHANNELS, BATCH = 8, 12, 16, 32

# ---- A small network on a small task: which way do the stripes run? -------------------------------------------------


def stripes(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noisy images of stripes, ``(count, 1, 12, 12)``, and which of eight directions they have."""
    labels = torch.randint(CLASSES, (count,), generator=generator)
    angle = labels * math.pi / CLASSES + 0.1 * torch.randn(count, generator=generator)
    pitch = 0.6 + 0.5 * torch.rand(count, generator=generator)
    phase = 2 * math.pi * torch.rand(count, generator=generator)
    across = torch.arange(SIDE) - SIDE / 2
    along = angle.cos()[:, None, None] * across + angle.sin()[:, None, None] * across[:, None]
    waves = torch.sin(pitch[:, None, None] * along + phase[:, None, None])
    return (waves + torch.randn(count, SIDE, SIDE, generator=generator))[:, None].double(), labels


#: Norm and whether the filters are standardized, color and line. The norm-free network stands for comparison.
TRIALS = {
    "no norm": ("none", False, "grey", "-"),
    "BN": ("batch", False, "blue", "-"),
    "GN": ("group", False, "orange", "--"),
    "GN + WS": ("group", True, "orange", "-"),
}


def network(name: str, seed: int) -> nn.Sequential:
    """Five 3x3 convolutions, each with the norm of the trial ``name`` (GN: 4 groups) and ReLU; average pool; head."""
    kind, standardized, _, _ = TRIALS[name]
    torch.manual_seed(seed)
    make_conv, make_norm = resnet.conv(standardized), resnet.norm(kind, groups=4)
    layers: list[nn.Module] = []
    for index, stride in enumerate((1, 2, 1, 2, 1)):
        conv = make_conv(CHANNELS if index else 1, CHANNELS, 3, stride)
        nn.init.kaiming_normal_(conv.weight)
        layers += [conv, make_norm(CHANNELS), nn.ReLU()]
    # Double precision: rounding, which differs between processors, would otherwise grow in training until it shows.
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, CLASSES)).double()


def filters(net: nn.Sequential) -> list[Tensor]:
    """Raw weights of the convolutions."""
    return [layer.weight for layer in net if isinstance(layer, nn.Conv2d)]


# ---- The loss along the gradient ------------------------------------------------------------------------------------

#: Length of the step, as a share of the length of all raw filters together.
STRIDES = (0.0, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1)
SEEDS, STEPS, EVERY = (0, 1, 2), 80, 8


def loss_along_gradient(net: nn.Sequential, images: Tensor, labels: Tensor) -> list[float]:
    """Change of the loss when the filters are moved against their gradient by each of :data:`STRIDES`."""
    weights = filters(net)
    gradient = torch.autograd.grad(F.cross_entropy(net(images), labels), weights)
    length = math.sqrt(sum(w.square().sum().item() for w in weights) / sum(g.square().sum().item() for g in gradient))
    losses = []
    with torch.no_grad():
        for stride in STRIDES:
            for sign in (-1, 1):  # there, and after the measurement back again
                for weight, slope in zip(weights, gradient, strict=True):
                    weight.add_(slope, alpha=sign * stride * length)
                if sign < 0:
                    losses.append(F.cross_entropy(net(images), labels).item())
    return [loss - losses[0] for loss in losses]


@cache
def landscape(name: str) -> tuple[Tensor, nn.Sequential]:
    """Train with SGD; every few steps, look along the gradient.

    Returns
    -------
    (Tensor, nn.Sequential)
        Changes of the loss, ``(looks, len(STRIDES))`` over all seeds, and the network of the last seed.
    """
    rows = []
    for seed in SEEDS:
        generator = torch.Generator().manual_seed(seed)
        net = network(name, seed)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1 if name != "no norm" else 0.01, momentum=0.9)
        for step in range(STEPS):
            images, labels = stripes(BATCH, generator)
            if step % EVERY == 0:
                rows.append(loss_along_gradient(net, images, labels))
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()
    return torch.tensor(rows), net


def _at(name: str, stride: float) -> str:
    change = landscape(name)[0].median(0).values[STRIDES.index(stride)].item()
    return f"{change:+.2f}".replace("-", "−")


@figure(
    "norm-loss-line",
    caption=(
        "How the loss changes when all filters take one step of the given length against their gradient. Line: median; "
        "band: middle half. As far as the curve falls, the gradient can be trusted."
    ),
    measured=lambda: (
        "While the page is built: on the batch at hand, at "
        f"{len(SEEDS) * STEPS // EVERY} moments of training a small network. Length is relative to that of the raw "
        "filters, the same measure for all networks; the one without a norm learns at a tenth of the others' rate."
    ),
    alt=lambda: (
        "Four curves of the change of the loss over the length of the step. At a step of 5 percent the median is "
        + ", ".join(f"{_at(name, 0.05)} with {name}" for name in TRIALS)
        + "."
    ),
)
def loss_line() -> Figure:
    """Draw the loss along the gradient for four networks that differ in norm and filters."""
    fig, ax = style.new(7.2, 3.8, narrow=(3.8, 1))
    style.headline(fig, "BN and GN + WS still gain at steps where GN alone loses")
    percent = [100 * stride for stride in STRIDES]
    for name, (_, _, color, line) in TRIALS.items():
        changes, _ = landscape(name)
        low, middle, high = (changes.quantile(q, dim=0).tolist() for q in (0.25, 0.5, 0.75))
        ax.fill_between(percent, low, high, color=style.COLOURS[color], alpha=0.12, linewidth=0)
        ax.plot(percent, middle, line, marker="o", color=style.COLOURS[color])
        lift = {"BN": -7, "no norm": 8}.get(name, 4)
        style.label(ax, percent[-1], middle[-1], name, style.COLOURS[color], xytext=(6, lift))
    ax.hlines(0, 0, percent[-1], color=style.ink(), linewidth=1, linestyle=":")  # clear of the labels
    across = style.by_width("step against the gradient, % of the filters' length", "step, % of the filters' length")
    ax.set(xlabel=across, ylabel="change of the loss", xlim=(0, style.by_width(12, 13.5)))
    ax.set_xticks((0, 2, 4, 6, 8, 10))
    return fig


def _quote(id: str, name: str) -> None:
    value(id)(lambda: _at(name, 0.05))


# Median change of the loss after a step of 5 %: norm-line-gn-ws and so on.
for _name in TRIALS:
    _quote(f"norm-line-{_name.lower().replace(' + ', '-').replace(' ', '-')}", _name)


# ---- Filters --------------------------------------------------------------------------------------------------------


@figure(
    "norm-ws-filters",
    caption=(
        "Six filters of a first layer, trained with plain convolutions and group norm: as they are, and standardized. "
        "The lighter a weight, the larger; one scale for all raw ones, one for all standardized ones."
    ),
    measured="While the page is built, on a small network; mean and standard deviation of the nine weights under each "
    "filter.",
    alt=(
        "Two rows of six filters of 3 by 3 weights. The raw filters differ in level and contrast; every standardized "
        "filter has mean 0.00 and standard deviation 1.00 and shows the same pattern as the raw one above it."
    ),
)
def filter_view() -> Figure:
    """Draw first-layer filters of a trained network, raw and standardized."""
    _, net = landscape("GN")
    raw = filters(net)[0].detach()
    chosen = raw.std((1, 2, 3), correction=0).argsort()[[0, 3, 6, 9, 12, 15]]  # from the smallest to the largest spread
    fig, panels = style.new(7.2, 3.7, 2, 6, (6.4, 3))
    style.headline(fig, "Standardizing keeps a filter's pattern, and takes its level and its size")
    for row, (name, weights) in enumerate((("raw", raw[chosen]), ("standardized", standardize(raw[chosen])))):
        low, high = weights.min(), weights.max()
        for ax, weight in zip(panels[row], weights, strict=True):
            # One hue from dark to light: a change of level cannot turn the picture of a pattern into another.
            ax.imshow(weight[0].numpy(), cmap="cividis", vmin=low, vmax=high)
            mean, spread = weight.mean().item(), weight.std(correction=0).item()
            told = f"mean {mean + 0.0:.2f}\ns.d. {spread:.2f}".replace("-0.00", "0.00").replace("-", "−")
            ax.set_xlabel(told, fontsize=9)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        panels[row, 0].set_ylabel(name)
    return fig


def rescaled(factor: float) -> tuple[Tensor, float, float]:
    """Multiply the raw filters of a standardized convolution by ``factor``.

    The loss is the sum of the output's cosines, an arbitrary smooth function.

    Returns
    -------
    (Tensor, float, float)
        The output, the length of the raw filters' gradient, and the largest cosine of the angle between a raw filter
        and its gradient.
    """
    torch.manual_seed(0)
    conv = StdConv2d(4, 8, 3, bias=False).double()
    images = torch.randn(2, 4, 6, 6).double()
    with torch.no_grad():
        conv.weight *= factor
    output = conv(images)
    (gradient,) = torch.autograd.grad(output.cos().sum(), conv.weight)
    cosine = F.cosine_similarity(conv.weight.flatten(1), gradient.flatten(1)).abs().max().item()
    return output.detach(), gradient.norm().item(), cosine


@value("norm-gradient-longer")
def gradient_longer() -> str:
    """One over the spread that He's start gives the 576 weights of a filter: what a raw gradient may be longer."""
    return f"{(576 / 2) ** 0.5:.0f}"
