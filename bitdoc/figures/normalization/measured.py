"""Normalization page: what bitdoc measured, batch size and transfer in miniature. Without records: labelled places."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, stdev

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, value
from bitdoc.records import runs
from bitdoc.studies.normalization import batch_size as norm_study
from bitdoc.studies.normalization import transfer as norm_transfer
from bitdoc.studies.normalization.batch_size import BATCHES, VARIANTS

SCRIPT = "python examples/plot_norm_batch_size.py --run"
_LOOK = {"BN": ("blue", "o--"), "BN + WS": ("blue", "o-"), "GN": ("orange", "o--"), "GN + WS": ("orange", "o-")}


def _empty(study: str) -> Figure:
    fig, ax = style.new(7.2, 2.2)
    text = f"This place is empty: the runs have not been made.\n\n{SCRIPT} {study}"
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=10)
    ax.set(xticks=[], yticks=[])
    return fig


def scores(experiment: str, name: str, **wanted: object) -> list[float]:
    """Test accuracies, in percent, of all runs of one variant that fit ``wanted``."""
    norm_kind, standardized = VARIANTS[name]
    records = runs.load(experiment, norm_kind=norm_kind, standardized=standardized, **wanted)
    return [record.result["top1"] for record in records]


# ---- Batch size -----------------------------------------------------------------------------------------------------


def _batch_size_alt() -> str:
    if not runs.load(norm_study.BATCH_SIZE):
        return "An empty place: the runs of this figure have not been made."
    parts = []
    for name in VARIANTS:
        means = [(batch, scores(norm_study.BATCH_SIZE, name, batch=batch)) for batch in BATCHES]
        parts.append(f"{name}: " + ", ".join(f"{mean(s):.0f} at {batch}" for batch, s in means if s))
    return f"Mean accuracy in percent by batch size. {'; '.join(parts)}."


def _batch_size_caption() -> str:
    return (
        "Measured: accuracy on the 10,000 CIFAR-10 test images of a narrow R14 that has seen 16,000 training images "
        "once, by batch size. Every run is a dot, lines join the means; plain filters are dashed and open, "
        "standardized ones solid "
        "and filled. Chance is 10%. " + runs.provenance(runs.load(norm_study.BATCH_SIZE))
    )


@figure("norm-batch-size-measured", caption=_batch_size_caption, alt=_batch_size_alt)
def batch_size() -> Figure:
    """Draw the batch-size study: two norms, plain and standardized filters, six batch sizes."""
    if not runs.load(norm_study.BATCH_SIZE):
        return _empty("batch-size")
    fig, ax = style.new(7.2, 3.8)
    ends = []
    for place, name in enumerate(VARIANTS):
        colour, line = style.COLOURS[_LOOK[name][0]], _LOOK[name][1]
        fill = colour if "WS" in name else style.ink("paper")
        # The four variants of one batch size stand side by side, so that their dots do not hide each other.
        points = [
            (column + 0.06 * (place - 1.5), dots)
            for column, batch in enumerate(BATCHES)
            if (dots := scores(norm_study.BATCH_SIZE, name, batch=batch))
        ]
        for x, dots in points:
            ax.plot([x] * len(dots), dots, "o", color=colour, mfc=fill, ms=4.5)
        if points:
            ax.plot([x for x, _ in points], [mean(dots) for _, dots in points], line[1:], color=colour, linewidth=1.5)
            ends.append((mean(points[-1][1]), len(BATCHES) - 0.85, name, colour))
    _label_apart(ax, ends, gap=0.06)
    ax.set_xticks(range(len(BATCHES)), [str(batch) for batch in BATCHES])
    ax.set(xlabel="batch size (no runs between 32 and 256)", ylabel="test accuracy, %", xlim=(-0.4, len(BATCHES) - 0.1))
    return fig


def _label_apart(ax: Axes, ends: list[tuple[float, float, str, str]], gap: float) -> None:
    """Label lines, given as (y, x, name, colour) of their right ends, at least ``gap`` of the axis apart."""
    low, high = ax.get_ylim()
    height = -float("inf")
    for y, x, name, colour in sorted(ends):
        height = max(y, height + gap * (high - low))
        style.label(ax, x, height, name, colour, xytext=(8, 0))


# ---- Transfer -------------------------------------------------------------------------------------------------------


def _transfer_caption() -> str:
    records = runs.load(norm_transfer.UPSTREAM) + runs.load(norm_transfer.TRANSFER)
    return (
        "Measured: the four variants of a small network (R14x0.25) after three epochs of Tiny ImageNet (left, its "
        "validation images) and fine-tuned on ten CIFAR-10 images of each class (right, all test images). A dot is "
        "one pre-training, or "
        "one pair of pre-training and few-shot subset; the bar is the mean. " + runs.provenance(records)
    )


def _transfer_alt() -> str:
    if not runs.load(norm_transfer.TRANSFER):
        return "An empty place: the runs of this figure have not been made."
    parts = []
    for name in VARIANTS:
        up, down = scores(norm_transfer.UPSTREAM, name), scores(norm_transfer.TRANSFER, name)
        parts.append(f"{name} {mean(up):.1f} and {mean(down):.1f}" if up and down else f"{name} not measured")
    return f"Mean accuracy in percent upstream and after transfer: {'; '.join(parts)}."


@figure("norm-transfer-measured", caption=_transfer_caption, alt=_transfer_alt)
def transfer() -> Figure:
    """Draw the transfer study: accuracy upstream and downstream of the four variants."""
    if not runs.load(norm_transfer.TRANSFER):
        return _empty("transfer")
    fig, panels = style.new(7.2, 3.4, columns=2)
    studies = (
        (norm_transfer.UPSTREAM, "upstream: Tiny ImageNet"),
        (norm_transfer.TRANSFER, "downstream: CIFAR-10, 10 per class"),
    )
    for ax, (experiment, title) in zip(panels, studies, strict=True):
        for place, name in enumerate(VARIANTS):
            dots, colour = sorted(scores(experiment, name)), style.COLOURS[_LOOK[name][0]]
            spots = [place + 0.3 * (rank / max(1, len(dots) - 1) - 0.5) for rank in range(len(dots))]
            fill = colour if "WS" in name else style.ink("paper")
            ax.plot(spots, dots, "o", color=colour, mfc=fill, ms=4.5, alpha=0.8)
            if dots:
                ax.plot([place - 0.28, place + 0.28], [mean(dots)] * 2, color=colour)
                ax.text(place + 0.3, mean(dots), f"{mean(dots):.1f}", color=colour, fontsize=9, va="center")
        ax.set_xticks(range(len(VARIANTS)), [name.replace(" + ", "\n+ ") for name in VARIANTS])
        ax.set(title=title, xlim=(-0.5, 3.9))
    panels[0].set_ylabel("accuracy, %")
    return fig


# ---- Numbers for the text -------------------------------------------------------------------------------------------


def _gap(experiment: str, first: str, second: str, **wanted: object) -> str:
    """Mean of the first variant minus mean of the second, in points, with a sign."""
    one, two = scores(experiment, first, **wanted), scores(experiment, second, **wanted)
    return f"{mean(one) - mean(two):+.1f}".replace("-", "−") if one and two else "(not measured)"


def _paired_gap(first: str, second: str) -> str:
    """Mean and standard deviation of the difference of two variants on the same pre-training seed and subset."""
    by_pair = []
    for name in (first, second):
        norm_kind, standardized = VARIANTS[name]
        records = runs.load(norm_transfer.TRANSFER, norm_kind=norm_kind, standardized=standardized)
        by_pair.append({(r.setting["upstream_seed"], r.setting["subset_seed"]): r.result["top1"] for r in records})
    gaps = [by_pair[0][pair] - by_pair[1][pair] for pair in by_pair[0].keys() & by_pair[1].keys()]
    if len(gaps) < 2:
        return "(not measured)"
    return f"{mean(gaps):+.1f} ± {stdev(gaps):.1f}".replace("-", "−")


def _mean_text(experiment: str, name: str, **wanted: object) -> str:
    dots = scores(experiment, name, **wanted)
    return f"{mean(dots):.1f}" if dots else "(not measured)"


def _extreme(pick: Callable[[list[float]], float], name: str) -> str:
    """Lowest or highest mean of a variant over the batch sizes up to 32."""
    small = [scores(norm_study.BATCH_SIZE, name, batch=batch) for batch in BATCHES if batch <= 32]
    return f"{pick([mean(dots) for dots in small if dots]):.1f}" if any(small) else "(not measured)"


def _quote(id: str, function: Callable[..., str], *args: str, **wanted: object) -> None:
    value(id)(lambda: function(*args, **wanted))


def _register_values() -> None:
    """``norm-bn-2``: mean by variant and batch; ``norm-gap-2``: GN over BN; ``norm-up-gn``, ``norm-down-gn``."""
    short = {"BN": "bn", "BN + WS": "bn-ws", "GN": "gn", "GN + WS": "gn-ws"}
    for name, key in short.items():
        for batch in BATCHES:
            _quote(f"norm-{key}-{batch}", _mean_text, norm_study.BATCH_SIZE, name, batch=batch)
        _quote(f"norm-up-{key}", _mean_text, norm_transfer.UPSTREAM, name)
        _quote(f"norm-down-{key}", _mean_text, norm_transfer.TRANSFER, name)
    for batch in BATCHES:
        _quote(f"norm-gap-{batch}", _gap, norm_study.BATCH_SIZE, "GN", "BN", batch=batch)
        _quote(f"norm-ws-gain-{batch}", _gap, norm_study.BATCH_SIZE, "GN + WS", "GN", batch=batch)
    value("norm-lead-2")(lambda: _gap(norm_study.BATCH_SIZE, "GN", "BN", batch=2).lstrip("+"))
    value("norm-behind-32")(lambda: _gap(norm_study.BATCH_SIZE, "BN", "GN", batch=32).lstrip("+"))
    value("norm-gn-ws-low")(lambda: _extreme(min, "GN + WS"))
    value("norm-gn-ws-high")(lambda: _extreme(max, "GN + WS"))
    _quote("norm-down-gap", _paired_gap, "GN + WS", "BN")
    _quote("norm-down-ws-gain", _paired_gap, "GN + WS", "GN")


_register_values()
