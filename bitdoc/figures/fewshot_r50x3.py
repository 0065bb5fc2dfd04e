"""Fig. 6 for ResNet-50x3 alone: every published run, and the places of those made here."""

from __future__ import annotations

import statistics

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc import published, runs, sweeps
from bitdoc.figures import figure, value
from bitdoc.figures.fewshot_runs import draw_runs, empty_place, records_of
from bitdoc.figures.style import COLOURS, ink, label, new

#: Published upstream sets, smallest first.
UPSTREAM = {"S": "orange", "M": "blue", "L": "green"}
#: What is measured here: colour and label.
MEASURED = {
    "BiT-T-R50x3": ("purple", "Tiny ImageNet"),
    "BiT-T-R50x1": ("sky", "its parent, R50x1"),
    "R50x3": ("grey", "random weights"),
    "BiT-S-R50x3": ("orange", "BiT-S"),
    "BiT-M-R50x3": ("blue", "BiT-M"),
}
#: Places that stay empty until a run is there: models, command, height of the frame's lower edge.
_PLACES = (
    (("BiT-M-R50x3", "BiT-S-R50x3"), "… --run --model {}", 0.7),
    (("BiT-T-R50x3", "BiT-T-R50x1", "R50x3"), "… --run --model {}\n--grow_from BiT-T-R50x1", 0.08),
)


def five_runs(shots: int, upstream: str) -> list[float]:
    """The five published accuracies of one upstream set, in percent."""
    return published.FIG6_R50X3_RUNS.values[shots][upstream]


def _measured() -> list[runs.RunRecord]:
    return [record for model in MEASURED for record in records_of(model)]


def _is_grown(record: runs.RunRecord) -> bool:
    """Whether the weights that a run started from were grown from a narrower network's."""
    made = runs.load("pretrain", weights_sha256=record.setting.get("weights_sha256"))
    return any(r.setting.get("grown_from") for r in made)


def _axis(ax: Axes, title: str) -> None:
    ax.set_title(title)
    ax.set_xscale("log")
    ax.set_xlim(0.8, 26)
    ax.set_xticks(sweeps.SHOTS, [str(k) for k in sweeps.SHOTS])
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
        ax.plot([1.13 * shots] * 5, dots, "x", color=COLOURS["purple"], markersize=5)
    ax.text(24, 13, "□ the paper's runs", ha="right", color=ink())
    ax.text(24, 5, "× BiT-M again, a course report", ha="right", color=COLOURS["purple"])
    ax.set_ylabel("CIFAR-10 top-1 accuracy, %")


def _draw_measured(ax: Axes) -> None:
    _axis(ax, "Measured here")
    for model, (colour, text) in MEASURED.items():
        if records := records_of(model):
            draw_runs(ax, records, COLOURS[colour], text + (", grown" if _is_grown(records[0]) else ""))
    for models, command, bottom in _PLACES:
        missing = [model for model in models if not records_of(model)]
        if missing:
            text = f"not run yet: {', '.join(missing)}"
            used = command if missing[0] == models[0] else "… --run --model {}"
            empty_place(ax, text, used.format(missing[0]), (0.03, bottom, 0.94, 0.22))


def _caption() -> str:
    return (
        "ResNet-50x3 on CIFAR-10, all 10,000 test images. **Left, published:** the five runs of each upstream set "
        "(hollow squares) and their medians (joined by dashes), read off Fig. 6 of {cite:t}`kolesnikov2020bit`, and "
        "five runs of a course report (crosses) {cite:p}`cicorias`. **Right, measured here:** dots are runs, lines "
        f"join medians; frames are the places of what has not been run. {runs.provenance(_measured())}"
    )


def _alt() -> str:
    rise = "; ".join(
        f"BiT-{u} from {statistics.median(five_runs(1, u)):.0f} to {statistics.median(five_runs(5, u)):.0f}%"
        for u in UPSTREAM
    )
    found = [
        f"{model} reaches {middle[max(middle)]:.0f}% at {max(middle)} per class"
        for model in MEASURED
        if (middle := sweeps.medians(records_of(model)))
    ]
    measured = "; ".join(found) or "nothing yet, only labeled empty places"
    return (
        f"Two charts of CIFAR-10 accuracy against examples per class for ResNet-50x3. Published, from one to five "
        f"examples: {rise}; runs of one setting scatter over 10 to 20 points at one example and 3 to 6 at five. "
        f"Measured here: {measured}."
    )


@figure("few-shot-r50x3", caption=_caption, alt=_alt)
def r50x3() -> Figure:
    """Accuracy of R50x3 against examples per class: published on the left, measured here on the right."""
    fig, axes = new(7.6, 4.0, columns=2, sharey=True)
    _draw_published(axes[0])
    _draw_measured(axes[1])
    return fig


def _spread(shots: int, upstream: str) -> str:
    five = five_runs(shots, upstream)
    return f"{max(five) - min(five):.1f}"


def _rise(upstream: str) -> str:
    one, five = (statistics.median(five_runs(shots, upstream)) for shots in (1, 5))
    return f"{five - one:.1f}"


@value("r50x3-places")
def places() -> str:
    """A sentence on the runs that the figure waits for; nothing once they are there."""
    missing = [model for models, *_ in _PLACES for model in models if not records_of(model)]
    return f"Its right panel waits for {', '.join(missing)}." if missing else "All its places are filled."


for _upstream in UPSTREAM:
    value(f"r50x3-rise-{_upstream}")(lambda u=_upstream: _rise(u))
    for _shots in (1, 5):
        value(f"r50x3-spread-{_shots}-{_upstream}")(lambda k=_shots, u=_upstream: _spread(k, u))
for _shots in (1, 5):
    value(f"r50x3-report-{_shots}")(
        lambda k=_shots: f"{statistics.median(published.COURSE_REPORT_R50X3.values[k]):.1f}"
    )


@value("r50x3-median-M")
def published_medians() -> str:
    """Published medians of BiT-M-R50x3 at one and five examples per class."""
    one, five = (statistics.median(five_runs(shots, "M")) for shots in (1, 5))
    return f"{one:.1f} and {five:.1f}%"
