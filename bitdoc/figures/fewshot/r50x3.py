"""Fig. 6 for ResNet-50x3 alone: every published run, and the places of those made here."""

from __future__ import annotations

import statistics

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, value
from bitdoc.figures.fewshot.common import (
    draw_runs,
    points,
    records_of,
)
from bitdoc.figures.style import COLOURS, by_width, headline, ink, label, new
from bitdoc.literature import published
from bitdoc.records import runs
from bitdoc.studies.fewshot import which_runs

#: Published upstream sets, smallest first.
UPSTREAM = {"S": "orange", "M": "green", "L": "blue"}
#: What is measured here: colour, label.
MEASURED = {
    "BiT-T-R50x3": ("purple", "100,000 pictures"),
    "BiT-T-R50x3-10pct": ("sky", "10,000 pictures"),
    "R50x3": ("grey", "no transfer"),
    "BiT-S-R50x3": ("orange", "BiT-S"),
    "BiT-M-R50x3": ("green", "BiT-M"),
}


def five_runs(shots: int, upstream: str) -> list[float]:
    """The five published accuracies of one upstream set, in percent."""
    return published.FIG6_R50X3_RUNS.values[shots][upstream]


def _measured() -> list[runs.RunRecord]:
    return [record for model in MEASURED for record in records_of(model)]


def _axis(ax: Axes, title: str) -> None:
    ax.set_title(title)
    ax.set_xscale("log")
    ax.set_xlim(0.8, by_width(85, 140))
    ax.set_xticks(which_runs.SHOTS, [str(k) for k in which_runs.SHOTS])
    ax.minorticks_off()
    ax.set_xlabel("examples per class")
    ax.set_ylim(0, 100)
    ax.grid(axis="y")


def _draw_published(ax: Axes) -> None:
    _axis(ax, "Published")
    for upstream, colour in UPSTREAM.items():
        for shots in (1, 5):
            dots = five_runs(shots, upstream)
            ax.plot([shots] * 5, dots, "s", mfc="none", color=COLOURS[colour], alpha=0.5, markersize=4)
        middle = [statistics.median(five_runs(shots, upstream)) for shots in (1, 5)]
        ax.plot((1, 5), middle, "s--", mfc="none", color=COLOURS[colour], lw=1.4, markersize=6)
        label(ax, 5, middle[1], f"BiT-{upstream}", COLOURS[colour], xytext=(22, 0))
    for shots, dots in published.COURSE_REPORT_R50X3.values.items():
        ax.plot([1.13 * shots] * 5, dots, "x", color=COLOURS["green"], markersize=5)
    ax.text(72, 13, "□ the paper's runs", ha="right", color=ink())
    ax.text(72, 5, "× BiT-M again, a course report", ha="right", color=COLOURS["green"])
    ax.set_ylabel("CIFAR-10 top-1 accuracy, %")


def _draw_measured(ax: Axes) -> None:
    _axis(ax, "Measured here")
    for model, (colour, text) in MEASURED.items():
        if records := records_of(model):
            draw_runs(ax, records, COLOURS[colour], text, xytext=(6, 0))


def _measured_how() -> str:
    return (
        "Published: the five runs of each upstream set (hollow squares), read off Fig. 6, and five runs of a course "
        "report (crosses). Measured: dots are runs on all 10,000 test images, lines join medians. "
        f"{runs.provenance(_measured())}"
    )


def _alt() -> str:
    rise = "; ".join(
        f"BiT-{u} from {statistics.median(five_runs(1, u)):.0f} to {statistics.median(five_runs(5, u)):.0f}%"
        for u in UPSTREAM
    )
    found = [
        f"{model} has {middle[min(middle)]:.0f}% at {min(middle)} and "
        f"{middle[max(middle)]:.0f}% at {max(middle)} per class"
        for model in MEASURED
        if (middle := which_runs.medians(records_of(model)))
    ]
    measured = "; ".join(found) or "nothing yet"
    return (
        f"Two charts of CIFAR-10 accuracy against examples per class for ResNet-50x3. Published, from one to five "
        f"examples: {rise}; runs of one setting scatter over 10 to 20 points at one example and 3 to 6 at five. "
        f"Measured here: {measured}."
    )


@figure(
    "few-shot-r50x3",
    caption=(
        "ResNet-50x3 on CIFAR-10 by number of examples: published {cite:p}`kolesnikov2020bit,cicorias`, and measured "
        "here after 100,000, 10,000 and no upstream pictures."
    ),
    alt=_alt,
    measured=_measured_how,
)
def r50x3() -> Figure:
    """Accuracy of R50x3 against examples per class: published on the left, measured here on the right."""
    fig, axes = new(7.6, 4.2, 1, 2, (7.0, 1), sharey=True)
    _draw_published(axes[0])
    _draw_measured(axes[1])
    axes[1].set_ylabel(by_width("", "CIFAR-10 top-1 accuracy, %"))
    headline(fig, "R50x3: a network that has seen more learns more from four further pictures")
    return fig


def _rise(upstream: str) -> str:
    one, five = (statistics.median(five_runs(shots, upstream)) for shots in (1, 5))
    return points(five, one)


for _upstream in "SM":
    value(f"r50x3-rise-{_upstream}")(lambda u=_upstream: _rise(u))
for _shots in (1, 5):
    value(f"r50x3-report-{_shots}")(
        lambda k=_shots: f"{statistics.median(published.COURSE_REPORT_R50X3.values[k]):.1f}"
    )
