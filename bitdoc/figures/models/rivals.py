"""Specialists, generalists and BiT: size against accuracy, Table 1 as errors, and the loop of Noisy Student."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from bitdoc.figures import figure, style
from bitdoc.literature.catalog import ARCHITECTURES, UPSTREAM, models
from bitdoc.literature.published import TABLE1

_COLOUR = {upstream: style.MEANINGS[f"BiT-{upstream}"] for upstream in "SML"}
#: Where the name of a rival stands, in points from its mark.
_OFFSET = {"FixRes": (-8, -13), "GPipe": (4, -15), "EfficientNet-B7": (-6, 9), "Noisy Student": (-10, 7)}


@figure(
    "rivals-size",
    caption="Size and accuracy on ILSVRC-2012, published. Lines: BiT's five networks, each on three upstream data sets "
    "{cite:p}`kolesnikov2020bit`. Diamonds: the rivals of its Table 1.",
    measured="Published: Fig. 5 of the BiT paper, read off, and its Tables 1 and 2; the rivals' papers "
    "{cite:p}`touvron2019fixres,xie2020noisy,huang2019gpipe,tan2019efficientnet`. Sizes of BiT leave the head out.",
    alt="Accuracy on ILSVRC-2012 against the number of parameters on a logarithmic axis. BiT-S rises from 76.8 to 81.3 "
    "percent, BiT-M from 80.0 to 85.4, BiT-L from 79.0 to 87.5 as the network grows forty-fold. EfficientNet-B7 "
    "reaches 84.3 percent with 66 million parameters, Noisy Student 88.4 with 480 million, FixRes 86.4 with 829 "
    "million, GPipe 84.4 with 557 million.",
)
def size() -> Figure:
    """Three lines for BiT, one mark for each rival."""
    fig, ax = style.new(5.8, 4.6, narrow=(4.6, 1))
    style.headline(fig, "JFT-300M takes a plain network past all but Noisy Student")
    small = style.by_width(10, 8.5)
    by_name = {model.name: model for model in models()}
    for upstream, data in UPSTREAM.items():
        line = [by_name[f"BiT-{upstream} {arch}"] for arch in ARCHITECTURES]
        sizes = [model.millions for model in line if model.millions]
        accuracies = [model.ilsvrc for model in line if model.ilsvrc]
        colour = style.COLOURS[_COLOUR[upstream]]
        ax.plot(sizes, accuracies, "o-", color=colour)
        text = f"BiT-{upstream}\n{data.split(',')[0]}"
        style.label(ax, sizes[-1], accuracies[-1], text, colour, fontsize=small)
    for name, offset in _OFFSET.items():
        rival = by_name[name]
        ax.plot(rival.millions, rival.ilsvrc, "D", color=style.ink(), markersize=7)
        ax.annotate(
            name, (rival.millions, rival.ilsvrc), offset, textcoords="offset points", fontsize=small, ha="center"
        )
    ax.set(
        xscale="log",
        xlim=(18, style.by_width(4500, 9000)),
        ylim=(76, 89.6),
        xlabel="parameters, millions",
        ylabel="top-1 accuracy, %",
    )
    ticks = style.by_width((25, 50, 100, 250, 500, 1000), (25, 100, 250, 1000))
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.grid(axis="y")
    return fig


def _name_rival(ax: Axes, text: str, error: float, row: int, points: dict[str, float], colour: str) -> None:
    """Write a name outside the row's marks: left of the leftmost, right of the rightmost, else above."""
    if style.by_width(False, len(text) > 14):
        offset, align = (0, -12), "center"
    elif error == min(points.values()):
        offset, align = (-9, 0), "right"
    elif error == max(points.values()):
        offset, align = (9, 0), "left"
    else:
        offset, align = (0, 12), "center"
    ax.annotate(text, (error, row), offset, textcoords="offset points", ha=align, va="center", fontsize=9, color=colour)


