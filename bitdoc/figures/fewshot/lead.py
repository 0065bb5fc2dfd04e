"""Fig. 6: few-shot transfer to CIFAR-10, published and measured."""

from __future__ import annotations

import statistics

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure
from bitdoc.figures.fewshot.common import (
    accuracies,
    records_of,
)
from bitdoc.figures.style import COLOURS, by_width, headline, label, new
from bitdoc.literature import published
from bitdoc.records import runs

_SIZES = ("R50x1", "R101x1", "R50x3", "R101x3", "R152x4")
_UPSTREAM = {"S": "orange", "M": "green", "L": "blue"}
#: Networks measured here, by size; and the upstream sets: suffix of the model's name, colour, name in labels.
_HERE = ("R14x0.125", "R26x0.25", "R26x0.5", "R50x1", "R50x3")
_SHARES = (("-10pct", "sky", "10,000"), ("", "purple", "100,000"))
#: How far labels stand above the ends of their lines, in points, by upstream set and examples, so that all are clear.
_NUDGES = {("-10pct", 5): 3, (None, 5): 6, ("-10pct", 1): -6, (None, 1): -5}
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
                aside = (7, _NUDGES.get((suffix, shots), 0))
                label(ax, *stretches[-1][-1], f"{name}, {shots}", COLOURS[colour], xytext=aside)
    ax.set_xticks(range(len(_HERE)), _HERE, rotation=30)
    ax.set_xlim(-0.3, 6.0)
    ax.grid(axis="y")


def _shown() -> list[runs.RunRecord]:
    models = [_named(arch, suffix) for suffix in (*(s for s, *_ in _SHARES), None) for arch in _HERE]
    return [r for m in models for r in records_of(m) if r.setting["examples_per_class"] in _SHOTS]


def _measured_how() -> str:
    encoding = sorted({r.setting["encoding"] for r in _shown()})
    pixels = f" CIFAR-10 read from {'; '.join(encoding)}." if encoding else ""
    return (
        "A light mark is one run on its own random subset, judged on all 10,000 test images; lines join medians. The "
        "published panel is read off the paper, with all runs of R50x3. R50x1 and R50x3 were trained upstream by "
        f"another recipe than the smaller networks. {runs.provenance(_shown())}{pixels}"
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


@figure(
    "few-shot",
    caption=(
        "CIFAR-10 accuracy by network, with 5 labeled images of each class (solid) and with 1 (dashed): published "
        "{cite:p}`kolesnikov2020bit`, and measured here after 10,000, 100,000 or no upstream images."
    ),
    alt=_alt,
    measured=_measured_how,
)
def few_shot() -> Figure:
    """Fig. 6 for CIFAR-10, published and measured, in the paper's layout."""
    fig, axes = new(7.6, 4.4, 1, 2, (7.4, 1), sharey=True)
    _published(axes[0])
    _measured(axes[1])
    axes[1].set_ylabel(by_width("", "CIFAR-10 top-1 accuracy, %"))
    headline(fig, "A network's past is worth more the more it has seen")
    return fig
