"""One network three ways, by number of examples, and the numbers that the text quotes of it."""

from __future__ import annotations

from matplotlib.figure import Figure

from bitdoc.figures import figure, value
from bitdoc.figures.fewshot.common import (
    MINIATURE,
    draw_runs,
    median,
    median_text,
    records_of,
    times,
)
from bitdoc.figures.style import COLOURS, by_width, headline, new
from bitdoc.records import runs
from bitdoc.studies.fewshot import which_runs

_COLOURS = ("purple", "yellow", "grey")
_LABELS = ("fine-tuned", "linear probe", "no transfer")


def _series() -> list[tuple[str, list[runs.RunRecord]]]:
    """What is measured with the miniature, in the order of the labels: name for the text, and runs."""
    shipped = which_runs.SHIPPED
    return [
        (f"{shipped} fine-tuned", records_of(shipped)),
        (f"a linear probe on {shipped}", records_of(shipped, "linear-probe")),
        (f"{MINIATURE} from random weights", records_of(MINIATURE)),
    ]


def _measured_how() -> str:
    shown = [r for _, records in _series() for r in records]
    return f"A light dot is one run on its own random subset; lines join medians. {runs.provenance(shown)}"


def _alt() -> str:
    parts = [
        f"{name} rises from {middle[min(middle)]:.0f}% at {min(middle)} to {middle[max(middle)]:.0f}% at "
        f"{max(middle)} examples per class"
        for name, records in _series()
        if (middle := which_runs.medians(records))
    ]
    return f"Line chart of CIFAR-10 accuracy: {'; '.join(parts) or 'nothing has been measured yet'}."


@figure(
    "few-shot-miniature",
    caption=(
        "One network, R26x0.5, three ways: pre-trained and fine-tuned; pre-trained and frozen under a linear "
        "classifier; from random weights. Most of the gain is there before fine-tuning begins."
    ),
    alt=_alt,
    measured=_measured_how,
)
def miniature() -> Figure:
    """Accuracy of the shipped network against the number of examples, beside its two rivals."""
    fig, ax = new(7.2, 3.6, narrow=(3.6, 1))
    headline(fig, "Ten pictures with a past beat a hundred without")
    for (_, records), colour, text, shift in zip(_series(), _COLOURS, _LABELS, (6, -6, 0), strict=True):
        if records:
            draw_runs(ax, records, COLOURS[colour], text, xytext=(8, shift))
    ax.set_xscale("log")
    ax.set_xlim(0.9, by_width(14, 24))
    ax.set_xticks(which_runs.MORE_SHOTS, [str(k) for k in which_runs.MORE_SHOTS])
    ax.minorticks_off()
    ax.set(ylim=(0, 60), xlabel="examples per class", ylabel="CIFAR-10 top-1 accuracy, %")
    ax.grid(axis="y")
    return fig


for _shots in which_runs.SHOTS:
    value(f"gain-{_shots}")(lambda k=_shots: times(median(which_runs.SHIPPED, k), median(MINIATURE, k)))
for _shots in (1, 10):
    value(f"scratch-{_shots}")(lambda k=_shots: median_text(MINIATURE, k))
    value(f"miniature-{_shots}")(lambda k=_shots: median_text(which_runs.SHIPPED, k))
    value(f"probe-{_shots}")(lambda k=_shots: median_text(which_runs.SHIPPED, k, "linear-probe"))


@value("miniature-upstream")
def upstream_accuracy() -> str:
    """Upstream validation accuracy of the shipped model."""
    found = runs.load("pretrain", name=which_runs.SHIPPED)
    return f"{found[0].result['top1']:.1f}%" if found else "(not measured yet)"
