"""How large BiT's networks are: parameters, operations and published accuracy, computed from the modules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bitdoc.figures import figure, style, table, value
from bitdoc.literature.published import FIG5, OFFICIAL_ILSVRC
from bitdoc.network.resnet import OFFICIAL, PreActBottleneck, build, count_parameters

_UPSTREAM = {"S": "ILSVRC-2012", "M": "ImageNet-21k", "L": "JFT-300M"}


def multiply_adds(model: nn.Module, side: int) -> dict[str, int]:
    """Count the multiply-adds of one forward pass, for the whole model and for every module in it.

    Parameters
    ----------
    model : nn.Module
        On the ``"meta"`` device: nothing is computed.
    side : int
        Height and width of the one input image ``(1, 3, side, side)``.

    Returns
    -------
    dict
        By module name; ``""`` is the whole model.

    Notes
    -----
    PyTorch's ``FlopCounterMode`` counts convolutions and matrix products, a multiply-add as two operations; the result
    is half of its count. Norms, ReLU, pooling and weight standardization are not counted.
    """
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, side, side, device="meta"))
    root = type(model).__name__
    counts = {name: sum(ops.values()) // 2 for name, ops in counter.get_flop_counts().items()}
    return {name.removeprefix(root).removeprefix("."): count for name, count in counts.items() if name != "Global"}


@cache
def size(name: str, side: int) -> int:
    """Multiply-adds of an architecture with a 1,000-class head."""
    with torch.device("meta"):
        return multiply_adds(build(name, 1000), side)[""]


@dataclass(frozen=True)
class Part:
    """One row of the strip: a piece of the network, what it returns and what it costs."""

    name: str
    blocks: int
    shape: tuple[int, ...]
    parameters: int
    operations: int


def parts(name: str, side: int, classes: int) -> list[Part]:
    """Walk a network from its input to its head, on images of ``side`` pixels."""
    with torch.device("meta"):
        model = build(name, classes)
    pieces: dict[str, list[nn.Module]] = {"root": [model.root]}
    for i, stage in enumerate(model.stages):
        pieces[f"stage {i + 1}"] = [stage]
    pieces["norm, pool, head"] = [model.norm, model.head]
    paths = {module: path for path, module in model.named_modules()}
    shapes: dict[nn.Module, tuple[int, ...]] = {}
    for modules in pieces.values():
        modules[-1].register_forward_hook(lambda module, _, out: shapes.update({module: tuple(out.shape[1:])}))
    counts = multiply_adds(model, side)
    rows = [Part("image", 0, (3, side, side), 0, 0)]
    for title, modules in pieces.items():
        parameters = sum(p.numel() for module in modules for p in module.parameters())
        operations = sum(counts.get(paths[module], 0) for module in modules)
        blocks = sum(isinstance(m, PreActBottleneck) for m in modules[0].modules())
        rows.append(Part(title, blocks, shapes[modules[-1]], parameters, operations))
    return rows


def _millions(name: str, classes: int) -> str:
    return f"{count_parameters(name, classes) / 1e6:,.0f} million"


# Quoted on the page: sizes of the body (0 classes) and with the heads of ILSVRC-2012 and ImageNet-21k.
value("arch-r50x3")(lambda: _millions("R50x3", 0))
value("arch-r152x4")(lambda: _millions("R152x4", 0))
value("arch-r152x4-1000")(lambda: _millions("R152x4", 1000))
value("arch-r152x4-21843")(lambda: _millions("R152x4", 21843))
value("arch-width-cost")(lambda: f"{size('R50x3', 224) / size('R50x1', 224):.1f}")


@figure(
    "arch-strip",
    caption="ResNet-50x3 on a 128×128 image with a 10-class head. A square is a block; a filled one changes the shape"
    " and has a projection on its shortcut.",
    measured="Counted on the modules while the page is built; operations are the multiply-adds of convolutions and "
    "head.",
    alt="Vertical strip of R50x3 for a 128 by 128 image. The map shrinks from 128 to 4 pixels a side while channels"
    " grow from 3 to 6144. The last two stages hold over nine tenths of the parameters; the multiply-adds are spread"
    " over all four stages, with the largest share in the third.",
)
def draw_strip() -> Figure:
    """Draw R50x3 from top to bottom, one row a part."""
    rows = parts("R50x3", 128, 10)
    shares = style.by_width([2, 1, 1], [2.1, 1, 1])
    fig, axes = style.new(6.4, 5.1, 1, 3, (4.8, 3), sharey=True, width_ratios=shares)
    style.headline(fig, "The last stage holds most parameters, the operations are spread")
    size = style.by_width(10, 8.5)
    for y, row in enumerate(rows):
        axes[0].text(0, y, row.name, va="center", fontsize=size)
        axes[0].text(
            1, y, "×".join(map(str, row.shape)), va="center", ha="right", fontsize=size, color=style.COLOURS["blue"]
        )
        for block in range(row.blocks):
            _draw_unit(axes[0], 0.17 + style.by_width(0.05, 0.075) * block, y + 0.27, changes_shape=block == 0)
        if y:
            axes[0].annotate(
                "", (0.08, y - 0.25), (0.08, y - 0.75), arrowprops={"arrowstyle": "-|>", "color": style.ink()}
            )
    title = style.by_width("Part and its output\n(channels × height × width)", "Part, its output\n(C × H × W)")
    axes[0].set_title(title, fontsize=size)
    _draw_shares(axes[1], [row.parameters / 1e6 for row in rows], "Parameters", "M")
    _draw_shares(axes[2], [row.operations / 1e9 for row in rows], "Multiply-adds", "G")
    axes[0].set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    axes[0].axis("off")
    return fig


def _draw_unit(ax: Axes, x: float, y: float, changes_shape: bool) -> None:
    face = style.COLOURS["orange"] if changes_shape else "none"
    ax.plot(
        x,
        y,
        marker="s",
        markersize=style.by_width(7, 5.5),
        markerfacecolor=face,
        markeredgecolor=style.COLOURS["orange"],
    )


def _draw_shares(ax: Axes, amounts: list[float], title: str, unit: str) -> None:
    ax.barh(range(len(amounts)), amounts, height=0.36, color=style.COLOURS["sky"])
    for y, amount in enumerate(amounts):
        if amount:
            text = f"{amount:.2f}" if amount >= 0.005 else "< 0.01"
            ax.text(0, y - 0.33, f"{text} {unit}", va="center", fontsize=style.by_width(9, 8.5))
    total = f"{sum(amounts):.1f} {unit}{style.by_width(' in all', '')}"
    ax.set_title(f"{title}\n{total}", fontsize=style.by_width(10, 8.5))
    ax.axis("off")


def _accuracy(name: str, upstream: str) -> float | None:
    """Published ILSVRC-2012 accuracy: BiT's Fig. 5; for R152x2, which the paper does not have, the README."""
    row = FIG5.values["ILSVRC-2012"].get(name)
    if row:
        return row[upstream]
    return OFFICIAL_ILSVRC.values[name]["full"] if upstream == "M" else None


