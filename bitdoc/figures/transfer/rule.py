"""BiT-HyperRule as a decision path, and the staircase of the learning rate. Every number comes from the rule itself."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from bitdoc.figures import figure, style
from bitdoc.training import hyperrule

#: One number of labeled examples for each size of task.
_EXAMPLES = {"small": 1_000, "medium": 50_000, "large": 1_281_167}
_RULE = ("small", "medium", "large")
_COLOUR = dict(zip(_RULE, ("blue", "orange", "green"), strict=True))


def _box(
    ax: Axes, name: str, x: float, y: float, width: float, text: str, colour: str = "", height: float = 0.9
) -> None:
    edge = style.COLOURS[colour] if colour else style.ink("faint")
    corner = (x - width / 2, y - height / 2)
    box = FancyBboxPatch(corner, width, height, "round,pad=0,rounding_size=0.1", fc=style.ink("wash"), ec=edge, lw=1.5)
    box.set_gid(f"rule-{name}")
    ax.add_patch(box)
    ax.text(x, y, text, ha="center", va="center", fontsize=style.by_width(10, 8.5), linespacing=1.35)


def _arrow(ax: Axes, name: str, start: tuple, end: tuple, text: str = "", side: str = "left") -> None:
    arrow = ax.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": style.ink(), "lw": 1.2, "shrinkA": 0, "shrinkB": 0}
    )
    assert arrow.arrow_patch is not None  # there is one, because there are arrowprops
    arrow.arrow_patch.set_gid(f"rule-{name}")
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        offset, align = (-0.08, "right") if side == "left" else (0.08, "left")
        ax.text(x + offset, y + 0.04, text, ha=align, va="center", fontsize=style.by_width(9.5, 8.5), color=style.ink())


def _schedule_text(size: str) -> str:
    alpha = hyperrule.get_mixup(_EXAMPLES[size])
    steps = hyperrule.get_schedule(_EXAMPLES[size])[-1]
    return f"{size}\n{steps:,} steps\n" + (f"MixUp{style.by_width(' α =', '')} {alpha:g}" if alpha else "no MixUp")


@figure(
    "rule-path",
    caption="BiT-HyperRule as its code has it {cite:p}`google2021bitcode`. The paper's text keeps 512 and 480 for "
    "R152x4 and gives 448 and 384 to all smaller networks.",
    measured="The numbers are read from `bitdoc.training.hyperrule` while the page is built.",
    alt=lambda: (
        "A decision path. Images whose area is below 96 by 96 pixels are resized to 160 and cropped to 128; all others "
        "are resized to 512 and cropped to 480. Then the number of labeled examples: below 20,000 a small task with "
        "500 steps and no MixUp; below 500,000 a medium one with 10,000 steps and MixUp 0.1; else a large one with "
        "20,000 steps and MixUp 0.1. The rest is the same for all."
    ),
)
def path() -> Figure:
    """The two questions and what follows from the answers.

    Boxes and arrows bear names (``rule-small``), by which the page's planner finds them in the SVG and lights them up.
    """
    fig, ax = style.new(5.8, 6.3, narrow=(5.6, 1))
    style.headline(fig, "Two questions settle every hyperparameter")
    ax.set(xlim=style.by_width((0, 9), (0.15, 8.85)), ylim=(0.1, 9.75))
    ax.axis("off")
    below, above = hyperrule.get_resolution((32, 32)), hyperrule.get_resolution((224, 224))
    question, sides, task = style.by_width((6.2, 3.5, 2.6), (8.2, 4.1, 2.75))
    _box(ax, "size", 4.5, 9.2, question, "Is the image's area below 96 × 96 pixels?")
    _arrow(ax, "to-below", (2.9, 8.75), (2.3, 7.75), "yes")
    _arrow(ax, "to-above", (6.1, 8.75), (6.7, 7.75), "no", side="right")
    for name, x, resolution in (("below", 2.3, below), ("above", 6.7, above)):
        told = f"resize to {resolution.resize}²,\ncrop {resolution.crop}² at random"
        _box(ax, name, x, 7.2, sides, told, "sky", 1.1)
        _arrow(ax, f"from-{name}", (x, 6.65), (4.5 + (x - 4.5) * 0.45, 5.75))
    _box(ax, "examples", 4.5, 5.3, question, "How many labeled examples in all?")
    limits = (f"< {hyperrule.SMALL:,}", f"< {hyperrule.MEDIUM:,}", "more")
    for x, size, limit in zip((1.55, 4.5, 7.45), _RULE, limits, strict=True):
        side = "left" if x < 5 else "right"
        _arrow(ax, f"to-{size}", (4.5 + (x - 4.5) * 0.7, 4.85), (x, 3.55), limit, side=side)
        _box(ax, size, x, 2.75, task, _schedule_text(size), _COLOUR[size], 1.6)
        _arrow(ax, f"from-{size}", (x, 1.95), (4.5 + (x - 4.5) * 0.75, 1.35))
    always = style.by_width(
        "always: SGD, learning rate 0.003, momentum 0.9,\nbatch 512, no weight decay, head from zero",
        "always: SGD, learning rate 0.003,\nmomentum 0.9, batch 512,\nno weight decay, head from zero",
    )
    _box(ax, "always", 4.5, 0.85, 8.6, always, "", style.by_width(1.0, 1.35))
    return fig


def _stairs(ax: Axes, size: str, source: str, colour: str, **options) -> None:
    steps = range(hyperrule.get_schedule(_EXAMPLES[size], source)[-1])
    rates = np.array([hyperrule.get_lr(step, _EXAMPLES[size], source=source) for step in steps])
    # A logarithmic axis has no room for the rate of the first step, which is exactly 0 in the code.
    rates[rates == 0] = np.nan
    ax.plot(steps, rates, color=style.COLOURS[colour], **options)


@figure(
    "rule-staircase",
    caption="The learning rate, step by step: it warms up, then drops three times. Dashed: the paper's text for small "
    "tasks {cite:p}`kolesnikov2020bit`; the rest is the official code {cite:p}`google2021bitcode`.",
    measured="Computed by `bitdoc.training.hyperrule.get_lr` while the page is built.",
    alt="Two staircases on a logarithmic scale. Small tasks: the code climbs to 0.003 in 100 steps and drops at steps "
    "200, 300 and 400; the paper starts at 0.003 and drops at 150, 300 and 450. Medium and large tasks: drops at 30, "
    "60 and 90 percent of 10,000 and 20,000 steps.",
)
def staircase() -> Figure:
    """Small tasks above, code against paper; medium and large tasks below."""
    fig, (top, bottom) = style.new(5.8, 5.2, 2, 1, narrow=(5.0, 1))
    style.headline(fig, "Warm up, then drop the rate three times; for small tasks code and paper differ")
    _stairs(top, "small", "code", "blue")
    _stairs(top, "small", "paper", "orange", linestyle=(0, (4, 2)))
    top.text(105, 6e-6, "official code", color=style.COLOURS["blue"], fontsize=10)
    top.text(325, 4.3e-4, "paper's text", color=style.COLOURS["orange"], fontsize=10)
    top.set_title(f"Small tasks{style.by_width(' (fewer than 20,000 examples)', ', below 20,000 examples')}")
    for size in ("medium", "large"):
        _stairs(bottom, size, "code", _COLOUR[size])
        second_drop = hyperrule.get_schedule(_EXAMPLES[size])[2]
        bottom.text(1.03 * second_drop, 7e-5, size, color=style.COLOURS[_COLOUR[size]], fontsize=10)
    bottom.set_title("Medium and large tasks")
    for ax in (top, bottom):
        ax.set(yscale="log", ylim=(1.2e-6, 6e-3), xlabel="step", ylabel="learning rate")
        ax.set_yticks([3e-6, 3e-5, 3e-4, 3e-3], ["0.000003", "0.00003", "0.0003", "0.003"])
        ax.minorticks_off()
        ax.grid(axis="y")
    bottom.set_xticks(range(0, 20_001, 5_000))
    bottom.xaxis.set_major_formatter("{x:,.0f}")
    return fig
