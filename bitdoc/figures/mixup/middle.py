"""MixUp where BiT takes it: a pre-trained network that sees its images a hundred times; from run records."""

from __future__ import annotations

from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, value
from bitdoc.figures.mixup import common
from bitdoc.records import runs
from bitdoc.studies.mixup import middle

_COMMAND = "python examples/plot_mixup_middle.py --run"
_SAME = ("model", "weights_sha256", "schedule", "batch", "base_lr", "crop", "precision", "train_images", "test_images")


def records(alpha: float) -> list[runs.RunRecord]:
    """The runs with one α, all of one kind."""
    found = runs.load(middle.EXPERIMENT)
    runs.require_same(found, *_SAME)
    return [record for record in found if record.setting["mixup"] == alpha]


def gains(alpha: float) -> list[float]:
    """What MixUp adds to the test accuracy, in points, seed by seed."""
    return common.differences(records(0.0), records(alpha))


def average(alpha: float, key: str) -> str:
    """A result, mean over seeds."""
    found = records(alpha)
    return f"{mean(record.result[key] for record in found):.1f}" if found else "not measured"


def _alt() -> str:
    if not records(0.0):
        return common.NOTHING
    told = "; ".join(
        f"alpha {alpha:g}: training images {average(alpha, 'train')} percent, test images {average(alpha, 'top1')}"
        for alpha in _made()
    )
    return f"Two charts over alpha, a dot a run, means over seeds. {told[0].upper()}{told[1:]}."


def _made() -> list[float]:
    return [alpha for alpha in middle.ALPHAS if records(alpha)]


@figure(
    "mixup-middle",
    caption=f"MixUp in as many passes as BiT's: R26x0.5, pre-trained, sees {10 * middle.PER_CLASS:,} CIFAR-10 images "
    f"{middle.PASSES} times, at {middle.SIDE} pixels. A dot is a run, a bar the mean; lines join those of the same "
    "images. Numbers: what MixUp adds.",
    measured=lambda: common.provenance(runs.load(middle.EXPERIMENT), _COMMAND),
    alt=_alt,
)
def middle_sized() -> Figure:
    """Accuracy on training and on test images over the strength of MixUp."""
    if not records(0.0):
        return common.empty_place(_COMMAND)
    fig, axes = style.new(7.2, 3.2, 1, 2, (5.8, 1))
    style.headline(fig, "A hundred passes learn the images by heart; MixUp then adds little")
    for ax, key, title in zip(axes, ("train", "top1"), ("Training images", "Test images"), strict=True):
        _panel(ax, key)
        ax.set(title=title, xlabel="α", ylabel="accuracy (%)", ylim={"train": (88, 100), "top1": (56, 68)}[key])
    for place, alpha in enumerate(_made()[1:], 1):
        top = max(record.result["top1"] for record in records(alpha))
        axes[1].annotate(common.gain(gains(alpha)), (place, top), (0, 8), textcoords="offset points", ha="center")
    return fig


def _panel(ax: Axes, key: str) -> None:
    columns = [common.by_seed(records(alpha), key) for alpha in _made()]
    for seed in columns[0]:
        ax.plot([column.get(seed, float("nan")) for column in columns], "-", color=style.ink("faint"), lw=1, zorder=0)
    for place, (alpha, column) in enumerate(zip(_made(), columns, strict=True)):
        ax.plot([place] * len(column), list(column.values()), "o", color=common.colour(alpha), alpha=0.5, ms=5, mew=0)
        ax.plot(place, mean(column.values()), "_", color=common.colour(alpha), ms=16, mew=2)
    ax.set_xticks(range(len(columns)), [f"{alpha:g}" for alpha in _made()])
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.grid(axis="y")


value("middle-fit-0")(lambda: average(0.0, "train"))
for _alpha in middle.ALPHAS[1:]:
    value(f"middle-gain-{_alpha:g}")(lambda a=_alpha: common.gain(gains(a)))
