"""Fig. 6: few-shot transfer to CIFAR-10, published and measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, table, value
from bitdoc.figures.fewshot.runs import (
    MINIATURE,
    accuracies,
    draw_runs,
    empty_place,
    median,
    median_text,
    points,
    records_of,
    spread,
    times,
)
from bitdoc.figures.style import COLOURS, ink, label, new
from bitdoc.literature import published
from bitdoc.records import runs
from bitdoc.studies.fewshot import fig6
from bitdoc.training import recipe

FULL = "BiT-M-R50x3"
_SIZES = ("R50x1", "R101x1", "R50x3", "R101x3", "R152x4")
_UPSTREAM = {"S": "orange", "M": "blue", "L": "green"}


def _shots_axis(ax: Axes) -> None:
    ax.set_xscale("log")
    ax.set_xlim(0.85, 26)
    ax.set_xticks(fig6.MORE_SHOTS, [str(k) for k in fig6.MORE_SHOTS])
    ax.minorticks_off()
    ax.set_xlabel("examples per class")
    ax.set_ylabel("CIFAR-10 top-1 accuracy, %")
    ax.set_ylim(0, 100)
    ax.grid(axis="y")


_COLOURS = ("blue", "orange", "grey")
_LABELS = ("fine-tuned", "linear probe", "random weights")


def _series() -> list[tuple[str, list[runs.RunRecord]]]:
    """What is measured with the miniature, in the order of the labels: name for the text, and runs."""
    shipped = fig6.SHIPPED
    return [
        (f"{shipped} fine-tuned", records_of(shipped)),
        (f"a linear probe on {shipped}", records_of(shipped, "linear-probe")),
        (f"{MINIATURE} from random weights", records_of(MINIATURE)),
    ]


def _measured(ax: Axes) -> None:
    ax.set_title("Measured here")
    _shots_axis(ax)
    for (_, records), colour, text, shift in zip(_series(), _COLOURS, _LABELS, (5, -5, 0), strict=True):
        if records:
            draw_runs(ax, records, COLOURS[colour], text, xytext=(7, shift))
    full = records_of(FULL)
    if full:
        draw_runs(ax, full, COLOURS["purple"], FULL)
    else:
        empty_place(ax, f"{FULL}: not run yet", f"… --run --model {FULL}", (0.03, 0.7, 0.94, 0.24))


def _published(ax: Axes) -> None:
    ax.set_title("Published: the paper's Fig. 6")
    medians = published.FIG6_MEDIANS.values["cifar10"]
    for shots, marker, style in ((5, "o", "-"), (1, "s", "--")):
        for upstream, colour in _UPSTREAM.items():
            y = [medians[shots][size][upstream] for size in _SIZES]
            ax.plot(range(5), y, marker + style, color=COLOURS[colour], lw=1.4, markersize=4)
            five = published.FIG6_R50X3_RUNS.values[shots][upstream]
            x = _SIZES.index("R50x3")
            ax.plot([x] * 5, five, marker, color=COLOURS[colour], alpha=0.4, markersize=4, mew=0)
    ends = {("S", 5): 0, ("M", 5): -3, ("L", 5): 3, ("S", 1): 0, ("M", 1): 0, ("L", 1): 0}
    for (upstream, shots), shift in ends.items():
        y = medians[shots]["R152x4"][upstream]
        label(ax, 4, y, f"BiT-{upstream}, {shots}", COLOURS[_UPSTREAM[upstream]], xytext=(7, shift))
    ax.set_xticks(range(5), _SIZES, rotation=30)
    ax.set_xlim(-0.3, 5.3)
    ax.grid(axis="y")


def _caption() -> str:
    here = [r for _, series in _series() for r in series] + records_of(FULL)
    encoding = sorted({r.setting["encoding"] for r in here})
    pixels = f" CIFAR-10 read from {'; '.join(encoding)}." if encoding else ""
    return (
        "Few-shot transfer to CIFAR-10, judged on all 10,000 test images. One light dot is one run on its own random "
        "subset; lines join the medians of five. **Left, measured here:** a miniature network, R26x0.5 pre-trained on "
        "Tiny ImageNet, fine-tuned (blue) or frozen under a linear classifier (orange); the same network from random "
        "weights (gray); and a place for the paper's own network. **Right, "
        "published:** medians by network, 1 example (dashed) and 5 examples (solid) of each class, with all five runs "
        f"of R50x3, read off Fig. 6 of {{cite:t}}`kolesnikov2020bit`. {runs.provenance(here)}{pixels}"
    )


def _alt() -> str:
    parts = []
    for name, series in _series():
        middle = fig6.medians(series)
        if middle:
            parts.append(
                f"{name} rises from {middle[min(middle)]:.0f}% at {min(middle)} to {middle[max(middle)]:.0f}% at "
                f"{max(middle)} examples per class"
            )
    measured = "; ".join(parts) or "nothing has been measured yet"
    return (
        f"Two charts of CIFAR-10 accuracy. Left, measured here: {measured}; the place of {FULL} is "
        f"{'filled' if records_of(FULL) else 'empty'}. Right, published: with 5 examples per class R50x3 reaches 75% "
        "from BiT-S, 86% from BiT-M and 93% from BiT-L, and only BiT-L gains steadily with network size."
    )


@figure("few-shot", caption=_caption, alt=_alt)
def few_shot() -> Figure:
    """Fig. 6 for CIFAR-10: measured here on the left, published on the right."""
    fig, axes = new(7.6, 4.4, columns=2, sharey=True)
    _measured(axes[0])
    _published(axes[1])
    fig.suptitle("Few-shot transfer to CIFAR-10", x=0.01, ha="left", fontsize=12)
    return fig


@figure(
    "few-shot-official",
    caption=(
        "**Published:** few-shot CIFAR-10 accuracy of BiT-M in the official repository: minimum, median and maximum of "
        "at least five runs in each framework (batch 128, learning rate 0.001) {cite:p}`google2021bitcode`. The "
        "repository gives no numbers for R50x3."
    ),
    alt=(
        "Ranges of accuracy in three frameworks for R50x1, R101x3 and R152x2: at 1 example per class medians lie "
        "between 54 and 58% with ranges of 8 to 21 points; at 5 examples between 82 and 87% with ranges of 3 to 9."
    ),
)
def official() -> Figure:
    """The official repository's few-shot table, drawn."""
    fig, ax = new(7.2, 3.0)
    colours = {"tf2": "orange", "jax": "green", "pytorch": "blue"}
    nets = list(published.OFFICIAL_FEW_SHOT.values)
    for row, net in enumerate(reversed(nets)):
        table = published.OFFICIAL_FEW_SHOT.values[net]["cifar10"]
        for shots in (1, 5):
            for i, (framework, (low, middle, high)) in enumerate(table[shots].items()):
                y = row + 0.22 * (1 - i)
                ax.plot([low, high], [y, y], color=COLOURS[colours[framework]], lw=2)
                ax.plot(middle, y, "o", color=COLOURS[colours[framework]])
                if row == len(nets) - 1 and shots == 5:
                    label(
                        ax,
                        high,
                        y,
                        {"tf2": "TF2", "jax": "JAX", "pytorch": "PyTorch"}[framework],
                        COLOURS[colours[framework]],
                    )
    for shots, x in ((1, 56), (5, 85.5)):
        ax.text(x, len(nets) - 0.45, f"{shots} example{'s' if shots > 1 else ''} per class", ha="center", color=ink())
    ax.set_yticks(range(len(nets)), [f"BiT-M-{net}" for net in reversed(nets)])
    ax.set_ylim(-0.5, len(nets) - 0.2)
    ax.set_xlabel("CIFAR-10 top-1 accuracy, % (published)")
    ax.grid(axis="x")
    return fig


