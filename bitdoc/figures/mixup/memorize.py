"""A small network that memorizes: over-fitting, and what MixUp does about it; from run records."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, table, value
from bitdoc.figures.mixup import common
from bitdoc.figures.mixup.beta import own_share
from bitdoc.records import runs
from bitdoc.studies.mixup import memorize

_COMMAND = "python examples/plot_mixup_memorize.py --run"
_IMAGES = 10 * memorize.PER_CLASS
_NAMES = {0.4: "noisy", 0.0: "clean"}


def records(noise: float, alpha: float) -> list[runs.RunRecord]:
    """Records of one condition, all of one kind."""
    found = runs.load(memorize.EXPERIMENT, random_labels=noise, mixup=alpha)
    runs.require_same(found, "model", "base_lr", "passes", "batch", "weight_decay", "train_images", "test_images")
    return found


def alphas(noise: float) -> list[float]:
    """Values of α with all their seeds, so that their means can be compared; none without both ends of the scale."""
    seeds = set(memorize.SEEDS)
    whole = [alpha for alpha in memorize.ALPHAS if common.by_seed(records(noise, alpha), "top1").keys() >= seeds]
    return whole if {memorize.ALPHAS[0], memorize.ALPHAS[-1]} <= set(whole) else []


def everything() -> list[runs.RunRecord]:
    """The records that are compared."""
    return [record for noise in memorize.NOISE for alpha in alphas(noise) for record in records(noise, alpha)]


def average(noise: float, alpha: float, key: str = "top1") -> float:
    """A result, mean over seeds."""
    return mean(common.by_seed(records(noise, alpha), key).values())


def gains(noise: float, alpha: float, key: str = "top1") -> list[float]:
    """What MixUp adds to a result, in points, seed by seed."""
    return common.differences(records(noise, 0.0), records(noise, alpha), key)


def peak(noise: float, alpha: float) -> float:
    """Highest accuracy on the test images of the curve during training, mean over seeds."""
    return mean(max(record.curve["test"]) for record in records(noise, alpha))


def _alt_overfit() -> str:
    if not records(0.0, 0.0):
        return common.NOTHING
    return (
        f"Accuracy over {memorize.PASSES} passes. On the training images it climbs to "
        f"{average(0.0, 0.0, 'train'):.0f} percent and stays there; on test images it stops at "
        f"{average(0.0, 0.0):.0f} percent, and the space between the lines is the over-fitting."
    )


@figure(
    "mixup-overfit",
    caption=lambda: (
        f"Over-fitting: {memorize.MODEL} from random weights on {_IMAGES:,} CIFAR-10 images, without MixUp. A pass "
        f"sees every training image once. Bands: all seeds. {common.provenance(records(0.0, 0.0), _COMMAND)}"
    ),
    alt=_alt_overfit,
)
def overfit() -> Figure:
    """Training and test accuracy coming apart."""
    found = records(0.0, 0.0)
    if not found:
        return common.empty_place(_COMMAND)
    fig, ax = style.new(7.2, 3.2)
    grey = common.colour(0.0)
    ends = [common.show_curves(ax, found, "pass", key, grey, ls=ls) for key, ls in (("train", "--"), ("test", "-"))]
    for y, text in zip(ends, ("training images", "test images"), strict=True):
        style.label(ax, memorize.PASSES, y, text, grey)
    middle = memorize.PASSES * 0.86
    ax.annotate(
        "", (middle, ends[0] - 1), (middle, ends[1] + 1), arrowprops={"arrowstyle": "<->", "color": style.ink()}
    )
    ax.text(middle - 1.5, mean(ends), "memorized,\nnot understood", ha="right", va="center")
    ax.set(xlabel="passes over the training images", ylabel="accuracy (%)", ylim=(0, 104), xlim=(0, memorize.PASSES))
    learned, known = average(0.0, 0.0, "train"), average(0.0, 0.0)
    ax.set_title(f"Training accuracy reaches {learned:.0f}%, test accuracy stops at {known:.0f}%")
    return fig


def _finding(noise: float) -> str:
    best = max(alphas(noise)[1:], key=lambda alpha: mean(gains(noise, alpha)))
    name = f"{noise:.0%} random labels" if noise else "All labels true"
    return f"{name}: α = {best:g} ends {mean(gains(noise, best)):.1f} points higher"


def _alt_memorize() -> str:
    if not everything():
        return common.NOTHING
    parts = []
    for noise in filter(alphas, memorize.NOISE):
        tests = ", ".join(f"{average(noise, a):.1f} at alpha {a:g}" for a in alphas(noise))
        trains = ", ".join(f"{average(noise, a, 'train'):.0f}" for a in alphas(noise))
        name = f"{noise:.0%} random labels" if noise else "true labels"
        parts.append(f"With {name} test accuracy ends at {tests} percent, and training accuracy at {trains} percent")
    return f"{'. '.join(parts)}."


@figure(
    "mixup-memorize",
    caption=lambda: (
        f"The network of {{numref}}`fig-mixup-overfit` with and without MixUp. Above: accuracy on "
        f"{10 * memorize.CURVE_PER_CLASS:,} test images. Below: on its training images, against the labels it was "
        f"given, right or wrong. Lines: mean; bands: all seeds. {common.provenance(everything(), _COMMAND)}"
    ),
    alt=_alt_memorize,
)
def memorized() -> Figure:
    """Test accuracy above, fit to the given labels below; random labels left, true labels right."""
    if not everything():
        return common.empty_place(_COMMAND)
    shown = [noise for noise in memorize.NOISE if alphas(noise)]
    fig, axes = style.new(7.2, 5.6, 2, len(shown), sharex=True, sharey="row", squeeze=False)
    for column, noise in zip(axes.T, shown, strict=True):
        for ax, key in zip(column, ("test", "train"), strict=True):
            _show_condition(ax, noise, key)
        column[0].set_title(_finding(noise), fontsize=10)
        column[1].set_xlabel("passes")
    axes[0, 0].set_ylabel("test accuracy (%)")
    axes[1, 0].set_ylabel("fit to the given labels (%)")
    axes[0, 0].set_xlim(0, memorize.PASSES)
    return fig


def _show_condition(ax: Axes, noise: float, key: str) -> None:
    ends = []
    for alpha in alphas(noise):
        color = common.colour(alpha)
        y = common.show_curves(ax, records(noise, alpha), "pass", key, color, ls="-" if key == "test" else "--")
        ends.append((y, f"α = {alpha:g}", color))
    common.label_ends(ax, ends, memorize.PASSES, apart=0.09)


@table(
    "mixup-foreseen",
    caption="How sure the network of {numref}`fig-mixup-memorize` is of its own training images, in percent: what the "
    "mean label of {eq}`eq-mixup-mean` foresees, and what the runs show, mean over seeds.",
)
def foreseen() -> list[list[str]]:
    """A row for each α: foreseen confidence, found with true and with random labels."""
    header = ["α", "foreseen", "found, true labels", f"found, {max(memorize.NOISE):.0%} random labels"]
    rows = []
    for alpha in memorize.ALPHAS:
        found = [_confidence(noise, alpha) for noise in sorted(memorize.NOISE)]
        rows.append([f"{alpha:g}", f"{100 * own_share(alpha):.0f}" if alpha else "100", *found])
    return [header, *rows]


def _confidence(noise: float, alpha: float) -> str:
    return f"{average(noise, alpha, 'train_confidence'):.0f}" if records(noise, alpha) else "–"


def _quote(name: str, compute: Callable[[float, float], float], noise: float, alpha: float, digits: int = 0) -> None:
    """Register a number for the page: the value, or that it has not been measured."""
    key = f"memorize-{name}-{_NAMES[noise]}-{alpha:g}"
    value(key)(lambda: f"{compute(noise, alpha):.{digits}f}" if records(noise, alpha) else "not measured")


def _register_values() -> None:
    _quote("train", partial(average, key="train"), 0.4, 1.0)
    for alpha in (0.0, 1.0):
        _quote("peak", peak, 0.4, alpha)
    for noise, name in _NAMES.items():
        value(f"memorize-gain-{name}-1")(lambda noise=noise: common.gain(gains(noise, 1.0)))


_register_values()