@figure(
    "rivals-errors",
    caption="Table 1 of {cite:t}`kolesnikov2020bit` as errors. A generalist is pre-trained once for all tasks, a "
    "specialist with one task in mind. Where no triangle stands the paper names no specialist.",
    alt=lambda: (
        "Six rows of marks. BiT-L makes fewer errors than the best generalist on every data set. The specialist makes "
        "fewer than BiT-L on ILSVRC-2012 and Pets and more on Flowers. Errors in percent, BiT-L against generalist: "
        + ", ".join(
            f"{name} {100 - c['BiT-L'][0]:.2f} and {100 - c['generalist'][0]:.1f}" for name, c in TABLE1.values.items()
        )
        + "."
    ),
)
def errors() -> Figure:
    """One row for each data set."""
    fig, ax = style.new(5.8, 4.2, narrow=(4.4, 1))
    style.headline(fig, "BiT-L errs less than any generalist; two specialists beat it, each once")
    marks = {"BiT-L": ("o", "blue"), "generalist": ("s", "grey"), "specialist": ("^", "orange")}
    for row, cells in enumerate(TABLE1.values.values()):
        points = {name: 100 - cells[name][0] for name in marks if cells[name]}
        ax.plot(
            [min(points.values()), max(points.values())], [row, row], color=style.ink("faint"), linewidth=2, zorder=1
        )
        for name, error in points.items():
            mark, colour = marks[name]
            ax.plot(error, row, mark, color=style.COLOURS[colour], markersize=9)
            if name != "BiT-L":
                _name_rival(ax, cells[name][1], error, row, points, style.COLOURS[colour])
    ax.set_yticks(range(len(TABLE1.values)), list(TABLE1.values))
    ax.invert_yaxis()
    ax.set(xscale="log", xlim=(0.25, 75), ylim=(5.4, -1.1), xlabel="errors, %")
    ticks = style.by_width((0.5, 1, 2, 5, 10, 20, 40), (0.5, 1, 5, 10, 40))
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.grid(axis="x")
    places = style.by_width((0.3, 1.3, 8.0), (0.28, 1.05, 10.0))
    for x, (name, (mark, colour)) in zip(places, marks.items(), strict=True):
        ax.plot(x, -0.85, mark, color=style.COLOURS[colour], markersize=9)
        ax.annotate(
            name, (x, -0.85), (9, 0), textcoords="offset points", va="center", fontsize=9, color=style.COLOURS[colour]
        )
    return fig


def _box(ax: Axes, x: float, y: float, text: str, colour: str, size: tuple = (3.1, 1.25)) -> None:
    width, height = size
    corner = (x - width / 2, y - height / 2)
    shape = FancyBboxPatch(
        corner, width, height, "round,pad=0,rounding_size=0.12", fc=style.ink("wash"), ec=style.COLOURS[colour], lw=1.6
    )
    ax.add_patch(shape)
    ax.text(x, y, text, ha="center", va="center", fontsize=style.by_width(10, 8.5), linespacing=1.35)


def _arrow(ax: Axes, start: tuple, end: tuple, bend: float = 0.0) -> None:
    arrow = {"arrowstyle": "-|>", "color": style.ink(), "lw": 1.3, "connectionstyle": f"arc3,rad={bend}"}
    ax.annotate("", end, start, arrowprops=arrow)


@figure(
    "noisy-student",
    caption="The loop of Noisy Student {cite:p}`xie2020noisy`.",
    alt="A diagram of a loop. A teacher trained on ILSVRC-2012 guesses the labels of 300 million JFT images, of which "
    "81 million with confident guesses are used, some more than once, 130 million in all; an equal or larger student "
    "learns from real and guessed labels with dropout, stochastic depth and RandAugment; an arrow leads back from the "
    "student to the teacher.",
)
def noisy_student() -> Figure:
    """Teacher, unlabeled images, student, and the way back."""
    fig, ax = style.new(5.8, 4.6, narrow=(4.6, 1))
    style.headline(fig, "The student becomes the next teacher")
    ax.set(xlim=(0, 9.15), ylim=(-0.1, 6.8))
    ax.axis("off")
    _box(ax, 4.5, 6.1, "ILSVRC-2012: 1.28M images with labels", "grey", style.by_width((6.4, 0.9), (8.4, 0.9)))
    _box(ax, 1.65, 3.4, "teacher\nclean images", "orange", (3.0, 1.4))
    student = (
        "equal or larger student\ndropout, stochastic\ndepth, RandAugment",
        "equal or larger\nstudent, dropout,\nstochastic depth,\nRandAugment",
    )
    _box(ax, 7.15, 3.4, style.by_width(*student), "blue", (3.7, 1.7))
    images = "300M JFT images, their labels guessed;\n81M sure ones kept, repeated to 130M"
    _box(ax, 4.5, 0.6, images, "green", style.by_width((7.4, 1.2), (8.4, 1.3)))
    _arrow(ax, (2.4, 5.65), (1.9, 4.15))
    _arrow(ax, (6.5, 5.65), (6.9, 4.3))
    _arrow(ax, (1.9, 2.65), (2.4, 1.25))
    _arrow(ax, (6.5, 1.25), (6.9, 2.5))
    _arrow(ax, (5.35, 3.4), (3.2, 3.4))
    ax.text(4.28, 3.55, "becomes\nthe teacher", ha="center", va="bottom", fontsize=style.by_width(9.5, 8.5))
    return fig