@table("few-shot-rules", caption="BiT-HyperRule for a small task of 32-pixel images, and what is left of it here")
def rules() -> list[list[str]]:
    """The three recipes for 10 classes at 5 examples each, setting by setting."""
    # Each recipe, and what it is from random weights.
    columns = (
        (recipe.rule(50, (32, 32)), recipe.rule(50, (32, 32))),
        (recipe.miniature(50), recipe.miniature(50, **recipe.FROM_SCRATCH)),
        (recipe.thumbnail(50), recipe.thumbnail(50, **recipe.THUMBNAIL_FROM_SCRATCH)),
    )

    def row(name: str, show: Callable[[recipe.Recipe], str]) -> list[str]:
        pairs = [(show(usual), show(scratch)) for usual, scratch in columns]
        return [name, *(a if a == b else f"{a} (random weights: {b})" for a, b in pairs)]

    return [
        ["", "rule", "miniature", "thumbnail (R50x3 here)"],
        row("images resized to, cropped to", lambda r: f"{r.resize}, {r.crop} pixels"),
        row("steps, warm-up among them", lambda r: f"{r.schedule[-1]}, {r.schedule[0]}"),
        row("tenfold drops after steps", lambda r: ", ".join(str(step) for step in r.schedule[1:-1])),
        row("images in a step", lambda r: str(r.batch)),
        row("peak learning rate", lambda r: f"{r.base_lr:g}"),
        row("MixUp, weight decay", lambda r: "none" if r.mixup == 0 else f"{r.mixup}, none"),
        row("images processed", lambda r: f"{r.schedule[-1] * r.batch:,}"),
    ]


