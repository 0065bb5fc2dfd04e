"""A small RetinaNet before and after a short training on rectangles, drawn from its run record."""

from __future__ import annotations

import statistics

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bitdoc.figures import figure, style
from bitdoc.figures.transfer.measured import empty_place
from bitdoc.records import runs
from bitdoc.studies.models.rectangles import EXPERIMENT, SIDE, held_out

COMMAND = "python examples/plot_retinanet.py --run"


def trained() -> runs.RunRecord | None:
    """The run of the small detector, if it has been made."""
    return next(iter(runs.load(EXPERIMENT)), None)


def _found(overlaps: list[float]) -> int:
    return sum(overlap > 0.5 for overlap in overlaps)


def _caption() -> str:
    record = trained()
    if record is None:
        return f"A small RetinaNet learns to find rectangles. {runs.provenance([])}"
    return (
        f"A RetinaNet on {record.model} learns to find bright rectangles on noise. Its two losses; and six images that "
        "it never saw, true boxes in white, its most probable answers dashed in the color of their class."
    )


def _measured() -> str:
    record = trained()
    if record is None:
        return ""
    setting, after = record.setting, record.result["after"]
    return (
        f"From random weights, {setting['steps']:,} steps of {setting['batch']} images of {setting['side']} pixels a "
        "side; classes are upright and lying. Losses are means of ten steps; as many answers are drawn as there are "
        f"objects. On {setting['held_out']} such images {_found(after)} of {len(after)} objects are found, with the "
        f"right class and an IoU above 0.5; the mean IoU is {statistics.mean(after):.2f}, before training "
        f"{statistics.mean(record.result['before']):.2f}. {runs.provenance([record])}"
    )


def _alt() -> str:
    record = trained()
    if record is None:
        return "An empty place: the detector has not been trained yet."
    after = record.result["after"]
    return (
        "Above, two curves of loss that fall during training without a spike. Below, six noisy images with one to four "
        f"bright rectangles; the boxes found lie on the true ones. Of {len(after)} rectangles in unseen images "
        f"{_found(after)} are found."
    )


@figure("retinanet-learns", caption=_caption, alt=_alt, format="png", measured=_measured)
def learns() -> Figure:
    """Losses above, six held-out images below."""
    record = trained()
    if record is None:
        fig, ax = style.new(5.8, 2.4)
        empty_place(ax, COMMAND)
        return fig
    fig = style.new(5.8, 6.8, narrow=(4.6, 1))[0]
    fig.clear()
    after = record.result["after"]
    style.headline(fig, f"{_found(after)} of {len(after)} unseen rectangles are found")
    grid = fig.add_gridspec(3, 3, height_ratios=(1.3, 1, 1))
    _losses(fig.add_subplot(grid[0, :]), record)
    images, targets = held_out()
    for index, found in enumerate(record.result["found"]):
        ax = fig.add_subplot(grid[1 + index // 3, index % 3])
        _picture(ax, images[index], targets[index]["boxes"].tolist(), found)
    return fig


def _losses(ax: Axes, record: runs.RunRecord) -> None:
    steps = record.curve["step"][9::10]
    for name, label, colour in (("classification", "focal loss", "blue"), ("bbox_regression", "box loss", "orange")):
        values = record.curve[name]
        means = [statistics.mean(values[step - 10 : step]) for step in steps]
        ax.plot(steps, means, color=style.COLOURS[colour], linewidth=1.5)
        style.label(ax, steps[-1], means[-1], label, style.COLOURS[colour], fontsize=style.by_width(10, 9))
    ax.set(yscale="log", xlim=(0, style.by_width(1.2, 1.35) * steps[-1]), xlabel="step", ylabel="loss")
    style.plain(ax.yaxis)
    ax.minorticks_off()
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
    ax.spines[:].set_visible(False)
