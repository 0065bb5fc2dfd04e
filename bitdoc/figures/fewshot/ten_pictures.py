"""The few-shot learner as a still: ten pictures, and what three heads that learned from them name."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from matplotlib.figure import Figure

from bitdoc.figures import figure
from bitdoc.figures.style import COLOURS, MEANINGS, headline, ink, new
from bitdoc.studies.fewshot import ten_pictures

_BARS = {
    "pre-trained features": MEANINGS["BiT-T"],
    "random features": MEANINGS["random weights"],
    "raw pixels": "sky",
}


@cache
def middling_deal() -> tuple[np.ndarray, dict[str, int]]:
    """Ten pictures ``(10, 32, 32, 3)`` of middling luck, and of 200 how many each head names rightly.

    Of the pool's pictures, the first of each class are one deal, the second another, and so on.
    """
    kept = ten_pictures.read()
    pool, pictures = kept.about["pool"], kept.pictures()
    first = np.arange(len(kept.classes)) * pool
    pixels = torch.from_numpy(pictures.reshape(len(pictures), -1)).float()
    numbers = (kept.features("miniature"), kept.features("random"), pixels)
    by_luck = sorted(range(pool), key=lambda deal: _named(kept, numbers[0], first + deal))
    few = first + by_luck[pool // 2]
    return pictures[few], {name: _named(kept, x, few) for name, x in zip(_BARS, numbers, strict=True)}


def _named(kept: ten_pictures.TenPictures, values: torch.Tensor, few: np.ndarray) -> int:
    labels = torch.from_numpy(kept.labels)
    judged = np.arange(len(kept.classes) * kept.about["pool"], len(labels))
    found = ten_pictures.probabilities(values[few], labels[few], values[judged])
    return int((found.argmax(1) == labels[judged]).sum())


def _alt() -> str:
    told = ", ".join(f"{count} on {name}" for name, count in middling_deal()[1].items())
    return (
        "Ten small pictures, one of each class of CIFAR-10. Bars: of 200 test pictures, a linear classifier trained on "
        f"these ten names {told}; guessing names 20."
    )


@figure(
    "ten-pictures",
    caption="A linear classifier learned from ten labeled pictures and names 200 others, on three descriptions of "
    "them. Pictures: CIFAR-10 {cite:p}`krizhevsky2009learning`.",
    alt=_alt,
    format="png",
)
def still() -> Figure:
    """Ten pictures on the left, three bars on the right."""
    pictures, right = middling_deal()
    fig, (left, ax) = new(7.2, 2.3, 1, 2, (3.8, 1), width_ratios=(5, 6))
    headline(fig, f"Pre-training lets ten pictures name {right['pre-trained features']} of 200 others")
    left.imshow(pictures.reshape(2, 5, 32, 32, 3).swapaxes(1, 2).reshape(64, 160, 3))
    left.set_axis_off()
    left.set_title("Ten labeled pictures")
    ground = {"fc": ink("paper"), "ec": "none", "pad": 0.5}
    for row, (name, colour) in enumerate(_BARS.items()):
        ax.barh(row, right[name], color=COLOURS[colour], height=0.42)
        ax.text(0, row - 0.34, name, va="bottom", fontsize=9.5, bbox=ground)
        ax.text(right[name] + 1, row, str(right[name]), va="center", fontsize=10, bbox=ground)
    ax.axvline(20, color=ink(), lw=1, ls=":")
    ax.text(20.5, 2.48, "guessing", va="center", fontsize=9.5)
    ax.set(xlim=(0, 75), ylim=(2.65, -0.75), yticks=[])
    ax.set_xlabel("named rightly, of 200 test pictures")
    return fig
