"""Normalization page: what bitdoc measured, accuracy and channels by norm. Without records: labelled places."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from statistics import mean, stdev

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, table, value
from bitdoc.records import runs
from bitdoc.studies.normalization import batch_size as sweep
from bitdoc.studies.normalization import equal_updates as equal

SCRIPT = "python examples/plot_norm_batch_size.py --run"
_LARGEST = equal.BATCHES[-1]
#: Color and line: plain filters are dashed.
_LOOK = {"BN": ("blue", "--"), "BN + WS": ("blue", "-"), "GN": ("orange", "--"), "GN + WS": ("orange", "-")}
#: 97.5% quantile of Student's t by the number of pairs: half the width of a 95% interval, in standard errors.
_T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}


def _empty(study: str) -> Figure:
    fig, ax = style.new(7.2, 2.2)
    lines = ("This place is empty: the runs have not been made.", f"{SCRIPT} {study}")
    text = "\n\n".join(map(style.wrapped, lines))
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=10)
    ax.set(xticks=[], yticks=[])
    return fig


def swept(name: str, batch: int) -> dict[int, float]:
    """Test accuracies, in percent, of one variant at one batch size of the batch-size study, by seed."""
    norm_kind, standardized = sweep.VARIANTS[name]
    records = runs.load(sweep.BATCH_SIZE, norm_kind=norm_kind, standardized=standardized, batch=batch)
    return {record.setting["seed"]: record.result["top1"] for record in records}


def updated(name: str, batch: int) -> dict[int, float]:
    """Test accuracies, in percent, by seed, of one variant at one batch size of the study of equal updates."""
    return {record.setting["seed"]: record.result["top1"] for record in equal.chosen(name, batch)}


def inside(name: str, what: str) -> list[list[float]]:
    """``"offset"`` or ``"stuck"``, layer by layer, in the trained networks of one variant; a list for each seed."""
    return [record.curve[what] for record in equal.chosen(name, _LARGEST)]


# ---- Accuracy -------------------------------------------------------------------------------------------------------


def _accuracy_alt() -> str:
    if not runs.load(sweep.BATCH_SIZE):
        return "An empty place: the runs of this figure have not been made."
    once = "; ".join(_means(name, sweep.BATCHES, swept) for name in sweep.VARIANTS)
    same = "; ".join(_means(name, equal.BATCHES, updated) for name in equal.VARIANTS)
    return f"Mean test accuracy in percent by batch size. Every image once: {once}. Equal updates: {same}."


def _means(name: str, batches: tuple[int, ...], scores: Callable[..., dict[int, float]]) -> str:
    told = [f"{mean(dots.values()):.0f} at {batch}" for batch in batches if (dots := scores(name, batch))]
    return f"{name}: {', '.join(told)}"


def _accuracy_measured() -> str:
    shown = [record for name in equal.VARIANTS for batch in equal.BATCHES for record in equal.chosen(name, batch)]
    return (
        "On the 10,000 test images. Every image once: 16,000 images of 48 pixels, the rate chosen at 32 on held-out "
        f"images and proportional to the batch. The same number of updates: {equal.UPDATES}, images of 32 pixels, the "
        "rate chosen norm by norm and batch by batch on held-out images. "
        + runs.provenance(runs.load(sweep.BATCH_SIZE) + shown)
    )


@figure(
    "norm-batch-size-measured",
    caption=(
        "CIFAR-10 accuracy of a narrow R14 by batch size, every image seen once and with the same number of updates. A "
        "dot is a run, lines join the means; plain filters are dashed and open. Chance is 10%."
    ),
    alt=_accuracy_alt,
    measured=_accuracy_measured,
)
def batch_size() -> Figure:
    """Draw accuracy by batch size: each image seen once, and the same number of updates."""
    if not runs.load(sweep.BATCH_SIZE):
        return _empty("batch-size")
    fig, (left, right) = style.new(7.2, 4.0, 1, 2, (6.6, 1))
    style.headline(fig, "Batch norm is last at a batch of 2, group norm alone at the largest")
    _sweep(left, sweep.VARIANTS, sweep.BATCHES, swept)
    _sweep(right, equal.VARIANTS, equal.BATCHES, updated)
    left.set(ylabel="test accuracy, %", title="Every image once")
    right.set(ylabel=style.by_width("", "test accuracy, %"), title="The same number of updates")
    return fig


def _sweep(ax: Axes, names: Iterable[str], batches: tuple[int, ...], scores: Callable[..., dict[int, float]]) -> None:
    """Draw the accuracies of some variants over the batch size: a dot for each run, lines through the means."""
    ends = []
    for place, name in enumerate(names):
        ink, line = style.COLOURS[_LOOK[name][0]], _LOOK[name][1]
        # The variants of one batch size stand side by side, so that their dots do not hide each other.
        columns = [(c + 0.07 * (place - 1.5), dots) for c, b in enumerate(batches) if (dots := scores(name, b))]
        for spot, dots in columns:
            _dots(ax, spot, dots, name)
        ax.plot([spot for spot, _ in columns], [mean(d.values()) for _, d in columns], line, color=ink, linewidth=1.5)
        if columns:
            ends.append((mean(columns[-1][1].values()), len(batches) - 0.85, name, ink))
    _label_apart(ax, ends, gap=0.07)
    ax.set_xticks(range(len(batches)), [str(batch) for batch in batches])
    ax.set(xlabel="batch size", xlim=(-0.4, style.by_width(1.35, 1.45) * len(batches) - 0.5))


def _dots(ax: Axes, spot: float, scores: dict[int, float], name: str) -> None:
    ink, line = style.COLOURS[_LOOK[name][0]], _LOOK[name][1]
    fill = style.ink("paper") if line == "--" else ink
    ax.plot([spot] * len(scores), list(scores.values()), "o", color=ink, mfc=fill, ms=4.5)


def _label_apart(ax: Axes, ends: list[tuple[float, float, str, str]], gap: float) -> None:
    """Label lines, given as (y, x, name, color) of their right ends, at least ``gap`` of the axis apart."""
    low, high = ax.get_ylim()
    height = -float("inf")
    for y, x, name, colour in sorted(ends):
        height = max(y, height + gap * (high - low))
        style.label(ax, x, height, name, colour, xytext=(8, 0))


# ---- Inside the trained networks ------------------------------------------------------------------------------------


def _inside_measured() -> str:
    records = [record for name in equal.VARIANTS for record in equal.chosen(name, _LARGEST)]
    return (
        f"The networks of {{numref}}`fig-norm-batch-size-measured` with equal updates and batches of {_LARGEST}; only "
        "norms that follow a convolution directly. The offset is taken behind the norm, before its learned scale and "
        "offset, averaged over the channels, in standard deviations; stuck is what the ReLU passes for less than 1% or "
        "more than 99% of the values. " + runs.provenance(records)
    )


def _overall(name: str, what: str) -> float:
    return mean(mean(row) for row in inside(name, what))


def _inside_alt() -> str:
    if not inside("GN", "offset"):
        return "An empty place: the runs of this figure have not been made."
    offsets = ", ".join(f"{name} {_overall(name, 'offset'):.2f}" for name in equal.VARIANTS)
    shares = ", ".join(f"{name} {100 * _overall(name, 'stuck'):.0f}" for name in equal.VARIANTS)
    return f"Averaged over the layers, the offset of a channel is {offsets}; stuck channels, in percent: {shares}."


@figure(
    "norm-offset-trained",
    caption=(
        "Inside trained networks, from input to output: how far a channel's mean stands from 0 behind the norm, and "
        "how many channels the ReLU leaves always on or off. Thin: runs; thick: their mean."
    ),
    alt=_inside_alt,
    measured=_inside_measured,
)
def trained() -> Figure:
    """Draw offsets and stuck channels over the layers of trained networks."""
    if not all(inside(name, "offset") for name in equal.VARIANTS):
        return _empty("equal-updates")
    fig, panels = style.new(7.2, 3.5, 1, 2, (6.0, 1))
    style.headline(fig, "GN leaves a channel's offset, BN takes it away, WS takes part of it")
    for ax, what, scale in ((panels[0], "offset", 1), (panels[1], "stuck", 100)):
        ends = []
        for name in equal.VARIANTS:
            ink, line = style.COLOURS[_LOOK[name][0]], _LOOK[name][1]
            rows = [[scale * number for number in row] for row in inside(name, what)]
            layers = range(1, len(rows[0]) + 1)
            for row in rows:
                ax.plot(layers, row, line, color=ink, linewidth=0.6, alpha=0.6)
            means = [mean(column) for column in zip(*rows, strict=True)]
            ax.plot(layers, means, line, color=ink)
            ends.append((means[-1], float(layers[-1]), name, ink))
        _label_apart(ax, ends, gap=0.09)
        ax.set(xlabel="layer", xlim=(1, len(layers) + style.by_width(2.4, 2.9)))
        ax.set_xticks(layers)
    panels[1].set_yticks((0, 5, 10, 15))
    panels[0].set(ylabel="offset of a channel", title="Offset")
    panels[1].set(ylabel="channels stuck, %", title="Stuck channels: most with GN alone")
    return fig


# ---- Numbers for the text -------------------------------------------------------------------------------------------


def gain(one: dict[int, float], other: dict[int, float]) -> tuple[float, float] | None:
    """Points by which ``one`` leads ``other``, both by seed: mean, and half its 95% interval; None without runs."""
    gaps = [one[seed] - other[seed] for seed in one.keys() & other.keys()]
    if len(gaps) not in _T95:
        return None
    return mean(gaps), _T95[len(gaps)] * stdev(gaps) / math.sqrt(len(gaps))


def _lead(scores: Callable[..., dict[int, float]], one: str, other: str, batch: int) -> str:
    found = gain(scores(one, batch), scores(other, batch))
    return f"{found[0]:.1f} points".replace("-", "−") if found else "(not measured)"


def _interval(scores: Callable[..., dict[int, float]], one: str, other: str, batch: int) -> str:
    found = gain(scores(one, batch), scores(other, batch))
    return f"{found[0]:+.1f} ± {found[1]:.1f}".replace("-", "−") if found else "–"


@table(
    "norm-gains",
    caption="Who leads whom in {numref}`fig-norm-batch-size-measured`, in points of accuracy: mean of three seeds and "
    "its 95% interval (Student's t)",
)
def gains() -> list[list[str]]:
    """A row for each study and batch size, a column for each pair of norms."""
    pairs = (("GN", "BN"), ("GN + WS", "GN"), ("GN + WS", "BN"))
    rows = [["runs", "batch", *(f"{one} over {other}" for one, other in pairs)]]
    for study, scores, batches in (
        ("every image once", swept, sweep.BATCHES),
        ("equal updates", updated, equal.BATCHES),
    ):
        rows += [[study, f"{batch}", *(_interval(scores, *pair, batch) for pair in pairs)] for batch in batches]
    return rows


# The leads that the text names.
value("norm-gain-gn-2")(lambda: _lead(swept, "GN", "BN", 2))
value("norm-gain-ws-32")(lambda: _lead(swept, "GN + WS", "GN", 32))
value("norm-gain-ws-bn-8")(lambda: _lead(swept, "BN + WS", "BN", 8))
value("norm-equal-gain-ws-128")(lambda: _lead(updated, "GN + WS", "GN", 128))


def _inside_teller(name: str, what: str, scale: float, digits: int) -> Callable[[], str]:
    return lambda: f"{scale * _overall(name, what):.{digits}f}" if inside(name, what) else "(not measured)"


def _register_insides() -> None:
    """``norm-trained-offset-gn``, ``norm-trained-stuck-gn``: means over the layers of the trained networks."""
    for name in equal.VARIANTS:
        key = name.lower().replace(" + ", "-")
        value(f"norm-trained-offset-{key}")(_inside_teller(name, "offset", 1, 2))
        value(f"norm-trained-stuck-{key}")(_inside_teller(name, "stuck", 100, 0))


_register_insides()
