"""Anchors on a photograph that comes with scikit-image, and which of them the detector would train on."""

from __future__ import annotations

from functools import cache

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bitdoc.figures import figure, style, value
from bitdoc.network.detector import anchor_boxes

#: Boxes drawn by hand around two things in the photograph: x1, y1, x2, y2 in pixels.
TRUTH = {"cup": (172, 17, 410, 308), "spoon": (325, 66, 425, 327)}
#: What lies behind words on the photograph, so that they can be read on any part of it.
_BEHIND = {"facecolor": "#121416", "edgecolor": "none", "alpha": 0.65, "pad": 1.5}
OBJECT, BACKGROUND = 0.5, 0.4


@cache
def photograph() -> torch.Tensor:
    """The cup of coffee, ``(400, 600, 3)`` uint8."""
    from skimage.data import coffee

    return torch.from_numpy(coffee())


@cache
def matches() -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    """For each thing the anchors that count as it, and how many anchors are object, background or ignored."""
    from torchvision.models.detection._utils import Matcher
    from torchvision.ops import box_iou

    boxes = torch.cat(list(anchors().values()))
    overlaps = box_iou(torch.tensor(list(TRUTH.values()), dtype=torch.float32), boxes)
    matched = Matcher(OBJECT, BACKGROUND, allow_low_quality_matches=True)(overlaps)
    found = {name: boxes[matched == index] for index, name in enumerate(TRUTH)}
    counts = {
        "object": int((matched >= 0).sum()),
        "background": int((matched == Matcher.BELOW_LOW_THRESHOLD).sum()),
        "ignored": int((matched == Matcher.BETWEEN_THRESHOLDS).sum()),
    }
    return found, counts


@cache
def anchors() -> dict[str, torch.Tensor]:
    """Every anchor of the photograph, by level."""
    height, width, _ = photograph().shape
    return anchor_boxes((height, width))


@value("anchors-positive")
def positive() -> str:
    """Anchors that count as one of the two things."""
    return str(matches()[1]["object"])


@value("anchors-negative")
def negative() -> str:
    """Anchors that count as background."""
    return f"{matches()[1]['background']:,}"


def _rectangle(ax: Axes, box, colour: str, width: float, **options) -> None:
    x1, y1, x2, y2 = (float(v) for v in box)
    ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=width, **options))


def _show(ax: Axes) -> None:
    ax.imshow(photograph().numpy(), alpha=0.75)
    height, width, _ = photograph().shape
    ax.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)


def _cell(ax: Axes, level: str, x: float, y: float, colour: str) -> None:
    """The nine anchors of the cell of ``level`` that is nearest to a point."""
    boxes = anchors()[level].view(-1, 9, 4)
    centres = (boxes[:, 0, :2] + boxes[:, 0, 2:]) / 2
    nearest = (centres - torch.tensor([x, y])).norm(dim=1).argmin()
    for box in boxes[nearest]:
        _rectangle(ax, box, colour, 1.4)
    cx, cy = centres[nearest].tolist()
    ax.plot(cx, cy, "o", color=colour, markersize=6)
    right = float(boxes[nearest][:, 2].max())
    ax.text(
        right + 8, cy, level, color=colour, fontsize=style.by_width(12, 9), weight="bold", va="center", bbox=_BEHIND
    )


@figure(
    "retinanet-anchors",
    caption=lambda: (
        "The nine anchors of one cell of P3, P4 and P5 each; and two boxes drawn by hand (dashed) with the "
        f"{matches()[1]['object']} anchors that would train the detector as objects, of {sum(matches()[1].values()):,}."
    ),
    measured=lambda: (
        f"Computed while the page is built, on a photograph of scikit-image. An anchor with an IoU of {OBJECT} or more "
        f"counts as object; {matches()[1]['ignored']} between {BACKGROUND} and {OBJECT} are ignored, and "
        f"{matches()[1]['background']:,} are background. The detector has a set of nine at every cell of every level."
    ),
    alt=lambda: (
        "A cup of coffee with a spoon, twice. Above, three sets of nine boxes of three sizes and three shapes around a "
        "common center each, twice as large from P3 to P4 and again to P5. Below, the few anchors that fit the cup "
        f"({len(matches()[0]['cup'])}) and the spoon ({len(matches()[0]['spoon'])}), out of "
        f"{sum(matches()[1].values()):,}."
    ),
    format="png",
)
def on_a_photograph() -> Figure:
    """Sets of nine above, matched anchors below."""
    fig, (top, bottom) = style.new(5.8, 8.1, 2, 1, (5.3, 1))
    style.headline(fig, "Anchors are everywhere; few of them fit a thing")
    _show(top)
    # The photograph is the same in both themes, so these colours are too.
    for level, x, y, colour in (("P3", 60, 60, "#FFE680"), ("P4", 90, 300, "#8FD0FF"), ("P5", 400, 200, "#FFFFFF")):
        _cell(top, level, x, y, colour)
    _show(bottom)
    for (name, boxes), colour in zip(matches()[0].items(), ("#8FD0FF", "#FFE680"), strict=True):
        for box in boxes:
            _rectangle(bottom, box, colour, 0.8, alpha=0.8)
        _rectangle(bottom, TRUTH[name], "#FFFFFF", 2.2, linestyle=(0, (3, 2)))
        x1, _, _, y2 = TRUTH[name]
        bottom.text(x1 + 7, y2 + 17, name, color="#FFFFFF", fontsize=style.by_width(11, 9), weight="bold", bbox=_BEHIND)
    return fig
