"""The pre-trained miniature on few images, where MixUp should not help; and how sure networks are of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, table, value
from bitdoc.figures.mixup import common, memorize
from bitdoc.records import runs
from bitdoc.studies.mixup import study

_COMMAND = "python examples/plot_mixup_study.py --run"
_SHOWN, _FEWEST = (10, 100, 1000), 10
#: Values of α that both studies share.
_ALPHAS = (0.0, 0.1, 1.0)


def records(shots: int, alpha: float, noise: float = 0.0, longer: int = 1) -> list[runs.RunRecord]:
    """Records of one condition of the study of few shots, all of one kind."""
    wanted = {"examples_per_class": shots, "mixup": alpha, "random_labels": noise, "longer": longer}
    found = runs.load(study.EXPERIMENT, **wanted)
    runs.require_same(found, "model", "weights_sha256", "schedule", "batch", "base_lr", "crop", "test_images")
    return found


def gains(shots: int, alpha: float, key: str = "top1", **wanted) -> list[float]:
    """What MixUp adds to a result, in points, seed by seed."""
    return common.differences(records(shots, 0.0, **wanted), records(shots, alpha, **wanted), key)


def passes(shots: int) -> float:
    """How often a run sees each of its images."""
    recipe = study.Run(shots, 0.0, 0).recipe
    return recipe.schedule[-1] * recipe.batch / (10 * shots)


@table(
    "mixup-few-shot",
    caption=f"Few images and a pre-trained network: accuracy in percent on {10 * study.TEST_PER_CLASS:,} CIFAR-10 test "
    f"images, and what MixUp adds, mean over {len(study.SEEDS)} seeds with its 95% interval. Every run makes the same "
    f"{study.Run(10, 0.0, 0).recipe.schedule[-1]} steps; the few-shot page's runs follow another recipe and score "
    "otherwise.",
)
def few_shot() -> list[list[str]]:
    """A row for each number of examples per class."""
    header = ["images a class", "passes", "without", "α = 0.1 adds", "α = 1 adds"]
    rows = [_row(f"{k:,}", k) for k in _SHOWN]
    noise = study.NOISE[-1]
    return [header, *rows, _row(f"{study.NOISY_SHOTS}, {noise:.0%} random labels", study.NOISY_SHOTS, noise)]


def _row(name: str, shots: int, noise: float = 0.0) -> list[str]:
    added = (common.gain(gains(shots, alpha, noise=noise)) for alpha in _ALPHAS[1:])
    return [name, f"{passes(shots):.3g}", _accuracy(shots, noise), *added]


def _accuracy(shots: int, noise: float) -> str:
    found = records(shots, 0.0, noise)
    return f"{mean(common.by_seed(found, 'top1').values()):.1f}" if found else "–"


def pooled(chosen: Sequence[runs.RunRecord]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reliability of all seeds together: predictions, mean confidence and accuracy of the bins with ten or more."""
    count, confidence, accuracy = (
        np.array([record.result[key] for record in chosen], dtype=float)
        for key in ("bin_count", "bin_confidence", "bin_accuracy")
    )
    total = count.sum(axis=0)
    filled = total >= _FEWEST
    weighted = [(count * part).sum(axis=0)[filled] / total[filled] for part in (confidence, accuracy)]
    return total[filled], *weighted


def overconfidence(chosen: Sequence[runs.RunRecord]) -> float:
    """Mean confidence minus accuracy, in points; negative where the network doubts itself too much."""
    count, confidence, accuracy = pooled(chosen)
    return float(100 * ((confidence - accuracy) * count).sum() / count.sum())


def panels() -> list[tuple[str, dict[float, list[runs.RunRecord]]]]:
    """Names and records by α of the networks in the reliability diagram; those without runs are left out."""
    memorizing = {alpha: memorize.records(0.0, alpha) for alpha in _ALPHAS}
    few_passes = {alpha: records(1000, alpha) for alpha in _ALPHAS}
    named = [("From random weights, 100 passes", memorizing), ("Pre-trained, 1.6 passes", few_passes)]
    return [(name, found) for name, found in named if all(found.values())]


def _alt_reliability() -> str:
    if len(panels()) < 2:
        return common.NOTHING
    parts = [
        f"{name}: {', '.join(f'{common.signed(overconfidence(chosen))} at alpha {a:g}' for a, chosen in found.items())}"
        for name, found in panels()
    ]
    return f"Mean confidence minus accuracy on test images, in points; positive: too sure. {'. '.join(parts)}."


@figure(
    "mixup-reliability",
    caption="How often a network is right, over how sure it says it is; dotted: as sure as it is right. Below that "
    "line: too sure; above: too modest. Larger dots hold more predictions.",
    measured=lambda: (
        "From random weights: the network of {numref}`fig-mixup-memorize` with true labels. Pre-trained: the one of "
        "{numref}`tab-mixup-few-shot` at 1,000 images a class. "
        f"Bins with fewer than {_FEWEST} are left out; all seeds together. {common.provenance(_shown(), _COMMAND)}"
    ),
    alt=_alt_reliability,
)
def reliability() -> Figure:
    """One diagram for each network, a line for each α."""
    if len(panels()) < 2:
        return common.empty_place(_COMMAND)
    fig, axes = style.new(7.2, 4.7, 1, 2, (7.4, 1), sharex=True, sharey=True)
    style.headline(fig, "MixUp makes a network less sure: a cure for one, too much for the other")
    for ax, (name, found) in zip(axes, panels(), strict=True):
        _show_reliability(ax, found)
        change = _in_words(*(overconfidence(found[alpha]) for alpha in (_ALPHAS[0], _ALPHAS[-1])))
        ax.set_title(f"{name}:\n{change}", fontsize=style.by_width(10, 9))
        ax.set_xlabel("confidence")
    for ax in style.by_width(axes[:1], axes):
        ax.set_ylabel("share of right answers")
    return fig


def _in_words(before: float, after: float) -> str:
    """What MixUp does to overconfidence, in points."""
    first, last = (f"{abs(points):.0f} points too {'sure' if points > 0 else 'modest'}" for points in (before, after))
    return f"from {abs(before):.0f} to {last}" if before * after > 0 else f"{first}, then {last}"


def _show_reliability(ax: Axes, found: dict[float, list[runs.RunRecord]]) -> None:
    ax.plot((0, 1), (0, 1), ":", color=style.ink(), linewidth=1.2)
    for row, (alpha, chosen) in enumerate(found.items()):
        count, confidence, accuracy = pooled(chosen)
        color = common.colour(alpha)
        ax.plot(confidence, accuracy, color=color, linewidth=1.5)
        ax.scatter(confidence, accuracy, s=4 + 160 * count / count.sum(), color=color, clip_on=False, zorder=3)
        ax.text(0.04, 0.94 - 0.08 * row, f"α = {alpha:g}", color=color, transform=ax.transAxes)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")


def _shown() -> list[runs.RunRecord]:
    return [record for _, found in panels() for chosen in found.values() for record in chosen]


def _overconfidence_text(place: int, alpha: float) -> str:
    found = panels()[place][1] if len(panels()) == 2 else {}
    return common.signed(overconfidence(found[alpha])) if alpha in found else "not measured"


def _register_values() -> None:
    for alpha in (0.0, 1.0):
        for place, name in enumerate(("memorizing", "pre-trained")):
            value(f"mixup-too-sure-{name}-{alpha:g}")(lambda p=place, a=alpha: _overconfidence_text(p, a))


_register_values()
