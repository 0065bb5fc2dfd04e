"""The feature pyramid and the two subnets of RetinaNet, with shapes read off the real detector.

The detector of the paper (R101x3 at 1024 pixels) is built and run on PyTorch's ``meta`` device: every layer reports the
shape of its output, and no number is computed.
"""

from __future__ import annotations

from functools import cache

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bitdoc.figures import figure, style, table, value
from bitdoc.network import resnet
from bitdoc.network.detector import LEVELS, anchor_boxes, retinanet

ARCH, SIDE, CLASSES = "R101x3", 1024, 80
_COLOURS = {"C": "blue", "P": "orange"}


@cache
def shapes() -> dict[str, tuple[int, ...]]:
    """Shapes ``(C, H, W)`` of C3 to C5 and P3 to P7, and of the subnets' outputs, for one image."""
    with torch.device("meta"):
        model = retinanet(resnet.build(ARCH, 0), CLASSES, side=SIDE)
        image = torch.empty(1, 3, SIDE, SIDE)
        maps = model.backbone.bottom_up(image)
        maps |= dict(zip(LEVELS, model.backbone.fpn(maps).values(), strict=True))
        outputs = model.head([maps[name] for name in LEVELS])
    return {name: tuple(value.shape[1:]) for name, value in (maps | outputs).items()}


@cache
def anchor_counts() -> dict[str, int]:
    """Anchors on every level of one image."""
    return {name: len(boxes) for name, boxes in anchor_boxes(SIDE).items()}


@value("retinanet-anchors-total")
def total_anchors() -> str:
    """Anchors of one image of the paper's size."""
    return f"{sum(anchor_counts().values()):,}"


@table(
    "retinanet-levels",
    caption=f"The pyramid of a RetinaNet on {ARCH} for one image of {SIDE} × {SIDE} pixels, as the detector reports "
    "it. The base anchor has this side in pixels; the other eight are up to 1.6 times larger, or of another shape.",
)
def levels() -> list[list[str]]:
    """Shape, stride and anchors of every level."""
    made_from = {"P3": "C3 + M4 ↑2", "P4": "C4 + M5 ↑2", "P5": "C5", "P6": "C5, stride 2", "P7": "P6, stride 2"}
    rows = [["level", "made from", "channels × height × width", "stride", "base anchor", "anchors"]]
    for level, (name, stride) in enumerate(LEVELS.items()):
        shape = " × ".join(map(str, shapes()[name]))
        rows.append([name, made_from[name], shape, str(stride), str(32 * 2**level), f"{anchor_counts()[name]:,}"])
    return rows


def _square(ax: Axes, x: float, y: float, name: str) -> float:
    channels, height, _ = shapes()[name]
    side = height / 64
    colour = style.COLOURS[_COLOURS[name[0]]]
    ax.add_patch(
        Rectangle((x - side / 2, y), side, side, facecolor=colour, alpha=0.25, edgecolor=colour, linewidth=1.6)
    )
    left = name.startswith("C")
    ax.text(
        x - 1.15 if left else x + 1.15,
        y + side / 2,
        f"$\\bf{{{name}}}$  {channels:,} × {height} × {height}",
        ha="right" if left else "left",
        va="center",
        fontsize=10,
        color=colour,
    )
    return y + side / 2


def _arrow(ax: Axes, start: tuple, end: tuple, text: str = "", offset: tuple = (0, 0.1)) -> None:
    ax.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": style.ink(), "lw": 1.2, "shrinkA": 2, "shrinkB": 2}
    )
    if text:
        ax.text(
            (start[0] + end[0]) / 2 + offset[0], (start[1] + end[1]) / 2 + offset[1], text, ha="center", fontsize=9.5
        )


@figure(
    "retinanet-pyramid",
    caption=f"RetinaNet's feature pyramid on {ARCH} for an image of {SIDE} × {SIDE} pixels: channels × height × width "
    "of every map, reported by the real detector. Squares are to scale. Left, upward: the stages of the BiT network; "
    "right: the levels on which boxes are sought {cite:p}`lin2017fpn,lin2017focal`. What goes down from level to level "
    "is $M_k$, before the 3 × 3 convolution.",
    alt=lambda: (
        "A diagram with two columns of squares. Left the network's maps C3, C4 and C5, whose sides halve from 128 to "
        "32 while their channels double; right the pyramid's levels P3 to P7 with 256 channels each and sides from 128 "
        "to 8. P5 comes from C5; P4 and P3 add the level above, as it is before its 3 × 3 convolution and doubled in "
        "size, to the map beside them; P6 comes from C5 and P7 from P6 with stride 2."
    ),
)
def pyramid() -> Figure:
    """The bottom-up and the top-down path side by side."""
    fig, ax = style.new(5.8, 3.9)
    bottom, left, right = {"3": 0.0, "4": 2.7, "5": 4.5, "6": 5.8, "7": 7.0}, 0.0, 3.9
    middle = {
        name: _square(ax, left if name[0] == "C" else right, bottom[name[1]], name)
        for name in shapes()
        if name[1:] in bottom
    }
    for lower, upper in (("C3", "C4"), ("C4", "C5")):
        _arrow(ax, (left, bottom[lower[1]] + shapes()[lower][1] / 64), (left, bottom[upper[1]]))
    for number in "345":
        half = shapes()["C" + number][1] / 128
        _arrow(ax, (left + half, middle["C" + number]), (right - half, middle["P" + number]), "1 × 1")
    for upper, lower in (("P5", "P4"), ("P4", "P3")):
        top = bottom[lower[1]] + shapes()[lower][1] / 64
        _arrow(ax, (right, bottom[upper[1]]), (right, top), "↑2", (0.35, -0.1))
    _arrow(ax, (left + 0.25, middle["C5"] + 0.2), (right - 0.13, middle["P6"]), "3 × 3, stride 2", (-0.7, 0.3))
    _arrow(ax, (right, middle["P6"] + 0.13), (right, middle["P7"] - 0.07), "stride 2", (-0.75, -0.1))
    ax.set(xlim=(-4.1, 8.1), ylim=(-0.1, 7.4), aspect="equal")
    ax.axis("off")
    return fig


@table(
    "retinanet-subnets",
    caption="The two subnets, as the detector reports them: the same four 3 × 3 convolutions on every level, then one "
    f"that answers for all anchors. Outputs are for one image of {SIDE} × {SIDE} pixels and the {CLASSES} classes of "
    "COCO.",
)
def subnets() -> list[list[str]]:
    """Layers, parameters and outputs of the two subnets."""
    with torch.device("meta"):
        head = retinanet(resnet.build("R14x0.25", 0), CLASSES, side=SIDE).head
    parts = (
        ("what is it?", head.classification_head, "cls_logits", head.classification_head.cls_logits),
        ("where is it?", head.regression_head, "bbox_regression", head.regression_head.bbox_reg),
    )
    rows = [["subnet", "hidden convolutions", "last convolution", "output: anchors × numbers", "parameters"]]
    for question, part, name, last in parts:
        hidden = [m for m in part.conv.modules() if isinstance(m, torch.nn.Conv2d)]
        parameters = sum(p.numel() for p in part.parameters())
        rows.append(
            [
                question,
                f"{len(hidden)}, each {hidden[0].in_channels} → {hidden[0].out_channels}",
                f"{last.in_channels} → {last.out_channels}",
                " × ".join(f"{n:,}" for n in shapes()[name]),
                f"{parameters:,}",
            ]
        )
    return rows
