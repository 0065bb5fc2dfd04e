"""What the measured figures of this page share: the colors of α, paired gains with their interval, an empty place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import style
from bitdoc.records import runs

#: Color of each α in every measured figure; 0 is training without MixUp.
COLOURS = {0.0: "grey", 0.1: "blue", 0.4: "green", 1.0: "orange", 8.0: "purple", 32.0: "sky"}
#: 97.5% quantile of Student's t by the number of pairs.
_QUANTILE = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}


def colour(alpha: float) -> str:
    """Color of α in the theme in use."""
    return style.COLOURS[COLOURS[alpha]]


def signed(number: float) -> str:
    """A number with its sign and one digit: ``"+2.0"``, ``"−0.3"``."""
    return f"{number:+.1f}".replace("-", "−")


def interval(differences: Sequence[float]) -> float | None:
    """Half the width of the 95% confidence interval of a mean of 2 to 5 differences (Student's t); None for one."""
    if len(differences) < 2:
        return None
    return _QUANTILE[len(differences)] * stdev(differences) / math.sqrt(len(differences))


def gain(differences: Sequence[float]) -> str:
    """Mean difference and its 95% interval: ``"+2.0 ± 0.5"``; ``"not measured"`` without any."""
    if not differences:
        return "not measured"
    half = interval(differences)
    return signed(mean(differences)) + ("" if half is None else f" ± {half:.1f}")


def by_seed(records: Sequence[runs.RunRecord], key: str) -> dict[int, float]:
    """A result of each record by its seed."""
    return {record.setting["seed"]: record.result[key] for record in records}


def differences(
    without: Sequence[runs.RunRecord], with_mixup: Sequence[runs.RunRecord], key: str = "top1"
) -> list[float]:
    """What MixUp adds to a result, seed by seed, for the seeds that both have."""
    off, on = by_seed(without, key), by_seed(with_mixup, key)
    return [on[seed] - off[seed] for seed in sorted(off.keys() & on.keys())]


def show_curves(ax: Axes, records: Sequence[runs.RunRecord], x: str, y: str, color: str, **options) -> float:
    """Draw the mean of the records' curves and a band from the lowest to the highest; return where it ends."""
    curves = np.array([record.curve[y] for record in records])
    places = records[0].curve[x]
    ax.fill_between(places, curves.min(0), curves.max(0), color=color, alpha=0.15, linewidth=0)
    ax.plot(places, curves.mean(0), color=color, **options)
    return float(curves[:, -1].mean())


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]], x: float, apart: float = 0.075) -> None:
    """Label lines at their right end ``x``: ``(y, text, color)`` each, moved apart where they would collide."""
    low, high = ax.get_ylim()
    ends = sorted(ends)
    heights: list[float] = []
    for y, _, _ in ends:
        heights.append(max(y, heights[-1] + apart * (high - low)) if heights else y)
    up = mean(height - y for height, (y, _, _) in zip(heights, ends, strict=True))  # by which they rose on average
    for height, (_, text, color) in zip(heights, ends, strict=True):
        style.label(ax, x, height - up, text, color)


def provenance(records: Sequence[runs.RunRecord], command: str) -> str:
    """Where and when the runs were made, or how to make them."""
    return f"Measured: {runs.provenance(records)}" if records else f"Not measured yet; `{command}` fills it."


def empty_place(command: str) -> Figure:
    """A figure without its runs."""
    fig, ax = style.new(7.2, 1.6, narrow=(2.0, 1))
    ax.set(xticks=(), yticks=(), facecolor=style.ink("wash"))
    ax.text(0.5, 0.5, f"No runs yet. To measure:\n{style.wrapped(command)}", ha="center", va="center")
    return fig


NOTHING = "An empty place: the runs of this figure have not been made."
