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
    median,
    median_text,
    records_of,
    times,
)
from bitdoc.figures.style import COLOURS, ink, label, new
from bitdoc.literature import published
from bitdoc.records import runs
from bitdoc.studies.fewshot import fig6, scoreboard
from bitdoc.training import recipe

_SIZES = ("R50x1", "R101x1", "R50x3", "R101x3", "R152x4")
_UPSTREAM = {"S": "orange", "M": "green", "L": "blue"}
#: Networks measured here, by size; and the upstream sets: suffix of the model's name, colour, name in labels.
_HERE = ("R14x0.125", "R26x0.25", "R26x0.5", "R50x1", "R50x3")
_SHARES = (("-10pct", "sky", "10,000"), ("", "purple", "100,000"))
#: Examples per class: marker and line, as in the paper.
_SHOTS = {5: ("o", "-"), 1: ("s", "--")}
#: Runs of one line were fine-tuned alike; where this changes from one network to the next, the line breaks.
_ALIKE = ("resize", "crop", "interpolation", "schedule", "batch")


def _published(ax: Axes) -> None:
    ax.set_title("The paper's Fig. 6")
    medians = published.FIG6_MEDIANS.values["cifar10"]
    for shots, (marker, style) in _SHOTS.items():
        for upstream, colour in _UPSTREAM.items():
            y = [medians[shots][size][upstream] for size in _SIZES]
            ax.plot(range(5), y, marker + style, color=COLOURS[colour], lw=1.4, markersize=4)
            five = published.FIG6_R50X3_RUNS.values[shots][upstream]
            x = _SIZES.index("R50x3")
            ax.plot([x] * 5, five, marker, color=COLOURS[colour], alpha=0.4, markersize=4, mew=0)
    ends = {("S", 5): -2, ("M", 5): -3, ("L", 5): 3, ("S", 1): 0, ("M", 1): 0, ("L", 1): 0}
    for (upstream, shots), shift in ends.items():
        y = medians[shots]["R152x4"][upstream]
        label(ax, 4, y, f"BiT-{upstream}, {shots}", COLOURS[_UPSTREAM[upstream]], xytext=(7, shift))
    ax.set_xticks(range(5), _SIZES, rotation=30)
    ax.set_xlim(-0.3, 5.4)
    ax.set_ylim(0, 100)
    ax.set_ylabel("CIFAR-10 top-1 accuracy, %")
    ax.grid(axis="y")


def _named(arch: str, suffix: str | None) -> str:
    """Name of what was measured; ``suffix=None`` is the architecture from random weights."""
    return arch if suffix is None else f"BiT-T-{arch}{suffix}"


def _stretches(suffix: str | None, shots: int) -> list[list[tuple[int, float]]]:
    """(place on the axis, median), cut where neighbors were not fine-tuned alike."""
    found: list[list[tuple[int, float]]] = []
    before = None
    for x, arch in enumerate(_HERE):
        records = [r for r in records_of(_named(arch, suffix)) if r.setting["examples_per_class"] == shots]
        if not records:
            continue
        alike = [runs.lookup(records[0], key) for key in _ALIKE]
        if alike != before:
            found.append([])
        before = alike
        found[-1].append((x, statistics.median(r.result["top1"] for r in records)))
    return found


def _measured(ax: Axes) -> None:
    ax.set_title("Measured here")
    for suffix, colour, name in (*_SHARES, (None, "grey", "no transfer")):
        for shots, (marker, style) in _SHOTS.items():
            for x, arch in enumerate(_HERE):
                dots = accuracies(_named(arch, suffix), shots)
                ax.plot([x] * len(dots), dots, marker, color=COLOURS[colour], alpha=0.35, markersize=4, mew=0)
            stretches = _stretches(suffix, shots)
            for stretch in stretches:
                ax.plot(*zip(*stretch, strict=True), marker + style, color=COLOURS[colour], lw=1.4, markersize=4)
            if stretches:
                nudge = 0 if suffix is not None else 5 if shots == 5 else -5
                label(ax, *stretches[-1][-1], f"{name}, {shots}", COLOURS[colour], xytext=(7, nudge))
    ax.set_xticks(range(len(_HERE)), _HERE, rotation=30)
    ax.set_xlim(-0.3, 6.0)
    ax.grid(axis="y")


def _shown() -> list[runs.RunRecord]:
    models = [_named(arch, suffix) for suffix in (*(s for s, *_ in _SHARES), None) for arch in _HERE]
    return [r for m in models for r in records_of(m) if r.setting["examples_per_class"] in _SHOTS]


def _caption() -> str:
    encoding = sorted({r.setting["encoding"] for r in _shown()})
    pixels = f" CIFAR-10 read from {'; '.join(encoding)}." if encoding else ""
    return (
        "CIFAR-10 accuracy by network: 5 examples of each class (circles, solid) and 1 (squares, dashed), a color for "
        "each upstream set. A light mark is one run on its own random subset; lines join medians of five. **Left, "
        "published** {cite:p}`kolesnikov2020bit`, read off, with all runs of R50x3. **Right, measured here:** networks "
        "pre-trained on 10,000 and 100,000 images of Tiny ImageNet, and from random weights. R50x1 and R50x3 were "
        f"fine-tuned more briefly, at 32 pixels; hence the gap. {runs.provenance(_shown())}{pixels}"
    )


