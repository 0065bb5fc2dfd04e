"""Measured here: three ways to use ten or a hundred CIFAR-10 images, and the features before and after."""

from __future__ import annotations

import statistics
import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, value
from bitdoc.records import runs
from bitdoc.studies.fewshot.make_runs import EXPERIMENT as FEW_SHOT
from bitdoc.studies.transfer.feature_map import EXPERIMENT as FEATURE_MAP
from bitdoc.studies.transfer.feature_map import WHEN

MODEL = "BiT-T-R26x0.5"
#: What is compared: the label, the model and the method of its records, and a colour.
WAYS = (
    ("fine-tuned", MODEL, "fine-tune", "blue"),
    ("linear probe", MODEL, "linear-probe", "orange"),
    ("from scratch", MODEL.rpartition("-")[2], "fine-tune", "grey"),
)
_COMMANDS = (
    f"python examples/plot_few_shot_cifar10.py --run --model {MODEL}",
    f"python examples/plot_few_shot_cifar10.py --run --model {MODEL} --method linear-probe",
    f"python examples/plot_few_shot_cifar10.py --run --model {MODEL.rpartition('-')[2]}",
)


def _records(model: str, method: str) -> list[runs.RunRecord]:
    return runs.load(FEW_SHOT, model=model, method=method)


def _all_records() -> list[runs.RunRecord]:
    return [record for _, model, method, _ in WAYS for record in _records(model, method)]


def _accuracies(records: list[runs.RunRecord]) -> dict[int, list[float]]:
    by_shots = runs.group(records, "examples_per_class")
    return {shots: [record.result["top1"] for record in group] for shots, group in by_shots.items()}


