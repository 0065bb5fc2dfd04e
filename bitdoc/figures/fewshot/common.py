"""What the few-shot figures share: runs checked to be comparable, dots and medians, the empty place."""

from __future__ import annotations

from matplotlib.axes import Axes

from bitdoc.figures.style import label
from bitdoc.records import runs
from bitdoc.studies.fewshot import which_runs

#: Architecture of the miniature; as a model, it starts from random weights.
MINIATURE = which_runs.SHIPPED.removeprefix("BiT-T-")


def records_of(model: str, method: str = "fine-tune") -> list[runs.RunRecord]:
    """Runs of one model adapted in one way, checked to be comparable."""
    records = runs.load(which_runs.EXPERIMENT, model=model, method=method)
    runs.require_same(records, *which_runs.COMPARABLE)
    return records


def accuracies(model: str, shots: int) -> list[float]:
    """Accuracies, in percent, of all fine-tunings of one model at one number of examples per class."""
    return [r.result["top1"] for r in records_of(model) if r.setting["examples_per_class"] == shots]


def median(model: str, shots: int) -> float | None:
    """Their median; None before the runs are made."""
    return which_runs.medians(records_of(model)).get(shots)


def median_text(model: str, shots: int, method: str = "fine-tune") -> str:
    """Median accuracy of a model adapted in one way, for the text."""
    middle = which_runs.medians(records_of(model, method))
    return f"{middle[shots]:.1f}%" if shots in middle else "not measured yet"


def points(high: float | None, low: float | None) -> str:
    """Difference of two accuracies for the text, if both are there."""
    return "(not measured yet)" if high is None or low is None else f"{high - low:.1f}".replace("-", "−")


def times(high: float | None, low: float | None) -> str:
    """How many times one accuracy is another, for the text, if both are there."""
    return "(not measured yet)" if high is None or low is None else f"{high / low:.1f}"


def draw_runs(ax: Axes, records: list[runs.RunRecord], colour: str, text: str, **options) -> None:
    """One light dot a run, a line through the medians, the label beside its last point."""
    shots = [r.setting["examples_per_class"] for r in records]
    ax.plot(shots, [r.result["top1"] for r in records], "o", color=colour, alpha=0.35, markersize=4, mew=0)
    middle = which_runs.medians(records)
    ax.plot(list(middle), list(middle.values()), "o-", color=colour, markersize=5)
    last = max(middle)
    label(ax, last, middle[last], text, colour, **options)