@table(
    "few-shot-choice",
    caption=(
        "How the miniature's settings were chosen: mean top-1 accuracy in percent on 2,000 CIFAR-10 training images "
        "held out for it, by learning rate, by the size to which images are enlarged before a square of 64 pixels is "
        "cropped, and by interpolation. In use is the best of each start at five examples: 0.01, bicubic, no crop for "
        "pre-trained weights; 0.03, bilinear, with crops from 80 pixels for random ones."
    ),
)
def choice() -> list[list[str]]:
    """Mean held-out accuracy of the two subsets that saw every setting, by network, examples per class and setting."""
    trials = runs.load("few-shot-choice", method="fine-tune")
    trials = [r for r in trials if r.setting["subset_seed"] in (0, 1) and r.model in (fig6.SHIPPED, MINIATURE)]
    rows = [["start", "examples per class", "enlarged to", "learning rate: accuracy"]]
    cases = runs.group(trials, lambda r: (r.model, r.setting["examples_per_class"], _enlarged(r)))
    for (model, shots, side), group in sorted(cases.items()):
        means = {x: statistics.mean(r.result["top1"] for r in g) for x, g in runs.group(group, "base_lr").items()}
        start = "pre-trained" if model.startswith("BiT-") else "random"
        rows.append(
            [start, str(shots), side, ", ".join(f"{rate:g}: {mean:.1f}" for rate, mean in sorted(means.items()))]
        )
    return rows


def _enlarged(record: runs.RunRecord) -> str:
    """To what size a trial enlarged its images, and how; the first trials knew bilinear interpolation only."""
    return f"{record.setting['resize']}, {record.setting.get('interpolation', 'bilinear')}"


for _shots in fig6.MORE_SHOTS:
    value(f"gain-{_shots}")(lambda k=_shots: times(median(fig6.SHIPPED, k), median(MINIATURE, k)))
    value(f"scratch-{_shots}")(lambda k=_shots: median_text(MINIATURE, k))
    value(f"miniature-{_shots}")(lambda k=_shots: median_text(fig6.SHIPPED, k))
    value(f"probe-{_shots}")(lambda k=_shots: median_text(fig6.SHIPPED, k, "linear-probe"))


for _name, _model in (("miniature", fig6.SHIPPED), ("scratch", MINIATURE)):
    value(f"rise-{_name}")(lambda m=_model: points(median(m, 10), median(m, 1)))


for _shots in fig6.MORE_SHOTS:
    value(f"miniature-spread-{_shots}")(lambda k=_shots: spread(accuracies(fig6.SHIPPED, k)))


@value("miniature-upstream")
def upstream_accuracy() -> str:
    """Upstream validation accuracy of the shipped model."""
    found = runs.load("pretrain", name=fig6.SHIPPED)
    return f"{found[0].result['top1']:.1f}%" if found else "(not measured yet)"


def _size_gain(upstream: str) -> str:
    """Points that the published five-shot median gains from the smallest to the largest network."""
    medians = published.FIG6_MEDIANS.values["cifar10"][5]
    return f"{medians['R152x4'][upstream] - medians['R50x1'][upstream]:.1f}"


for _upstream in _UPSTREAM:
    value(f"paper-size-gain-{_upstream}")(lambda u=_upstream: _size_gain(u))
