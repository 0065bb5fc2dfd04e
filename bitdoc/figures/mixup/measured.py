"""The measured study of the MixUp page: sizes, calibration, random labels; all from run records."""

from __future__ import annotations

from statistics import mean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, table, value
from bitdoc.records import runs
from bitdoc.studies.mixup import study

_COLOURS = dict(zip(study.ALPHAS, ("grey", "blue", "orange"), strict=True))
_COMMAND = "python examples/plot_mixup_study.py --run"
_DIAGRAMS, _FEWEST = (100, 1000), 10


def records(noise: float = 0.0, longer: int = 1, **wanted) -> list[runs.RunRecord]:
    """Records of the study with these settings, all of one kind."""
    found = runs.load(study.EXPERIMENT, random_labels=noise, longer=longer, **wanted)
    runs.require_same(found, "model", "weights_sha256", "schedule", "batch", "base_lr", "crop", "test_images")
    return found


def results(shots: int, alpha: float, key: str, **wanted) -> dict[int, float]:
    """A result by seed, such as ``key="top1"`` in percent."""
    chosen = records(examples_per_class=shots, mixup=alpha, **wanted)
    return {record.setting["seed"]: record.result[key] for record in chosen}


def gains(shots: int, alpha: float, key: str = "top1", **wanted) -> list[float]:
    """What MixUp adds to a result, in points, seed by seed."""
    without, with_mixup = (results(shots, a, key, **wanted) for a in (0.0, alpha))
    return [with_mixup[seed] - without[seed] for seed in sorted(with_mixup.keys() & without.keys())]


def _provenance(chosen: list[runs.RunRecord]) -> str:
    return f"Measured: {runs.provenance(chosen)}" if chosen else f"Not measured yet; `{_COMMAND}` fills it."


def _empty_place() -> Figure:
    fig, ax = style.new(7.2, 1.6)
    ax.set(xticks=(), yticks=(), facecolor=style.ink("wash"))
    ax.text(0.5, 0.5, f"No runs yet. To measure:\n{_COMMAND}", ha="center", va="center")
    return fig


def _signed(number: float) -> str:
    return f"{number:+.1f}".replace("-", "−")


def _gain_text(shots: int, alpha: float, **wanted) -> str:
    points = gains(shots, alpha, **wanted)
    return _signed(mean(points)) if points else "not measured"


def _alt_shots() -> str:
    if not records():
        return "An empty place: the runs of this figure have not been made."
    parts = [
        f"{k} per class: accuracy {_gain_text(k, a)} points, calibration error "
        f"{mean(results(k, a, 'ece').values()):.1f} percent against {mean(results(k, 0.0, 'ece').values()):.1f}"
        for a in study.ALPHAS[1:]
        for k in (study.SHOTS[0], study.SHOTS[-1])
        if gains(k, a)
    ]
    order = f"first for alpha {study.ALPHAS[1]:g}, then {study.ALPHAS[2]:g}"
    return f"Mean over seeds at the ends of the curves, {order}. {'; '.join(parts)}."


@figure(
    "mixup-shots",
    caption=lambda: (
        "Left: what MixUp adds to the accuracy on CIFAR-10, against the run without MixUp on the same images. Right: "
        f"expected calibration error in {study.BINS} bins. Dots are seeds, lines their means. {_provenance(records())}"
    ),
    alt=_alt_shots,
)
def shots() -> Figure:
    """Gain in accuracy and calibration error over the number of examples per class."""
    if not records():
        return _empty_place()
    fig, (left, right) = style.new(7.2, 3.6, 1, 2)
    _lines(left, {a: {k: gains(k, a) for k in study.SHOTS} for a in study.ALPHAS[1:]})
    _lines(right, {a: {k: list(results(k, a, "ece").values()) for k in study.SHOTS} for a in study.ALPHAS})
    left.axhline(0, color=style.COLOURS["grey"], linewidth=1.2)
    left.set_ylabel("accuracy minus accuracy at α = 0 (points)")
    right.set_ylabel("calibration error (%)")
    right.set_ylim(bottom=0)
    for ax in (left, right):
        ax.set(xscale="log", xlabel="examples per class", xlim=(8, 3200))
        ax.set_xticks(study.SHOTS, [f"{k:,}" for k in study.SHOTS])
        ax.minorticks_off()
    return fig


def _lines(ax: Axes, curves: dict[float, dict[float, list[float]]]) -> None:
    """Draw the values of all seeds and a line through their means for each α, with labels that do not collide."""
    ends = []
    for alpha, curve in curves.items():
        curve = {x: values for x, values in curve.items() if values}
        colour = style.COLOURS[_COLOURS[alpha]]
        for x, values in curve.items():
            ax.plot([x] * len(values), values, "o", color=colour, alpha=0.45, markersize=4)
        means = [mean(values) for values in curve.values()]
        ax.plot(list(curve), means, color=colour)
        ends += [(means[-1], max(curve), f"α = {alpha:g}", colour)] if curve else []
    low, high = ax.get_ylim()
    height = low
    for y, x, text, colour in sorted(ends):
        height = max(y, height + 0.065 * (high - low))
        style.label(ax, x, height, text, colour)


