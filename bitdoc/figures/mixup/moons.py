"""Half-moons with a fifth of the labels flipped: what a network answers in the plane, and how that comes about."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, value
from bitdoc.figures.mixup import common
from bitdoc.records import runs
from bitdoc.studies.mixup import half_moons as study

_COMMAND = "python examples/plot_mixup_half_moons.py --run"
SIDES = ("blue", "orange")


def records(alpha: float, flipped: float = study.FLIPPED) -> list[runs.RunRecord]:
    """Records of one condition, all of one kind."""
    found = runs.load(study.EXPERIMENT, flipped_labels=flipped, mixup=alpha)
    runs.require_same(found, "steps", "base_lr", "points", "noise", "test_points")
    return found


def everything(alphas: Sequence[float] = study.SLIDER) -> list[runs.RunRecord]:
    """The records with flipped labels, if each of ``alphas`` has some."""
    parts = [records(alpha) for alpha in alphas]
    return [record for part in parts for record in part] if all(parts) else []


def average(alpha: float, key: str = "top1", flipped: float = study.FLIPPED) -> float:
    """A result, mean over seeds."""
    return mean(common.by_seed(records(alpha, flipped), key).values())


def gains(alpha: float, flipped: float = study.FLIPPED) -> list[float]:
    """What MixUp adds to the accuracy on fresh points, seed by seed."""
    return common.differences(records(0.0, flipped), records(alpha, flipped))


def pictured(alpha: float) -> dict:
    """What is drawn of the first seed: its map, its points and their labels."""
    return next(r.result for r in records(alpha) if r.setting["seed"] == study.SEEDS[0])


def _alt_maps() -> str:
    if not everything():
        return common.NOTHING
    parts = ", ".join(f"{average(a):.0f} percent at alpha {a:g}" for a in study.ALPHAS)
    return (
        "Four maps of the plane with two interleaved half-moons, a fifth of their points in the wrong color. Without "
        "MixUp the boundary makes islands around wrong points; as alpha grows they go, and the boundary runs smoothly "
        f"between the moons. Right on fresh points, mean of {len(study.SEEDS)} seeds: {parts}."
    )


@figure(
    "mixup-moons",
    caption=lambda: (
        f"The same network and the same {study.POINTS} points, a fifth of them with the wrong label (ringed). Color: "
        "the probability of orange; line: the boundary. Shares: means over seeds."
    ),
    measured=lambda: (
        f"After {study.STEPS:,} steps; the maps are of the first of {len(study.SEEDS)} seeds. On the screen the slider "
        f"goes through {len(study.SLIDER)} values of $\\alpha$. {common.provenance(everything(), _COMMAND)}"
    ),
    alt=_alt_maps,
    format="png",
)
def maps() -> Figure:
    """Probability maps for each α, two in a row."""
    if not everything():
        return common.empty_place(_COMMAND)
    fig, axes = style.new(7.2, 5.6, 2, 2, (3.3, 2), sharex=True, sharey=True)
    style.headline(fig, "The larger α, the smoother the boundary, and the more fresh points are right")
    for ax, alpha in zip(axes.flat, study.ALPHAS, strict=True):
        _show_map(ax, pictured(alpha))
        name = "α = 0 (no MixUp)" if alpha == 0 else f"α = {alpha:g}"
        told = style.by_width("right on {:.0f}% of fresh points", "{:.0f}% right").format(average(alpha))
        ax.set_title(f"{name}: {told}", fontsize=style.by_width(10, 8))
    return fig


def grid(kept: dict) -> np.ndarray:
    """The kept map as probabilities of class 1, row by row from the bottom."""
    return np.array(kept["map"]).reshape(len(study.UP), len(study.ACROSS)) / 100


def _show_map(ax: Axes, kept: dict) -> None:
    place = study.ACROSS.numpy(), study.UP.numpy()
    ax.pcolormesh(*place, grid(kept), cmap=two_colours(), vmin=0, vmax=1, shading="gouraud", rasterized=True)
    ax.contour(*place, grid(kept), levels=[0.5], colors=style.ink(), linewidths=1.4)
    size = style.by_width(1.0, 0.4)
    across, up, true, given = (np.array(kept[key]) for key in ("across", "up", "true", "given"))
    for side, name in enumerate(SIDES):
        for wrong in (False, True):
            chosen = (given == side) & ((true != given) == wrong)
            ax.scatter(across[chosen] / 100, up[chosen] / 100, s=size * (26 if wrong else 9), color=style.COLOURS[name],
                       edgecolor=style.ink() if wrong else "none", linewidth=1.1 * size)  # fmt: skip
    ax.set(xticks=(), yticks=(), aspect="equal")
    ax.spines[:].set_visible(False)


def two_colours() -> LinearSegmentedColormap:
    """From blue over the ground to orange, both thinned so that the points stand out."""
    ground = np.array(to_rgb(style.ink("paper")))
    ends = [0.6 * np.array(to_rgb(style.COLOURS[name])) + 0.4 * ground for name in SIDES]
    return LinearSegmentedColormap.from_list("classes", (ends[0], ground, ends[1]))


def _alt_curves() -> str:
    if not everything():
        return common.NOTHING
    tests = ", ".join(f"{average(a):.1f} at alpha {a:g}" for a in study.ALPHAS)
    trains = ", ".join(f"{average(a, 'train'):.1f}" for a in study.ALPHAS)
    return (
        "Curves over training steps. All begin alike. Without MixUp the fit to the labels as given keeps rising while "
        f"accuracy on fresh points falls. After {study.STEPS} steps accuracy is {tests} percent, and fit {trains} "
        "percent; 80 percent is what a network fits that knows the truth."
    )


@figure(
    "mixup-moons-curves",
    caption=lambda: (
        f"Accuracy on {study.FRESH:,} fresh points with true labels, and on the training points against the labels as "
        "given; dotted: a network that follows the truth fits 80% of these."
    ),
    measured=lambda: (
        f"Lines: mean; bands: lowest to highest of {len(study.SEEDS)} seeds. "
        f"{common.provenance(everything(study.ALPHAS), _COMMAND)}"
    ),
    alt=_alt_curves,
)
def curves() -> Figure:
    """Accuracy on fresh points and fit to the noisy labels over steps."""
    if not everything():
        return common.empty_place(_COMMAND)
    fig, axes = style.new(7.2, 3.9, 1, 2, (6.4, 1), sharex=True, sharey=True)
    style.headline(fig, "Without MixUp the network goes on to fit the wrong labels, and is right less often")
    axes[0].set(xscale="log", xlim=(10, study.STEPS), ylim=(65, 100))
    for ax, key in zip(axes, ("test", "train"), strict=True):
        ends = []
        for alpha in study.ALPHAS:
            color = common.colour(alpha)
            y = common.show_curves(ax, records(alpha), "step", key, color, ls="-" if key == "test" else "--")
            ends.append((y, f"α = {alpha:g}", color))
        common.label_ends(ax, ends, study.STEPS)
        ax.set_xlabel("steps")
        ax.set_ylabel(style.by_width("right (%)" if key == "test" else "", "right (%)"))
        ax.set_xticks((10, 100, 1000), ("10", "100", "1,000"))
    axes[1].axhline(100 * (1 - study.FLIPPED), color=style.ink(), linewidth=1.2, ls=":")
    size = style.by_width(10, 9)
    axes[0].set_title(f"Fresh points: {average(0.0):.0f}% without, {average(1.0):.0f}% at α = 1", fontsize=size)
    given = f"Labels as given: {average(0.0, 'train'):.0f}%; {average(1.0, 'train'):.0f}% at α = 1"
    axes[1].set_title(given, fontsize=size)
    return fig


def _quote(name: str, key: str, alpha: float, digits: int) -> None:
    """Register a number for the page: the value with flipped labels, or that it has not been measured."""
    value(f"moons-{name}-noisy-{alpha:g}")(
        lambda: f"{average(alpha, key):.{digits}f}" if records(alpha) else "not measured"
    )


def _register_values() -> None:
    _quote("test", "top1", 0.0, 1)
    for alpha in (0.0, 1.0):
        _quote("train", "train", alpha, 1)
        _quote("halfway", "halfway_confidence", alpha, 2)
    for flipped, name in ((study.FLIPPED, "noisy"), (0.0, "clean")):
        value(f"moons-gain-{name}-1")(lambda flipped=flipped: common.gain(gains(1.0, flipped)))


_register_values()