@table(
    "arch-sizes",
    caption="The architectures: million parameters without and with a head of 1,000 classes, billion multiply-adds for"
    " one image of 128 or 224 pixels a side, and published accuracy on ILSVRC-2012 in percent, by upstream data"
    " {cite:p}`kolesnikov2020bit,google2021bitcode`.",
)
def sizes_table() -> list[list[str]]:
    """Parameters, operations and published accuracy of every architecture."""
    rows = [["Network", "Body", "With head", "128 px", "224 px", "BiT-S", "BiT-M", "BiT-L"]]
    for name in OFFICIAL:
        millions = [f"{count_parameters(name, classes) / 1e6:.2f}" for classes in (0, 1000)]
        billions = [f"{size(name, side) / 1e9:.1f}" for side in (128, 224)]
        accuracies = [_accuracy(name, upstream) for upstream in "SML"]
        shown = ["–" if a is None else str(a) for a in accuracies]
        rows.append([name, *millions, *billions, *shown])
    return rows


#: What grows, from which network and to which: each step alone, and after the other has been made.
_STEPS = (
    ("layers doubled", "R50x1", "R101x1"),
    ("channels tripled", "R50x1", "R50x3"),
    ("layers doubled", "R50x3", "R101x3"),
    ("channels tripled", "R101x1", "R101x3"),
)


