"""What BiT achieves, as printed in its tables and figures."""

from __future__ import annotations

from matplotlib.figure import Figure

from bitdoc.figures import figure, style, table
from bitdoc.literature.published import FIG2_BIT_L, TABLE1, TABLE2, TABLE7

_COLOUR = {"CIFAR-10": "blue", "CIFAR-100": "orange", "ILSVRC-2012": "green"}


@table(
    "transfer-results",
    caption="Full downstream data, top-1 accuracy in percent (VTAB-1k: mean over 19 tasks of 1,000 images), published "
    "{cite:p}`kolesnikov2020bit`. All three BiT networks are R152x4; BiT-L with the standard deviation of three runs.",
)
def results() -> list[list[str]]:
    """Tables 1 and 2 of the paper side by side."""
    rows = [["data", "BiT-S", "BiT-M", "BiT-L", "best generalist", "best specialist"]]
    for data, cells in TABLE1.values.items():
        rivals = (cells["generalist"], cells["specialist"])
        rows.append(
            [
                data,
                *(f"{TABLE2.values[name][data]:.2f}" for name in ("BiT-S", "BiT-M")),
                "{:.2f}\u00a0±\u00a0{:.2f}".format(*cells["BiT-L"]),
                *("–" if rival is None else f"{rival[0]} {rival[1]}" for rival in rivals),
            ]
        )
    return rows


@figure(
    "transfer-low-data",
    caption="Few labels are enough for BiT-L (R152x4): medians of five random subsets, read off Fig. 2 of "
    "{cite:t}`kolesnikov2020bit`. Ringed: ten images of each CIFAR-10 class, 100 images in all.",
    alt="Accuracy against labeled images per class, 1 to 100, on a logarithmic axis. BiT-L rises from 66 to 98 "
    "percent on CIFAR-10, from 40 to 91 on CIFAR-100 and from 50 to 84 on ILSVRC-2012; most of the rise comes before "
    "ten images. A ring marks 97 percent on CIFAR-10 with ten images of each class.",
)
def low_data() -> Figure:
    """BiT-L against examples per class."""
    fig, ax = style.new(5.8, 3.6, narrow=(3.6, 1))
    ten = FIG2_BIT_L.values["CIFAR-10"][10]
    style.headline(fig, f"Ten images of each class bring BiT-L to {ten:.0f}% on CIFAR-10")
    for data, colour in _COLOUR.items():
        curve = FIG2_BIT_L.values[data]
        ax.plot(list(curve), list(curve.values()), "o-", color=style.COLOURS[colour])
        style.label(ax, 100, curve[100], data, style.COLOURS[colour], fontsize=style.by_width(10, 9))
    ax.plot(10, ten, "o", markersize=13, markerfacecolor="none", markeredgecolor=style.ink(), markeredgewidth=1.3)
    ax.annotate(f"{ten:.0f}%", (10, ten), (0, -19), textcoords="offset points", ha="center", fontsize=11)
    ax.set(
        xscale="log",
        xlim=(0.9, style.by_width(320, 600)),
        ylim=(30, 102),
        xlabel="labeled images per class",
        ylabel="top-1 accuracy, %",
    )
    ax.set_xticks([1, 5, 10, 25, 100], ["1", "5", "10", "25", "100"])
    ax.minorticks_off()
    ax.grid(axis="y")
    return fig


@table(
    "transfer-duplicates",
    caption="Test accuracy in percent with all test images and without those that have a near-duplicate in JFT-300M, "
    "and how many those are; published, Table 7 of {cite:t}`kolesnikov2020bit`.",
)
def duplicates() -> list[list[str]]:
    """The JFT-300M columns of Table 7."""
    rows = [["data", "all test images", "without duplicates", "duplicates"]]
    for data, cells in TABLE7.values.items():
        everything, clean, removed = cells["JFT-300M"]
        rows.append([data, str(everything), str(clean), f"{removed:,}"])
    return rows
