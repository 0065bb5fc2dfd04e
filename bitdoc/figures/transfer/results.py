"""What BiT achieves, as printed in its tables and figures."""

from __future__ import annotations

from matplotlib.figure import Figure

from bitdoc.figures import figure, style, table
from bitdoc.literature.published import FIG1_R50, FIG2_BIT_L, TABLE1, TABLE2, TABLE7

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
    caption="Few labels. Solid: BiT-L (R152x4), medians of five random subsets, read off Fig. 2 of "
    "{cite:t}`kolesnikov2020bit`. Dashed: a ResNet-50 pre-trained on ILSVRC-2012, read off Fig. 1, which does not show "
    "its lower points on CIFAR-10.",
    alt="Accuracy against labeled images per class, 1 to 100, on a logarithmic axis. BiT-L rises from 66 to 98 "
    "percent on CIFAR-10, from 40 to 91 on CIFAR-100 and from 50 to 84 on ILSVRC-2012; most of the rise comes before "
    "ten images. The ResNet-50 stays far below on all three.",
)
def low_data() -> Figure:
    """BiT-L and a ResNet-50 against examples per class."""
    fig, ax = style.new(5.8, 4.2)
    for data, colour in _COLOUR.items():
        curve, baseline = FIG2_BIT_L.values[data], FIG1_R50.values[data]
        few = {shots: accuracy for shots, accuracy in baseline.items() if shots != "full"}
        ax.plot(list(curve), list(curve.values()), "o-", color=style.COLOURS[colour])
        ax.plot(list(few), list(few.values()), "s--", color=style.COLOURS[colour], linewidth=1.3, markersize=4)
        style.label(ax, 100, curve[100], data, style.COLOURS[colour], fontsize=10)
    ax.text(12, 12, "dashed: ResNet-50", color=style.ink(), fontsize=10)
    ax.set(xscale="log", xlim=(0.9, 320), ylim=(0, 102), xlabel="labeled images per class", ylabel="top-1 accuracy, %")
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
