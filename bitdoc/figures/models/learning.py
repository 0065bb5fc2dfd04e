"""A small RetinaNet before and after a short training on rectangles, drawn from its run record."""

from __future__ import annotations

import statistics

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bitdoc.figures import figure, style
from bitdoc.figures.transfer.runs import empty_place
from bitdoc.records import runs
from bitdoc.studies.models.rectangles import EXPERIMENT, SIDE, held_out

_COMMAND = "python examples/plot_retinanet.py --run"


def _record() -> runs.RunRecord | None:
    return next(iter(runs.load(EXPERIMENT)), None)


def _landed(overlaps: list[float]) -> float:
    return 100 * sum(overlap > 0.5 for overlap in overlaps) / len(overlaps)


def _caption() -> str:
    record = _record()
    if record is None:
        return f"A small RetinaNet learns to find rectangles. {runs.provenance([])}"
    setting, after = record.setting, record.result["after"]
    return (
        f"A RetinaNet on {record.model} learns to find rectangles and to tell upright from lying ones, from random "
        f"weights, in {setting['steps']} steps of {setting['batch']} images. "
        "Above: its two losses. Below: six images that it never saw, true boxes in white, found ones dashed in the "
        f"color of their class. On {setting['held_out']} such images the mean IoU of the {len(after)} boxes is "
        f"{statistics.mean(after):.2f} ({statistics.mean(record.result['before']):.2f} before), and "
        f"{_landed(after):.0f}% have more than 0.5. {runs.provenance([record])}"
    )


def _alt() -> str:
    record = _record()
    if record is None:
        return "An empty place: the detector has not been trained yet."
    return (
        "Above, two curves of loss that fall during training. Below, six noisy images with bright rectangles; the "
        f"boxes found lie close to the true ones. {_landed(record.result['after']):.0f} percent of the boxes of unseen "
        "images are found with an overlap of more than one half."
    )


@figure("retinanet-learns", caption=_caption, alt=_alt, format="png")
def learns() -> Figure:
    """Losses above, six held-out images below."""
    record = _record()
    if record is None:
        fig, ax = style.new(5.8, 2.4)
        empty_place(ax, _COMMAND)
        return fig
    fig = style.new(5.8, 6.6)[0]
    fig.clear()
    grid = fig.add_gridspec(3, 3, height_ratios=(1.3, 1, 1))
    _losses(fig.add_subplot(grid[0, :]), record)
    images, targets = held_out()
    for index, found in enumerate(record.result["found"]):
        ax = fig.add_subplot(grid[1 + index // 3, index % 3])
        _picture(ax, images[index], targets[index]["boxes"].tolist(), found)
    return fig


def _losses(ax: Axes, record: runs.RunRecord) -> None:
    for name, label, colour in (("classification", "focal loss", "blue"), ("bbox_regression", "box loss", "orange")):
        values = record.curve[name]
        ax.plot(record.curve["step"], values, color=style.COLOURS[colour], linewidth=1.3)
        style.label(
            ax, record.curve["step"][-1], statistics.mean(values[-10:]), label, style.COLOURS[colour], fontsize=10
        )
    ax.set(yscale="log", xlim=(0, 1.22 * record.curve["step"][-1]), xlabel="step", ylabel="loss")
    ax.grid(axis="y")


def _picture(ax: Axes, image, true: list, found: dict) -> None:
    ax.imshow(image.permute(1, 2, 0).numpy())
    for x1, y1, x2, y2 in true:
        ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="#FFFFFF", linewidth=2.5))
    for (x1, y1, x2, y2), label in zip(found["boxes"], found["labels"], strict=True):
        # The image is the same in both themes, so these colours are too.
        colour = ("#8FD0FF", "#FFB000")[label]
        box = Rectangle(
            (x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=2.5, linestyle=(0, (3, 1.5))
        )
        ax.add_patch(box)
    ax.set(xticks=[], yticks=[], xlim=(0, SIDE), ylim=(SIDE, 0))