def _alt() -> str:
    parts = []
    for suffix, _, name in (*_SHARES, (None, "", "no transfer")):
        for shots in _SHOTS:
            values = [f"{_HERE[x]} {y:.0f}" for stretch in _stretches(suffix, shots) for x, y in stretch]
            if values:
                parts.append(f"{name}, {shots} per class: {', '.join(values)}")
    return (
        "Two charts of CIFAR-10 accuracy by network. Published: with 5 examples of each class R50x3 reaches 75% from "
        "BiT-S, 86% from BiT-M and 93% from BiT-L, and only BiT-L gains steadily with the size of the network. "
        f"Measured here, medians in percent: {'; '.join(parts) or 'nothing yet'}."
    )


@figure("few-shot", caption=_caption, alt=_alt)
def few_shot() -> Figure:
    """Fig. 6 for CIFAR-10, published and measured, in the paper's layout."""
    fig, axes = new(7.6, 4.4, columns=2, sharey=True)
    _published(axes[0])
    _measured(axes[1])
    fig.suptitle("A network's past is worth more the more it has seen", x=0.01, ha="left", fontsize=12)
    return fig


_COLOURS = ("purple", "yellow", "grey")
_LABELS = ("fine-tuned", "linear probe", "no transfer")


def _series() -> list[tuple[str, list[runs.RunRecord]]]:
    """What is measured with the miniature, in the order of the labels: name for the text, and runs."""
    shipped = fig6.SHIPPED
    return [
        (f"{shipped} fine-tuned", records_of(shipped)),
        (f"a linear probe on {shipped}", records_of(shipped, "linear-probe")),
        (f"{MINIATURE} from random weights", records_of(MINIATURE)),
    ]


def _miniature_caption() -> str:
    return (
        "One network, R26x0.5, three ways, at 1 to 10 examples of each class, measured: pre-trained on Tiny ImageNet "
        "and fine-tuned; pre-trained and frozen, with a linear classifier on its features; from random weights. A "
        "light dot is one run; lines join medians of five. "
        f"{runs.provenance([r for _, records in _series() for r in records])}"
    )


def _miniature_alt() -> str:
    parts = [
        f"{name} rises from {middle[min(middle)]:.0f}% at {min(middle)} to {middle[max(middle)]:.0f}% at "
        f"{max(middle)} examples per class"
        for name, records in _series()
        if (middle := fig6.medians(records))
    ]
    return f"Line chart of CIFAR-10 accuracy: {'; '.join(parts) or 'nothing has been measured yet'}."


@figure("few-shot-miniature", caption=_miniature_caption, alt=_miniature_alt)
def miniature() -> Figure:
    """Accuracy of the shipped network against the number of examples, beside its two rivals."""
    fig, ax = new(7.2, 3.6)
    for (_, records), colour, text, shift in zip(_series(), _COLOURS, _LABELS, (6, -6, 0), strict=True):
        if records:
            draw_runs(ax, records, COLOURS[colour], text, xytext=(8, shift))
    ax.set_xscale("log")
    ax.set_xlim(0.9, 15)
    ax.set_xticks(fig6.MORE_SHOTS, [str(k) for k in fig6.MORE_SHOTS])
    ax.minorticks_off()
    ax.set(ylim=(0, 60), xlabel="examples per class", ylabel="CIFAR-10 top-1 accuracy, %")
    ax.set_title("Ten pictures with a past beat a hundred without")
    ax.grid(axis="y")
    return fig


@table(
    "few-shot-scoreboard",
    caption=(
        "What Fig. 6 of the paper shows, and whether it is found again with R26x0.5. Points of accuracy: mean of the "
        "differences between runs on the same subset, with its 95% interval. *Open*: the interval allows either answer"
    ),
)
def board() -> list[list[str]]:
    """One row a behavior: asked, published, measured, verdict."""
    rows = [["behavior", "the paper", "here", "found again"]]
    return rows + [[b.asked, b.published, b.measured, f"**{b.agrees}**"] for b in scoreboard.behaviors()]


@table(
    "few-shot-medians",
    caption="CIFAR-10 top-1 accuracy in percent by examples per class: median of five subsets, lowest and highest run",
)
def medians() -> list[list[str]]:
    """One row for each way to begin, one column for each number of examples."""
    names = {
        fig6.SHIPPED: "R26x0.5 from Tiny ImageNet",
        MINIATURE: "R26x0.5 from random weights",
        "BiT-T-R50x3": "R50x3 grown from R50x1",
        "BiT-T-R50x1": "R50x1 from Tiny ImageNet",
        "R50x3": "R50x3 from random weights",
    }
    rows = [["network", *(str(k) for k in fig6.SHOTS)]]
    for model, name in names.items():
        cells = [accuracies(model, k) for k in fig6.SHOTS]
        texts = [f"{statistics.median(c):.1f} ({min(c):.1f}–{max(c):.1f})" if c else "not measured" for c in cells]
        rows.append([name, *texts])
    return rows


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


for _shots in fig6.SHOTS:
    value(f"gain-{_shots}")(lambda k=_shots: times(median(fig6.SHIPPED, k), median(MINIATURE, k)))
for _shots in (1, 10):
    value(f"scratch-{_shots}")(lambda k=_shots: median_text(MINIATURE, k))
    value(f"miniature-{_shots}")(lambda k=_shots: median_text(fig6.SHIPPED, k))
    value(f"probe-{_shots}")(lambda k=_shots: median_text(fig6.SHIPPED, k, "linear-probe"))


@value("miniature-upstream")
def upstream_accuracy() -> str:
    """Upstream validation accuracy of the shipped model."""
    found = runs.load("pretrain", name=fig6.SHIPPED)
    return f"{found[0].result['top1']:.1f}%" if found else "(not measured yet)"
