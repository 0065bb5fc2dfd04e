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


def everything() -> list[runs.RunRecord]:
    """The records of all seeds that have a run for each α, so that means can be compared; all of one kind."""
    found = runs.load(memorize.EXPERIMENT)
    runs.require_same(found, "model", "base_lr", "passes", "batch", "weight_decay", "train_images", "test_images")
    pairs = runs.group(found, lambda record: (record.setting["random_labels"], record.setting["seed"]))
    whole = [part for part in pairs.values() if {r.setting["mixup"] for r in part} >= set(memorize.ALPHAS)]
    return [record for part in whole for record in part]


def records(noise: float, alpha: float) -> list[runs.RunRecord]:
    """Those of one condition."""
    return [r for r in everything() if (r.setting["random_labels"], r.setting["mixup"]) == (noise, alpha)]


def _made(noise: float) -> list[float]:
    """The values of α that have runs; the strong ones are the last to be made."""
    return [alpha for alpha in memorize.ALPHAS + memorize.STRONG if records(noise, alpha)]


def average(noise: float, alpha: float, key: str = "top1") -> float:
    """A result, mean over seeds."""
    return mean(common.by_seed(records(noise, alpha), key).values())


def gains(noise: float, alpha: float, key: str = "top1") -> list[float]:
    """What MixUp adds to a result, in points, seed by seed."""
    return common.differences(records(noise, 0.0), records(noise, alpha), key)


def repeated() -> list[float]:
    """What the strongest MixUp adds, in points, seed by seed, at the rate that is best without MixUp; true labels."""
    found = runs.load(memorize.REPEAT)
    same = ("model", "base_lr", "passes", "batch", "weight_decay", "random_labels", "train_images", "test_images")
    runs.require_same(found, *same)
    off, on = ([r for r in found if r.setting["mixup"] == alpha] for alpha in (0.0, max(memorize.ALPHAS)))
    return common.differences(off, on)


def _held_out(rate: float) -> str:
    """Accuracy on held-out images without MixUp, at one learning rate."""
    found = runs.load(memorize.CHOICE, base_lr=rate)
    return f"{mean(record.result['top1'] for record in found):.1f}" if found else "not measured"


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
        "sees every training image once. Bands: all seeds."
    ),
    measured=lambda: common.provenance(records(0.0, 0.0), _COMMAND),
    alt=_alt_overfit,
)
def overfit() -> Figure:
    """Training and test accuracy coming apart."""
    found = records(0.0, 0.0)
    if not found:
        return common.empty_place(_COMMAND)
    fig, ax = style.new(7.2, 3.4, narrow=(3.4, 1))
    learned, known = average(0.0, 0.0, "train"), average(0.0, 0.0)
    style.headline(fig, f"Training accuracy reaches {learned:.0f}%, test accuracy stops at {known:.0f}%")
    grey = common.colour(0.0)
    ends = [common.show_curves(ax, found, "pass", key, grey, ls=ls) for key, ls in (("train", "--"), ("test", "-"))]
    for y, text in zip(ends, ("training images", "test images"), strict=True):
        style.label(ax, memorize.PASSES, y, text.replace(" ", style.by_width(" ", "\n")), grey)
    middle = memorize.PASSES * 0.86
    ax.annotate(
        "", (middle, ends[0] - 1), (middle, ends[1] + 1), arrowprops={"arrowstyle": "<->", "color": style.ink()}
    )
    ax.text(middle - 1.5, mean(ends), "memorized,\nnot understood", ha="right", va="center")
    ax.set(xlabel="passes over the training images", ylabel="accuracy (%)", ylim=(0, 104), xlim=(0, memorize.PASSES))
    return fig


def _finding(noise: float) -> str:
    best = max(_made(noise)[1:], key=lambda alpha: mean(gains(noise, alpha)))
    return f"{_named(noise)}:\nα = {best:g} ends {mean(gains(noise, best)):.1f} points higher"


def _named(noise: float) -> str:
    return f"{noise:.0%} random labels" if noise else "All labels true"


def _alt_memorize() -> str:
    if not everything():
        return common.NOTHING
    parts = []
    for noise in memorize.NOISE:
        tests = ", ".join(f"{average(noise, a):.1f} at alpha {a:g}" for a in _made(noise))
        trains = ", ".join(f"{average(noise, a, 'train'):.0f}" for a in _made(noise))
        name = f"{noise:.0%} random labels" if noise else "true labels"
        parts.append(f"With {name} test accuracy ends at {tests} percent, and training accuracy at {trains} percent")
    return f"{'. '.join(parts)}."


@figure(
    "mixup-memorize",
    caption="The network of {numref}`fig-mixup-overfit` with and without MixUp: accuracy on test images (solid), and "
    "on its training images against the labels it was given (dashed). Lines: mean; bands: all seeds.",
    measured=lambda: f"On {10 * memorize.CURVE_PER_CLASS:,} test images. {common.provenance(everything(), _COMMAND)}",
    alt=_alt_memorize,
)
def memorized() -> Figure:
    """Test accuracy above, fit to the given labels below; random labels left, true labels right."""
    if not everything():
        return common.empty_place(_COMMAND)
    fig, axes = style.new(7.2, 5.9, 2, 2, (9.2, 1), sharex=True, sharey="row")
    style.headline(fig, "Stronger MixUp: less is learned by heart, more is right")
    for column, noise in zip(axes.T, memorize.NOISE, strict=True):
        for ax, key in zip(column, ("test", "train"), strict=True):
            _show_condition(ax, noise, key)
        column[0].set_title(_finding(noise), fontsize=style.by_width(10, 9))
        column[1].set_title(style.by_width("", f"{_named(noise)}: training images"), fontsize=9)
    for ax in style.by_width(axes[1], axes[1, 1:]):
        ax.set_xlabel("passes")
    for line, text in zip(axes, ("test accuracy (%)", "fit to the given labels (%)"), strict=True):
        for ax in style.by_width(line[:1], line):
            ax.set_ylabel(text)
    axes[0, 0].set_xlim(0, memorize.PASSES)
    return fig


def _show_condition(ax: Axes, noise: float, key: str) -> None:
    ends = []
    for alpha in _made(noise):
        color = common.colour(alpha)
        y = common.show_curves(ax, records(noise, alpha), "pass", key, color, ls="-" if key == "test" else "--")
        ends.append((y, f"α = {alpha:g}", color))
    if key == "test":  # below, the lines end together
        common.label_ends(ax, ends, memorize.PASSES)


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
    _quote("wrong", partial(average, key="wrong_fitted"), 0.4, 8.0)
    for alpha in (0.0, 8.0):
        _quote("peak", peak, 0.4, alpha)
    for noise, alpha in ((0.0, 1.0), (0.0, 8.0), (0.4, 8.0)):
        value(f"memorize-gain-{_NAMES[noise]}-{alpha:g}")(lambda n=noise, a=alpha: common.gain(gains(n, a)))
    value("memorize-best-rate-gain-1")(lambda: common.gain(repeated()))
    for rate in memorize.RATES:
        value(f"memorize-held-out-{rate:g}")(partial(_held_out, rate))


_register_values()
