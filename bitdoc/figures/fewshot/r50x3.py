"""Fig. 6 for ResNet-50x3 alone: every published run, and the places of those made here."""

from __future__ import annotations

import statistics

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, table, value
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
#: What is measured here: colour, label, how far the label stands above its line's end, in points, and a factor that
#: moves the line to the right; a network and its parent would cover each other.
MEASURED = {
    "BiT-T-R50x3": ("purple", "Tiny ImageNet", 9, 1.0),
    "BiT-T-R50x1": ("yellow", "its parent, R50x1", -7, 1.12),
    "R50x3": ("grey", "no transfer", 0, 1.0),
    "BiT-S-R50x3": ("orange", "BiT-S", 0, 1.0),
    "BiT-M-R50x3": ("green", "BiT-M", 0, 1.0),
}


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
    for model, (colour, text, height, beside) in MEASURED.items():
        if records := records_of(model):
            text += ", grown" if _is_grown(records[0]) else ""
            draw_runs(ax, records, COLOURS[colour], text, beside, xytext=(6, height))


def _measured_how() -> str:
    return (
        "Published: the five runs of each upstream set (hollow squares), read off Fig. 6, and five runs of a course "
        "report (crosses). Measured: dots are runs on all 10,000 test images, lines join medians; the parent stands a "
        f"little to the right, to be seen. {runs.provenance(_measured())}"
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
        "here, grown from R50x1, beside that parent and random weights."
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
    headline(fig, "R50x3: four more pictures of each class are worth more than a larger upstream set")
    return fig


def _rise(upstream: str) -> str:
    one, five = (statistics.median(five_runs(shots, upstream)) for shots in (1, 5))
    return points(five, one)


#: The three networks that are compared here.
GROWN, PARENT, SCRATCH = "BiT-T-R50x3", "BiT-T-R50x1", "R50x3"


def upstream_accuracy(stage: str) -> float | None:
    """Upstream validation accuracy of the parent, of the grown network at birth and after the noise, and at the end."""
    used = {r.setting["weights_sha256"] for r in records_of(GROWN)}
    found = [r for r in runs.load("pretrain") if r.setting.get("weights_sha256") in used]
    if found and stage != "trained":
        found = runs.load("grow", name=f"{found[0].name}_{stage}")
    return found[0].result["top1"] if found else None


def _wins() -> str:
    """On how many subsets the grown network beats its parent."""
    case = lambda r: (r.setting["examples_per_class"], r.setting["subset_seed"])  # noqa: E731
    parent = {case(r): r.result["top1"] for r in records_of(PARENT)}
    grown = {case(r): r.result["top1"] for r in records_of(GROWN)}
    return str(sum(grown[of] > parent[of] for of in grown.keys() & parent.keys()))


def _published_width(upstream: str, shots: int) -> str:
    """Points between the published medians of R50x3 and R50x1."""
    medians = published.FIG6_MEDIANS.values["cifar10"][shots]
    return points(medians["R50x3"][upstream], medians["R50x1"][upstream])


for _upstream in "SL":
    value(f"r50x3-rise-{_upstream}")(lambda u=_upstream: _rise(u))
    value(f"r50x3-width-5-{_upstream}")(lambda u=_upstream: _published_width(u, 5))
for _shots in (1, 5):
    value(f"r50x3-report-{_shots}")(
        lambda k=_shots: f"{statistics.median(published.COURSE_REPORT_R50X3.values[k]):.1f}"
    )
for _stage in ("parent", "birth", "trained"):
    value(f"grown-upstream-{_stage}")(lambda s=_stage: points(upstream_accuracy(s), 0))
value("grown-wins")(_wins)


def diverged(record: runs.RunRecord) -> bool:
    """Whether the training loss ended above where it began, at that of guessing."""
    loss = record.curve["loss"]
    return loss[-1] > loss[0]


@table(
    "few-shot-choice-grown",
    caption=(
        "How the thumbnail recipe's settings were chosen: mean top-1 accuracy in percent on 2,000 CIFAR-10 training "
        "images held out for it, two subsets a number, by learning rate and by the size to which images are enlarged "
        "before a square of 32 pixels is cropped. In use is the best of each network in the mean of its trials: 0.03 "
        "for pre-trained weights; for random ones 0.01, with crops. Where training diverged, its loss ended above that "
        "of guessing"
    ),
)
def choice() -> list[list[str]]:
    """Mean held-out accuracy by network, examples per class, size and learning rate."""
    names = {PARENT: "parent, R50x1", GROWN: "grown, R50x3", SCRATCH: "random weights, R50x3"}
    trials = [r for r in runs.load("few-shot-choice", method="fine-tune") if r.model in names]
    rows = [["network", "examples per class", "enlarged to", "learning rate: accuracy"]]
    cases = runs.group(trials, lambda r: (r.model, r.setting["examples_per_class"], r.setting["resize"]))
    for model, shots, side in sorted(cases, key=lambda case: (list(names).index(case[0]), *case[1:])):
        means = [
            f"{rate:g}: {statistics.mean(r.result['top1'] for r in g):.1f}" + " (diverged)" * all(map(diverged, g))
            for rate, g in sorted(runs.group(cases[model, shots, side], "base_lr").items())
        ]
        rows.append([names[model], str(shots), f"{side}" if side > 32 else "not enlarged", ", ".join(means)])
    return rows if trials else [*rows, ["not measured yet", "", "", ""]]