def empty_place(ax: Axes, *commands: str) -> None:
    """Say that a measurement is missing, and which commands make it."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, linestyle=(0, (4, 4)), color=style.COLOURS["grey"])
    lines = [
        line
        for command in commands
        for line in ("", *textwrap.wrap(command, style.by_width(52, 36), subsequent_indent="    "))
    ]
    text = "\n".join([style.wrapped("not measured yet; the command that fills this place:", 36), *lines])
    ax.text(0.04, 0.5, text, transform=ax.transAxes, va="center", fontsize=style.by_width(9.5, 8.5))


def _missing() -> dict[str, str]:
    """Ways without a record, and the commands that measure them."""
    ways = zip(WAYS, _COMMANDS, strict=True)
    return {label: command for (label, model, method, _), command in ways if not _records(model, method)}


def _ways_caption() -> str:
    missing = "; ".join(f"{label} (`{command}`)" for label, command in _missing().items())
    return (
        f"{MODEL} has 26 layers of half the usual width and saw Tiny ImageNet, hence the T. A linear probe leaves its "
        "features frozen. Lines join medians over random subsets, bands span them all."
        + (f" Not measured yet: {missing}." if missing else "")
    )


def _ways_alt() -> str:
    medians = {}
    for label, model, method, _ in WAYS:
        medians[label] = {k: statistics.median(v) for k, v in _accuracies(_records(model, method)).items()}
    if not all(medians.values()):
        return "An empty place: not all of the three series of runs have been made yet."
    told = [
        f"{label} {points[min(points)]:.0f} percent with {min(points)} and {points[max(points)]:.0f} with {max(points)}"
        for label, points in medians.items()
    ]
    return "Median accuracy on CIFAR-10 against labeled images per class: " + "; ".join(told) + "."


def _median_at_ten(label: str) -> str:
    _, model, method, _ = next(way for way in WAYS if way[0] == label)
    values = _accuracies(_records(model, method)).get(10)
    return f"{statistics.median(values):.1f}%" if values else "(not measured yet)"


@value("ways-fine-tune")
def fine_tune_at_ten() -> str:
    """Median accuracy of fine-tuning with ten images of each class."""
    return _median_at_ten("fine-tuned")


@value("ways-linear-probe")
def linear_probe_at_ten() -> str:
    """Median accuracy of the linear probe with ten images of each class."""
    return _median_at_ten("linear probe")


@value("ways-scratch")
def scratch_at_ten() -> str:
    """Median accuracy from random weights with ten images of each class."""
    return _median_at_ten("from scratch")


@figure("transfer-ways", caption=_ways_caption, alt=_ways_alt, measured=lambda: runs.provenance(_all_records()))
def ways() -> Figure:
    """Accuracy against examples per class, one line for each way."""
    fig, ax = style.new(5.8, 4.0, narrow=(3.7, 1))
    missing = _missing()
    if len(missing) == len(WAYS):
        empty_place(ax, *missing.values())
        return fig
    for label, model, method, colour in WAYS:
        if label not in missing:
            _draw_way(ax, label, _accuracies(_records(model, method)), style.COLOURS[colour])
    ax.set(xscale="log", xlim=(0.9, style.by_width(19, 27)), xlabel="labeled images per class")
    ax.set_ylabel("top-1 accuracy on CIFAR-10, %")
    ax.set_xticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    ax.minorticks_off()
    ax.grid(axis="y")
    if missing:
        ax.set_title(style.wrapped("Not measured yet: " + ", ".join(missing)))
    else:
        style.headline(fig, "With few images, pre-trained weights lead at every number")
    return fig


def _draw_way(ax: Axes, label: str, accuracies: dict[int, list[float]], colour: str) -> None:
    shots, medians = list(accuracies), [statistics.median(values) for values in accuracies.values()]
    low, high = ([end(values) for values in accuracies.values()] for end in (min, max))
    ax.fill_between(shots, low, high, color=colour, alpha=0.18, lw=0)
    ax.plot(shots, medians, "o-", color=colour)
    # Fine-tuning and probe end close together; their labels stand above and below the ends.
    shift = {"fine-tuned": 7, "linear probe": -7}.get(label, 0)
    style.label(ax, shots[-1], medians[-1], label, colour, fontsize=style.by_width(10, 9), xytext=(6, shift))


#: Examples of each class that the network of the map was fine-tuned on, and those of the run it is compared with.
_MANY, _FEW = 1000, 10


def _map_record(shots: int = _MANY) -> runs.RunRecord | None:
    return next(iter(runs.load(FEATURE_MAP, model=MODEL, examples_per_class=shots)), None)


def _agreement(shots: int, when: str) -> str:
    record = _map_record(shots)
    return f"{record.result['agreement'][when]:.0f}%" if record else "(not measured yet)"


# Quoted on the page: how often an image's nearest neighbor has its class.
value("features-random")(lambda: _agreement(_MANY, "random"))
value("features-pre-trained")(lambda: _agreement(_MANY, "pre-trained"))
value("features-fine-tuned")(lambda: _agreement(_MANY, "fine-tuned"))
value("features-fine-tuned-few")(lambda: _agreement(_FEW, "fine-tuned"))


def _features_caption() -> str:
    record = _map_record()
    if record is None:
        return f"Features of {MODEL} before and after fine-tuning. {runs.provenance([])}"
    return (
        "CIFAR-10 test images in the features of the network of {numref}`fig-transfer-ways`: random, pre-trained, "
        "fine-tuned. Like features lie near each other; the percentage says how often the nearest image has the same "
        "class."
    )


def _features_measured() -> str:
    record = _map_record()
    if record is None:
        return ""
    setting = record.setting
    few = [other for other in (_map_record(_FEW),) if other is not None]
    return (
        f"Fine-tuned on {setting['examples_per_class']:,} other images of each class. The maps lay {setting['drawn']} "
        "images of each class out so that neighbors stay neighbors (t-SNE, {cite:t}`vandermaaten2008visualizing`); far "
        "distances mean nothing. The percentages are not read off the maps: they count the nearest other image, in all "
        f"features, of {setting['test_images']:,} images; guessing gives 10%. {runs.provenance([record, *few])}"
    )


def _features_alt() -> str:
    record = _map_record()
    if record is None:
        return "An empty place: the features have not been measured yet."
    first, second, third = (record.result["agreement"][when] for when in WHEN)
    return (
        "Three maps of the same test images, colored by class. With random weights the colors are mixed, with "
        "pre-trained ones like images draw together, and after fine-tuning several classes form groups of their own. "
        f"The nearest neighbor has the same class for {first:.0f}, {second:.0f} and {third:.0f} percent of the images."
    )


@figure("transfer-features", caption=_features_caption, alt=_features_alt, measured=_features_measured)
def features() -> Figure:
    """Three maps of the same test images, with the share of nearest neighbors that agree."""
    record = _map_record()
    if record is None:
        fig, ax = style.new(5.8, 2.4)
        empty_place(ax, f"python -m bitdoc.studies.transfer.feature_map --model {MODEL} --shots {_MANY}")
        return fig
    fig, axes = style.new(7.2, 3.7, 1, 3, narrow=(7.6, 1))
    style.headline(fig, "Pre-training, then fine-tuning draw images of one class together")
    for ax, when in zip(axes, WHEN, strict=True):
        _draw_map(ax, record, when)
        ax.set_title(f"{when.capitalize()}: {record.result['agreement'][when]:.0f}%")
    handles = axes[0].get_legend_handles_labels()
    columns = style.by_width(5, 3)
    fig.legend(*handles, loc="outside lower center", ncols=columns, fontsize=9, markerscale=1.4, columnspacing=1)
    return fig


def _draw_map(ax: Axes, record: runs.RunRecord, when: str) -> None:
    points, labels = record.result[when], record.result["labels"]
    colours, marks = list(style.COLOURS.values()), "oooooooxxx"
    for label, name in enumerate(record.setting["classes"]):
        x, y = zip(*(point for point, its in zip(points, labels, strict=True) if its == label), strict=True)
        look = {"color": colours[label % len(colours)], "markersize": 3, "linestyle": "none"}
        ax.plot(x, y, marks[label % len(marks)], label=name, **look)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_aspect("equal", adjustable="datalim")