def gains(small: str, large: str) -> list[str]:
    """Published points gained from one network to a larger one, for BiT-S, BiT-M and BiT-L."""
    values = FIG5.values["ILSVRC-2012"]
    return [f"{values[large][upstream] - values[small][upstream]:+.1f}" for upstream in _UPSTREAM]


@table(
    "arch-width-depth",
    caption="Width against depth: what each costs in multiply-adds, and the points of top-1 accuracy it gains on"
    " ILSVRC-2012, by upstream data, alone and after the other. Read off Fig. 5 of {cite:t}`kolesnikov2020bit`.",
)
def width_depth_table() -> list[list[str]]:
    """Cost and published gain of depth and of width, from R50x1 to R101x3 both ways."""
    rows = [["Step", "From", "To", "Multiply-adds", "BiT-S", "BiT-M", "BiT-L"]]
    for step, small, large in _STEPS:
        times = size(large, 224) / size(small, 224)
        rows.append([step, small, large, f"×{times:.1f}", *gains(small, large)])
    return rows


def _bubbles_caption() -> str:
    times = size("R152x4", 224) / size("R50x1", 224)
    values = FIG5.values["ILSVRC-2012"]
    small, large = (values["R152x4"][data] - values["R50x1"][data] for data in "SL")
    return (
        f"From R50x1 to R152x4, with {times:.0f} times the operations, BiT-S gains {small:.1f} points and BiT-L"
        f" {large:.1f}. The area of a bubble is the number of parameters; the hollow one is the README's R152x2."
    )


@figure(
    "arch-bubbles",
    caption=_bubbles_caption,
    measured="Published top-1 accuracy on ILSVRC-2012; operations counted for one 224×224 image; sources as in"
    " {numref}`tab-arch-sizes`.",
    alt="Accuracy against multiply-adds, three rising lines of bubbles. With ILSVRC-2012 upstream accuracy climbs from"
    " 76.8 to 81.3 percent and flattens; with ImageNet-21k from 80.0 to 85.4; with JFT-300M it starts below"
    " ImageNet-21k at 79.0 and ends above it at 87.8.",
)
def draw_bubbles() -> Figure:
    """Draw accuracy against operations, one line for each upstream data set."""
    fig, ax = style.new(6.4, 4.4, narrow=(4.2, 1))
    style.headline(fig, "Size pays the more, the more upstream images there are")
    for upstream, data in _UPSTREAM.items():
        colour = style.of(f"BiT-{upstream}")
        known = {name: accuracy for name in OFFICIAL if (accuracy := _accuracy(name, upstream)) is not None}
        names = sorted(known, key=lambda name: size(name, 224))
        xs, ys = [size(name, 224) / 1e9 for name in names], [known[name] for name in names]
        paper = [name in FIG5.values["ILSVRC-2012"] for name in names]
        areas = [count_parameters(name, 0) / 1e6 * style.by_width(1.4, 0.8) for name in names]
        line = [(x, y) for x, y, kept in zip(xs, ys, paper, strict=True) if kept]
        ax.plot(*zip(*line, strict=True), color=colour, linewidth=1, zorder=1)
        faces = [to_rgba(colour, 0.6 if kept else 0) for kept in paper]
        ax.scatter(xs, ys, s=areas, c=faces, edgecolors=colour, zorder=2)
        style.label(ax, *line[-1], f"BiT-{upstream}\n{data}", colour, xytext=(style.by_width(24, 19), 0))
    for name in OFFICIAL:
        foot = 74.5 if name in FIG5.values["ILSVRC-2012"] else style.by_width(74.5, 76.9)  # clear of its neighbor
        ax.annotate(name, (size(name, 224) / 1e9, foot), ha="center", fontsize=9, rotation=90, va="bottom")
    ax.set(
        xscale="log",
        xlim=(2.8, style.by_width(700, 1500)),
        ylim=(74.2, 89),
        xlabel="multiply-adds for one 224×224 image, billions",
    )
    ax.set_ylabel("ILSVRC-2012 top-1 accuracy, %")
    ax.set_xticks([4, 10, 40, 100, 200], ["4", "10", "40", "100", "200"])
    ax.minorticks_off()
    ax.grid(axis="y")
    return fig