def pooled(shots: int, alpha: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reliability of all seeds together: predictions, mean confidence and accuracy of the bins with ten or more."""
    chosen = records(examples_per_class=shots, mixup=alpha)
    count, confidence, accuracy = (
        np.array([record.result[key] for record in chosen], dtype=float)
        for key in ("bin_count", "bin_confidence", "bin_accuracy")
    )
    total = count.sum(axis=0)
    filled = total >= _FEWEST
    weighted = [(count * part).sum(axis=0)[filled] / total[filled] for part in (confidence, accuracy)]
    return total[filled], *weighted


def _alt_reliability() -> str:
    if not records():
        return "An empty place: the runs of this figure have not been made."
    parts = []
    for k in _DIAGRAMS:
        for alpha in study.ALPHAS:
            count, confidence, accuracy = pooled(k, alpha)
            gap = 100 * ((confidence - accuracy) * count).sum() / count.sum()
            parts.append(f"{k} per class, alpha {alpha:g}: {_signed(gap)}")
    return f"Mean confidence minus accuracy, in points (positive: promises too much). {'; '.join(parts)}."


@figure(
    "mixup-reliability",
    caption=lambda: (
        "Reliability: how often the network is right, over how sure it is, for 100 and 1,000 examples per class; "
        "dotted: perfect calibration. Below the dotted line it promises too much. Larger dots hold more predictions; "
        f"bins with fewer than {_FEWEST} are left out; three seeds together. {_provenance(records())}"
    ),
    alt=_alt_reliability,
)
def reliability() -> Figure:
    """One diagram for each of two sizes, a line for each α."""
    if not all(records(examples_per_class=k, mixup=a) for k in _DIAGRAMS for a in study.ALPHAS):
        return _empty_place()
    fig, axes = style.new(7.2, 3.8, 1, 2, sharex=True, sharey=True)
    for ax, k in zip(axes, _DIAGRAMS, strict=True):
        ax.plot((0, 1), (0, 1), ":", color=style.ink(), linewidth=1.2)
        for row, alpha in enumerate(study.ALPHAS):
            count, confidence, accuracy = pooled(k, alpha)
            colour = style.COLOURS[_COLOURS[alpha]]
            ax.plot(confidence, accuracy, color=colour, linewidth=1.5)
            ax.scatter(confidence, accuracy, s=4 + 160 * count / count.sum(), color=colour)
            ax.text(0.04, 0.94 - 0.08 * row, f"α = {alpha:g}", color=colour, transform=ax.transAxes)
        ax.set(title=f"{k:,} examples per class", xlabel="confidence", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes[0].set_ylabel("share of right answers")
    return fig


def _noisy(share: float) -> list[runs.RunRecord]:
    return records(share, examples_per_class=study.NOISY_SHOTS)


def _accuracies(share: float, alpha: float) -> list[float]:
    return list(results(study.NOISY_SHOTS, alpha, "top1", noise=share).values())


def _alt_noise() -> str:
    parts = [
        f"{share:.0%} random labels, alpha {alpha:g}: {mean(points):.1f} percent"
        for share in (0.0, *study.NOISE)
        for alpha in study.ALPHAS
        if (points := _accuracies(share, alpha))
    ]
    return f"Accuracy, mean over seeds. {'; '.join(parts)}." if parts else "An empty place: there are no runs yet."


@figure(
    "mixup-noise",
    caption=lambda: (
        f"Accuracy on CIFAR-10 with {study.NOISY_SHOTS} examples per class when a share of their labels is random. "
        f"Dots are seeds, lines their means. {_provenance([r for share in study.NOISE for r in _noisy(share)])}"
    ),
    alt=_alt_noise,
)
def noise() -> Figure:
    """Accuracy over the share of random labels, a line for each α."""
    if not all(_noisy(share) for share in study.NOISE):
        return _empty_place()
    fig, ax = style.new(7.2, 3.4)
    shares = (0.0, *study.NOISE)
    _lines(ax, {alpha: {100 * share: _accuracies(share, alpha) for share in shares} for alpha in study.ALPHAS})
    ax.set(xlabel="random labels (%)", ylabel="accuracy (%)", xticks=[100 * s for s in shares], xlim=(-2, 58))
    return fig


@table(
    "mixup-measured",
    caption=f"Accuracy in percent on {10 * study.TEST_PER_CLASS:,} CIFAR-10 test images, mean (lowest to highest) of "
    f"{len(study.SEEDS)} seeds. Last row: {study.LONGER} times as many steps.",
)
def measured() -> list[list[str]]:
    """A row for each number of examples per class, a column for each α."""
    header = ["examples per class", *(f"α = {alpha:g}" for alpha in study.ALPHAS)]
    rows = [[f"{k:,}", *(_cell(k, alpha) for alpha in study.ALPHAS)] for k in study.SHOTS]
    long = [f"{study.LONG_SHOTS:,}, longer", *(_cell(study.LONG_SHOTS, a, longer=study.LONGER) for a in study.ALPHAS)]
    return [header, *rows, long]


def _cell(shots: int, alpha: float, **wanted) -> str:
    points = list(results(shots, alpha, "top1", **wanted).values())
    return f"{mean(points):.1f} ({min(points):.1f}–{max(points):.1f})" if points else "–"


def _register_values() -> None:
    for alpha in study.ALPHAS[1:]:
        for k in study.SHOTS:
            value(f"mixup-gain-{k}-{alpha:g}")(lambda k=k, alpha=alpha: _gain_text(k, alpha))
        value(f"mixup-gain-longer-{alpha:g}")(lambda a=alpha: _gain_text(study.LONG_SHOTS, a, longer=study.LONGER))
        for share in study.NOISE:
            gain = lambda a=alpha, s=share: _gain_text(study.NOISY_SHOTS, a, noise=s)  # noqa: E731
            value(f"mixup-gain-noise-{share:g}-{alpha:g}")(gain)
    for alpha in study.ALPHAS:
        for k in study.SHOTS:
            value(f"mixup-ece-{k}-{alpha:g}")(lambda k=k, alpha=alpha: _ece_text(k, alpha))


def _ece_text(shots: int, alpha: float) -> str:
    points = list(results(shots, alpha, "ece").values())
    return f"{mean(points):.1f}" if points else "not measured"


_register_values()
