"""Normalization page: what bitdoc measured, accuracy and channels of three norms. Without records: labelled places."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import mean, stdev

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, value
from bitdoc.records import runs
from bitdoc.studies.normalization.batch_size import BATCHES, VARIANTS, chosen

SCRIPT = "python examples/plot_norm_batch_size.py --run"
_LOOK = {"BN": ("blue", "-"), "GN": ("orange", "--"), "GN + WS": ("orange", "-")}
_LARGEST = BATCHES[-1]
#: 97.5% quantile of Student's t by the number of pairs: half the width of a 95% interval, in standard errors.
_T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}


def _empty() -> Figure:
    fig, ax = style.new(7.2, 2.2)
    text = f"This place is empty: the runs have not been made.\n\n{SCRIPT}"
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=10)
    ax.set(xticks=[], yticks=[])
    return fig


def accuracies(name: str, batch: int) -> list[float]:
    """Test accuracies, in percent, of one variant at one batch size and its chosen learning rate."""
    return [record.result["top1"] for record in chosen(name, batch)]


def measured() -> list[int]:
    """Batch sizes at which all variants have runs."""
    return [batch for batch in BATCHES if all(accuracies(name, batch) for name in VARIANTS)]


def inside(name: str, what: str, batch: int = _LARGEST) -> list[list[float]]:
    """``"offset"`` or ``"stuck"``, layer by layer, in the trained networks of one variant; a list for each seed."""
    return [record.curve[what] for record in chosen(name, batch)]


# ---- Accuracy by batch size -----------------------------------------------------------------------------------------


def _accuracy_alt() -> str:
    if not measured():
        return "An empty place: the runs of this figure have not been made."
    parts = [
        f"{name}: " + ", ".join(f"{mean(accuracies(name, batch)):.0f} at {batch}" for batch in measured())
        for name in VARIANTS
    ]
    return f"Mean test accuracy in percent by batch size. {'; '.join(parts)}."


def _shown() -> list[runs.RunRecord]:
    return [record for name in VARIANTS for batch in BATCHES for record in chosen(name, batch)]


def _accuracy_caption() -> str:
    updates = _shown()[0].setting["updates"] if _shown() else "the same number of"
    return (
        f"Measured: accuracy on the 10,000 CIFAR-10 test images of a narrow R14 after {updates} updates, by batch "
        "size. A dot is a run, lines join the means; norm by norm and batch by batch the learning rate is the best of "
        "three or more on 2,000 held-out images. Chance is 10%. " + runs.provenance(_shown())
    )


@figure("norm-batch-size-measured", caption=_accuracy_caption, alt=_accuracy_alt)
def batch_size() -> Figure:
    """Draw the batch-size study: three norms at three batch sizes, after the same number of updates."""
    batches = measured()
    if not batches:
        return _empty()
    fig, ax = style.new(7.2, 3.6)
    ends = []
    for place, name in enumerate(VARIANTS):
        ink, line = style.COLOURS[_LOOK[name][0]], _LOOK[name][1]
        fill = style.ink("paper") if line == "--" else ink
        # The variants of one batch size stand side by side, so that their dots do not hide each other.
        spots = [column + 0.07 * (place - 1) for column in range(len(batches))]
        for spot, batch in zip(spots, batches, strict=True):
            dots = accuracies(name, batch)
            ax.plot([spot] * len(dots), dots, "o", color=ink, mfc=fill, ms=4.5)
        means = [mean(accuracies(name, batch)) for batch in batches]
        ax.plot(spots, means, line, color=ink, linewidth=1.5)
        ends.append((means[-1], len(batches) - 0.9, name, ink))
    _label_apart(ax, ends, gap=0.06)
    ax.set_xticks(range(len(batches)), [str(batch) for batch in batches])
    ax.set(xlabel="batch size", ylabel="test accuracy, %", xlim=(-0.4, len(batches) - 0.3))
    return fig


def _label_apart(ax: Axes, ends: list[tuple[float, float, str, str]], gap: float) -> None:
    """Label lines, given as (y, x, name, color) of their right ends, at least ``gap`` of the axis apart."""
    low, high = ax.get_ylim()
    height = -float("inf")
    for y, x, name, colour in sorted(ends):
        height = max(y, height + gap * (high - low))
        style.label(ax, x, height, name, colour, xytext=(8, 0))


# ---- Inside the trained networks ------------------------------------------------------------------------------------


def _inside_caption() -> str:
    records = [record for name in VARIANTS for record in chosen(name, _LARGEST)]
    return (
        f"Measured: the trained networks of the batch-size study, at a batch of {_LARGEST}, layer by layer from input "
        "to output; only norms that follow a convolution directly. Left: distance of a channel's mean from 0 behind "
        "the norm, before its learned scale and offset, averaged over the channels, in standard deviations. Right: "
        "channels that the ReLU passes for less than 1% or more than 99% of the values. Thin: runs; thick: their mean. "
        + runs.provenance(records)
    )


def _overall(name: str, what: str) -> float:
    return mean(mean(row) for row in inside(name, what))


def _inside_alt() -> str:
    if not inside("GN", "offset"):
        return "An empty place: the runs of this figure have not been made."
    offsets = ", ".join(f"{name} {_overall(name, 'offset'):.2f}" for name in VARIANTS)
    shares = ", ".join(f"{name} {100 * _overall(name, 'stuck'):.0f}" for name in VARIANTS)
    return f"Averaged over the layers, the offset of a channel is {offsets}; stuck channels, in percent: {shares}."


@figure("norm-offset-trained", caption=_inside_caption, alt=_inside_alt)
def trained() -> Figure:
    """Draw offsets and stuck channels over the layers of trained networks."""
    if not all(inside(name, "offset") for name in VARIANTS):
        return _empty()
    fig, panels = style.new(7.2, 3.2, columns=2)
    for ax, what, scale in ((panels[0], "offset", 1), (panels[1], "stuck", 100)):
        ends = []
        for name in VARIANTS:
            ink, line = style.COLOURS[_LOOK[name][0]], _LOOK[name][1]
            rows = [[scale * number for number in row] for row in inside(name, what)]
            layers = range(1, len(rows[0]) + 1)
            for row in rows:
                ax.plot(layers, row, line, color=ink, linewidth=0.6, alpha=0.6)
            means = [mean(column) for column in zip(*rows, strict=True)]
            ax.plot(layers, means, line, color=ink)
            ends.append((means[-1], float(layers[-1]), name, ink))
        _label_apart(ax, ends, gap=0.09)
        ax.set(xlabel="layer", xlim=(1, len(layers) + 2.4))
        ax.set_xticks(layers)
    panels[0].set(ylabel="offset of a channel")
    panels[1].set(ylabel="channels stuck, %")
    return fig


# ---- Numbers for the text -------------------------------------------------------------------------------------------


def gain(name: str, other: str, batch: int) -> str:
    """Points by which ``name`` leads ``other`` at one batch size: mean over seeds, and its 95% interval."""
    pairs = [
        {record.setting["seed"]: record.result["top1"] for record in chosen(variant, batch)}
        for variant in (name, other)
    ]
    gaps = [pairs[0][seed] - pairs[1][seed] for seed in pairs[0].keys() & pairs[1].keys()]
    if len(gaps) not in _T95:
        return "(not measured)"
    half = _T95[len(gaps)] * stdev(gaps) / math.sqrt(len(gaps))
    middle = mean(gaps)
    return f"{middle:.1f} points (95% interval {middle - half:.1f} to {middle + half:.1f})".replace("-", "−")


def _mean_accuracy(name: str, batch: int) -> str:
    dots = accuracies(name, batch)
    return f"{mean(dots):.1f}" if dots else "(not measured)"


def _inside_text(name: str, what: str, scale: float, digits: int) -> str:
    return f"{scale * _overall(name, what):.{digits}f}" if inside(name, what) else "(not measured)"


def _quote(id: str, function: Callable[..., str], *args: object) -> None:
    value(id)(lambda: function(*args))


def _register_values() -> None:
    """``norm-acc-gn-ws-2``: accuracy; ``norm-gain-ws-2``: GN + WS over GN; ``norm-gain-bn-2``: GN over BN; ...

    ``norm-trained-offset-gn`` and ``norm-trained-stuck-gn``: means over the layers of the trained networks.
    """
    short = {"BN": "bn", "GN": "gn", "GN + WS": "gn-ws"}
    for name, key in short.items():
        for batch in BATCHES:
            _quote(f"norm-acc-{key}-{batch}", _mean_accuracy, name, batch)
        _quote(f"norm-trained-offset-{key}", _inside_text, name, "offset", 1, 2)
        _quote(f"norm-trained-stuck-{key}", _inside_text, name, "stuck", 100, 0)
    for batch in BATCHES:
        _quote(f"norm-gain-ws-{batch}", gain, "GN + WS", "GN", batch)
        _quote(f"norm-gain-gn-{batch}", gain, "GN", "BN", batch)
        _quote(f"norm-gain-gn-ws-{batch}", gain, "GN + WS", "BN", batch)


_register_values()
