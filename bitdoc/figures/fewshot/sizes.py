"""Fig. 6's question asked of the miniatures: what do a larger network and a larger upstream data set buy?"""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, table, value
from bitdoc.figures.fewshot.runs import accuracies, empty_place, median, points, records_of
from bitdoc.figures.style import COLOURS, label, new
from bitdoc.records import runs

ARCHITECTURES = ("R14x0.125", "R26x0.25", "R26x0.5")
#: Two networks of one depth, the second twice as wide: what the text compares.
NARROW, WIDE = "R26x0.25", "R26x0.5"
#: Share of Tiny ImageNet's training images: suffix of the model's name, and colour.
UPSTREAM = {"10%": ("-10pct", "orange"), "100%": ("", "blue")}
#: Examples per class: marker and line, as in the published panel.
SHOTS = {5: ("o", "-"), 1: ("s", "--")}


def model_name(arch: str, share: str) -> str:
    """Name of the miniature of an architecture and a share of the upstream images."""
    return f"BiT-T-{arch}{UPSTREAM[share][0]}"


def _median(arch: str, share: str, shots: int) -> float | None:
    return median(model_name(arch, share), shots)


def _all() -> list[runs.RunRecord]:
    models = [model_name(arch, share) for arch in ARCHITECTURES for share in UPSTREAM]
    return [r for model in models for r in records_of(model) if r.setting["examples_per_class"] in SHOTS]


def _missing() -> list[str]:
    names = [model_name(arch, share) for arch in ARCHITECTURES for share in UPSTREAM]
    return [name for name in names if not records_of(name)]


def _caption() -> str:
    return (
        "The paper's Fig. 6 in miniature, measured: CIFAR-10 accuracy (all 10,000 test images) of fine-tuned networks "
        "by architecture, pre-trained on a tenth and on the whole of Tiny ImageNet, at 5 examples of each class "
        "(circles, solid) and at 1 (squares, dashed). A light mark is one run on its own random subset, lines join the "
        f"medians of five. {runs.provenance(_all())}"
    )


def _alt() -> str:
    parts = []
    for share in UPSTREAM:
        for shots in SHOTS:
            found = [(arch, m) for arch in ARCHITECTURES if (m := _median(arch, share, shots)) is not None]
            if found:
                parts.append(f"{share} upstream, {shots} per class: " + ", ".join(f"{a} {m:.0f}" for a, m in found))
    missing = f" Not measured yet: {', '.join(_missing())}." if _missing() else ""
    return f"Median accuracy in percent by architecture. {'; '.join(parts) or 'No runs yet'}.{missing}"


def _line(ax: Axes, share: str, shots: int) -> None:
    marker, style = SHOTS[shots]
    colour = COLOURS[UPSTREAM[share][1]]
    for x, arch in enumerate(ARCHITECTURES):
        dots = accuracies(model_name(arch, share), shots)
        ax.plot([x] * len(dots), dots, marker, color=colour, alpha=0.35, markersize=4, mew=0)
    middle = [(x, m) for x, arch in enumerate(ARCHITECTURES) if (m := _median(arch, share, shots)) is not None]
    if middle:
        ax.plot(*zip(*middle, strict=True), marker + style, color=colour, markersize=5)
        label(ax, *middle[-1], f"{share}, {shots}", colour)


@figure("few-shot-sizes", caption=_caption, alt=_alt)
def sizes() -> Figure:
    """Accuracy by architecture: one line for each upstream size and number of examples per class."""
    fig, ax = new(6.4, 4.0)
    for share in UPSTREAM:
        for shots in SHOTS:
            _line(ax, share, shots)
    ax.set_xticks(range(len(ARCHITECTURES)), ARCHITECTURES)
    ax.set(xlim=(-0.3, len(ARCHITECTURES) - 0.3), ylim=(0, 60), ylabel="CIFAR-10 top-1 accuracy, %")
    ax.grid(axis="y")
    missing = _missing()
    if missing:
        text = textwrap.fill(f"not measured yet: {', '.join(missing)}", 80, break_on_hyphens=False)
        empty_place(ax, text, f"… --run --model {missing[0]}", (0.03, 0.8, 0.94, 0.17))
    return fig


def _upstream_cells(arch: str, share: str) -> list[str]:
    """Validation accuracy of a miniature as it was trained, and the images it saw."""
    fraction = float(share.rstrip("%")) / 100
    found = [r for r in runs.load("pretrain", model=arch) if r.setting.get("fraction") == fraction]
    if not found:
        return ["not measured yet", ""]
    best = max(found, key=lambda r: r.date)
    s = best.setting
    seen = s["steps"] * s["batch"]
    return [f"{best.result['top1']:.1f}%", f"{seen / 1e6:.2f} million"]


@table(
    "few-shot-upstream",
    caption=(
        "The upstream networks: top-1 accuracy on Tiny ImageNet's 10,000 validation images, and crops seen in training"
    ),
)
def upstream() -> list[list[str]]:
    """One row for each architecture and upstream size."""
    rows = [["network", "upstream images", "validation accuracy", "crops seen"]]
    for arch in ARCHITECTURES:
        for share in UPSTREAM:
            images = f"{round(1000 * float(share.rstrip('%'))):,}"
            rows.append([arch, images, *_upstream_cells(arch, share)])
    return rows


def _difference(of: tuple[str, str], minus: tuple[str, str], shots: int) -> str:
    """Points between the medians of two (architecture, upstream share)."""
    return points(_median(*of, shots), _median(*minus, shots))


for _arch in ARCHITECTURES:
    value(f"sizes-data-gain-{_arch}-5")(lambda a=_arch: _difference((a, "100%"), (a, "10%"), 5))
for _shots in SHOTS:
    for _share in UPSTREAM:
        value(f"sizes-step-{_share.rstrip('%')}-{_shots}")(
            lambda s=_share, k=_shots: _difference((WIDE, s), (NARROW, s), k)
        )
