"""Normalization page: numbers printed in the papers, drawn."""

from __future__ import annotations

from matplotlib.figure import Figure

from bitdoc.figures import figure, style, value
from bitdoc.literature.published import GN_BATCH_SIZE, GN_GROUPS, TABLE4, TABLE5

BATCH_NORM, GROUP_NORM = "batch norm", "group norm"
_COLOUR = {BATCH_NORM: "blue", GROUP_NORM: "orange"}


def accuracies(errors: dict[int, float]) -> dict[int, float]:
    """Top-1 accuracies, in percent, of a published row of top-1 errors."""
    return {key: round(100 - error, 1) for key, error in errors.items()}


@figure(
    "norm-gn-batch-size",
    caption=(
        "Accuracy of a ResNet-50 on ILSVRC-2012 by the number of images on each of eight GPUs; batch norm takes its "
        "means on each GPU by itself. Published as errors {cite:p}`wu2018group`."
    ),
    alt=(
        "Two lines over 2 to 32 images per GPU. Group norm is level at 76 percent accuracy. Batch norm is half a point "
        "better at 32 and 16 images, then falls to 75.2, 72.7 and 65.3 percent at 8, 4 and 2."
    ),
)
def gn_batch_size() -> Figure:
    """Draw Table 2 of the group-norm paper."""
    fig, ax = style.new(7.2, 3.6, narrow=(3.6, 1))
    style.headline(fig, "With 2 images on a GPU instead of 32, batch norm loses 11 points, group norm none")
    rows = {name: accuracies(row) for name, row in GN_BATCH_SIZE.values.items()}
    for name, row in rows.items():
        other = rows[GROUP_NORM if name == BATCH_NORM else BATCH_NORM]
        colour, batches = style.COLOURS[_COLOUR[name]], sorted(row)
        ax.plot(batches, [row[batch] for batch in batches], "o-", color=colour)
        for batch in batches:
            place: dict = {"xytext": (4, 7), "ha": "center", "va": "bottom"}
            if row[batch] < other[batch]:  # below its line, and beside it where that is steep
                place = {"xytext": (5, -5), "ha": "left" if name == BATCH_NORM else "center", "va": "top"}
            style.label(ax, batch, row[batch], f"{row[batch]:.1f}", colour, **place)
    ax.text(2.3, 65.6, BATCH_NORM, color=style.COLOURS["blue"])
    ax.text(2.3, 74.3, GROUP_NORM, color=style.COLOURS["orange"])
    ax.set_xscale("log", base=2)
    ax.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
    ax.set(xlabel="images per GPU", ylabel="top-1 accuracy, %", ylim=(63.5, 78.5))
    return fig


@figure(
    "norm-groups",
    caption=(
        "Accuracy of a ResNet-50 on ILSVRC-2012 with group norm, by the number of groups and by the number of channels "
        "in a group. The ends are layer and instance norm. Published as errors {cite:p}`wu2018group`."
    ),
    alt=(
        "Left: accuracies between 75.3 and 75.9 percent for 2 to 64 groups, highest at 32, and 74.7 for one group. "
        "Right: 75.5 to 75.8 percent for 8 to 64 channels per group, then falling to 71.6 for one."
    ),
)
def groups() -> Figure:
    """Draw Table 3 of the group-norm paper."""
    fig, panels = style.new(7.2, 3.3, 1, 2, (5.6, 1), sharey=True)
    style.headline(fig, "Between layer and instance norm, the number of groups matters little")
    for ax, (name, errors) in zip(panels, GN_GROUPS.values.items(), strict=True):
        row = accuracies(errors)
        numbers = sorted(row)
        ax.plot(range(len(numbers)), [row[n] for n in numbers], "o-", color=style.COLOURS["orange"])
        for place, number in enumerate(numbers):
            shift, align = ((-3, 4), "right") if place < 2 else ((0, 7), "center")
            told = f"{row[number]:.1f}"
            ax.annotate(told, (place, row[number]), shift, textcoords="offset points", ha=align, fontsize=9)
        ax.set_xticks(range(len(numbers)), [str(n) for n in numbers])
        ax.set(xlabel=name, ylim=(71, 77), xlim=(-0.9, len(numbers) - 0.5))
    panels[0].set_ylabel("top-1 accuracy, %")
    panels[1].set_ylabel(style.by_width("", "top-1 accuracy, %"))
    panels[0].text(0.15, 74.2, "= layer norm", fontsize=9)
    panels[1].text(0.3, 71.55, "= instance norm", fontsize=9, va="center")
    return fig


@figure(
    "norm-bit-tables",
    caption=(
        "A ResNet-50 with plain (open) and standardized (filled) filters: trained on ILSVRC-2012, and the same "
        "networks transferred to the 19 tasks of VTAB-1k. Published, Tables 4 and 5 of {cite:t}`kolesnikov2020bit`."
    ),
    alt=(
        "Two panels of arrows from plain to standardized filters. From scratch: batch norm 75.6 to 75.8, group norm "
        "70.2 to 76.0. Transfer: batch norm 67.72 down to 66.78, group norm 68.77 up to 70.39."
    ),
)
def bit_tables() -> Figure:
    """Draw Tables 4 and 5 of the BiT paper as arrows from plain to standardized filters."""
    fig, panels = style.new(7.2, 3.5, 1, 2, (6.2, 1))
    style.headline(fig, "Standardized filters bring group norm to batch norm's level, and past it in transfer")
    for ax, table, digits in ((panels[0], TABLE4, 1), (panels[1], TABLE5, 2)):
        for place, (name, row) in enumerate(table.values.items()):
            colour = style.COLOURS[_COLOUR[name]]
            plain, standardized = row["plain"], row["standardized"]
            arrow = {"arrowstyle": "-|>", "color": colour, "shrinkA": 5, "shrinkB": 5, "lw": 1.6}
            ax.annotate("", (place, standardized), (place, plain), arrowprops=arrow)
            ax.plot(place, plain, "o", color=colour, mfc=style.ink("paper"), ms=8)
            ax.plot(place, standardized, "o", color=colour, ms=8)
            for number, word in ((plain, "plain"), (standardized, "+ WS")):
                # Apart from each other where the two numbers are close.
                lower = number == min(plain, standardized)
                side = "center" if abs(plain - standardized) > 0.5 else "top" if lower else "bottom"
                ax.text(place + 0.09, number, f"{number:.{digits}f} {word}", color=colour, va=side, fontsize=9.5)
        ax.set_xticks((0, 1), list(table.values))
        ax.set(xlim=(-0.35, 1.75))
    panels[0].set(ylabel="top-1 accuracy, %", title="From scratch, batch 4,096", ylim=(69.2, 77))
    panels[1].set(ylabel="mean accuracy, %", title="Transfer to VTAB-1k", ylim=(66.2, 71))
    return fig


@value("norm-gn-gap")
def gn_gap() -> str:
    """Points of accuracy by which group norm alone stays behind batch norm in BiT's Table 4."""
    return f"{TABLE4.values[BATCH_NORM]['plain'] - TABLE4.values[GROUP_NORM]['plain']:.1f}"


@value("norm-transfer-gain")
def transfer_gain() -> str:
    """Points by which GN + WS transfers better than plain batch norm in BiT's Table 5."""
    return f"{TABLE5.values[GROUP_NORM]['standardized'] - TABLE5.values[BATCH_NORM]['plain']:.1f}"
