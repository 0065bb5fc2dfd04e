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
_COLOURS = {"C": "blue", "M": "purple", "P": "orange"}


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
    made_from = {"P3": "M3", "P4": "M4", "P5": "M5", "P6": "C5, stride 2", "P7": "P6, stride 2"}
    rows = [["level", "made from", "channels × height × width", "stride", "base anchor", "anchors"]]
    for level, (name, stride) in enumerate(LEVELS.items()):
        shape = " × ".join(map(str, shapes()[name]))
        rows.append([name, made_from[name], shape, str(stride), str(32 * 2**level), f"{anchor_counts()[name]:,}"])
    return rows


def _square(ax: Axes, place: tuple[float, float], name: str, text: str, side: str) -> None:
    """A map to scale with its name beside it: ``side`` is left, right, or corner."""
    x, y = place
    size = shapes()[name.replace("M", "P")][1] / 64
    colour = style.COLOURS[_COLOURS[name[0]]]
    corner = (x - size / 2, y - size / 2)
    ax.add_patch(Rectangle(corner, size, size, facecolor=colour, alpha=0.25, edgecolor=colour, linewidth=1.6))
    at = {"left": (x - 1.15, y), "right": (x + 1.15, y), "corner": (x - size / 2 - 0.1, y - size / 2 - 0.15)}[side]
    align = {"left": "right", "right": "left", "corner": "right"}[side]
    words = f"$\\bf{{{name}}}$  {text}".strip()
    ax.text(
        *at, words, ha=align, va="center", fontsize=style.by_width(10, 8.5), color=style.words(colour), linespacing=1.3
    )


def _arrow(ax: Axes, start: tuple, end: tuple, text: str = "", offset: tuple = (0, 0.12)) -> None:
    ax.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": style.ink(), "lw": 1.2, "shrinkA": 2, "shrinkB": 2}
    )
    if text:
        x, y = (start[0] + end[0]) / 2 + offset[0], (start[1] + end[1]) / 2 + offset[1]
        ax.text(x, y, text, ha="center", va="bottom", fontsize=style.by_width(9.5, 8.5))


#: Heights of the levels in the drawing, and the columns of the network's maps, the sums, and the levels.
_HEIGHT = {"3": 1.0, "4": 3.7, "5": 5.6, "6": 7.9, "7": 9.3}
_HEIGHT_NARROW = {"3": 1.0, "4": 4.4, "5": 7.0, "6": 10.6, "7": 12.4}
_COLUMN = {"C": 0.0, "M": 3.5, "P": 7.0}


@figure(
    "retinanet-pyramid",
    caption=f"RetinaNet's feature pyramid on {ARCH}: maps to scale, channels × side × side. Blue: the BiT network. "
    "Purple: sums. Orange: where boxes are sought {cite:p}`lin2017fpn,lin2017focal`.",
    measured=f"Reported by the real detector, while the page is built, for an image of {SIDE} × {SIDE} pixels.",
    alt=lambda: (
        "A diagram with three columns of squares. Left the network's maps C3, C4 and C5, whose sides halve from 128 to "
        "32 while their channels double. In the middle the sums M5, M4 and M3: each takes the map to its left by a "
        "1 × 1 convolution, M4 and M3 also the sum above, doubled in size. Right the levels P3 to P7 with 256 channels "
        "and sides from 128 to 8: P3, P4 and P5 come from the sums by 3 × 3 convolutions, P6 from C5 and P7 from P6 "
        "with stride 2."
    ),
)
def pyramid() -> Figure:
    """The bottom-up path, the sums and the levels side by side."""
    fig, ax = style.new(6.6, 4.5, narrow=(3.9, 1))
    style.headline(fig, "What coarse maps know is carried down to the fine ones")
    height = style.by_width(_HEIGHT, _HEIGHT_NARROW)
    place = {c + k: (_COLUMN[c], height[k]) for c, ks in (("C", "345"), ("M", "345"), ("P", "34567")) for k in ks}
    half = {name: shapes()[name.replace("M", "P")][1] / 128 for name in place}
    for name, at in place.items():
        channels, side, _ = shapes()[name.replace("M", "P")]
        long = f"{channels:,} × {side} × {side}\nstride {SIDE // side}"
        text = {"M": "", "C": style.by_width(long, f"\n{channels:,}"), "P": style.by_width(long, f"{side} × {side}")}[
            name[0]
        ]
        _square(ax, at, name, text, {"C": "left", "M": "corner", "P": "right"}[name[0]])

    def across(start: str, end: str, text: str) -> None:
        (x, y), (right, _) = place[start], place[end]
        _arrow(ax, (x + half[start], y), (right - half[end], y), text)

    def along(start: str, end: str, text: str = "", offset: tuple = (0.45, -0.15)) -> None:
        (x, y), (_, top) = place[start], place[end]
        sign = 1 if top > y else -1
        _arrow(ax, (x, y + sign * half[start]), (x, top - sign * half[end]), text, offset)

    for k in "345":
        across("C" + k, "M" + k, "1 × 1")
        across("M" + k, "P" + k, "3 × 3")
    along("C3", "C4")
    along("C4", "C5")
    along("M5", "M4", "↑2")
    along("M4", "M3", "↑2")
    start, end = (place["C5"][0] + half["C5"], place["C5"][1] + half["C5"]), (7.0 - half["P6"], height["6"])
    _arrow(ax, start, end, "3 × 3, stride 2", style.by_width((-1.0, 0.35), (-1.6, 0.4)))
    along("P6", "P7", "ReLU, 3 × 3, stride 2", style.by_width((-2.1, -0.15), (-3.2, -0.2)))
    ax.set(xlim=style.by_width((-3.9, 10.9), (-3.1, 11.6)), ylim=(-0.1, height["7"] + 0.4), aspect="equal")
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
