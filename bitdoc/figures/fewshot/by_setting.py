"""What the short rule costs: accuracy with other numbers of steps and other sides than the miniature's."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, value
from bitdoc.figures.style import COLOURS, by_width, headline, ink, new, plain
from bitdoc.records import runs
from bitdoc.studies.fewshot import longer, scoreboard, short_rule, which_runs

#: The larger network of the study.
LARGER = "BiT-T-R50x1"


def _found(model: str) -> list[runs.RunRecord]:
    records = runs.load(short_rule.EXPERIMENT, model=model)
    alike = set(which_runs.COMPARABLE) - {"resize", "crop", "schedule"}
    runs.require_same(records, *alike)
    return records


def by_subset(steps: int, side: int, model: str = which_runs.SHIPPED) -> dict[int, float]:
    """Held-out accuracy in percent of the runs with so many steps at ``side`` pixels, by the seed of their subset."""
    found = [r for r in _found(model) if (r.setting["schedule"][-1], r.setting["crop"]) == (steps, side)]
    return {r.setting["subset_seed"]: r.result["top1"] for r in found}


def gain(steps: int, side: int) -> scoreboard.Estimate | None:
    """What a setting brings R26x0.5 over the miniature's, in points, subset by subset."""
    return scoreboard.gain(by_subset(steps, side), by_subset(short_rule.USUAL_STEPS, short_rule.USUAL_SIDE))


def differences(steps: int, side: int, model: str) -> list[float]:
    """What a setting brings over the miniature's on each subset, in points."""
    usual, other = by_subset(short_rule.USUAL_STEPS, short_rule.USUAL_SIDE, model), by_subset(steps, side, model)
    return [other[seed] - usual[seed] for seed in sorted(usual.keys() & other.keys())]


def _mean(points: list[float]) -> str:
    return f"{statistics.fmean(points):+.1f}".replace("-", "−") if points else ""


def _panel(ax: Axes, places: tuple[int, ...], setting: Callable[[int], tuple[int, int]], usual: int) -> None:
    """Runs of both networks by one of the two settings."""
    for model, mark, side in ((which_runs.SHIPPED, "o", -1), (LARGER, "s", 1)):
        _line(ax, places, setting, usual, model, mark, side)
    ax.set_xscale("log")
    ax.set_xticks(places, [str(place) for place in places])
    ax.minorticks_off()
    ax.set_xlim(places[0] / 1.3, places[-1] * 1.3)
    ax.grid(axis="y")
    plain(ax.xaxis)


def _line(
    ax: Axes,
    places: tuple[int, ...],
    setting: Callable[[int], tuple[int, int]],
    usual: int,
    model: str,
    mark: str,
    side: int,
) -> None:
    """Runs of one network: dots, a line through the medians, and above or below the gains over the miniature."""
    made = {place: list(by_subset(*setting(place), model).values()) for place in places}
    made = {place: dots for place, dots in made.items() if dots}
    level = "bottom" if side > 0 else "top"
    for place, dots in made.items():
        colour = COLOURS["purple" if place == usual else "blue"]
        ax.plot([place] * len(dots), dots, mark, color=colour, alpha=0.35, markersize=4, mew=0)
        text = model.removeprefix("BiT-T-") if place == usual else _mean(differences(*setting(place), model))
        at = max(dots) if side > 0 else min(dots)
        ax.annotate(text, (place, at), (0, 9 * side), textcoords="offset points", ha="center", va=level, color=ink())
    medians = [statistics.median(dots) for dots in made.values()]
    ax.plot(list(made), medians, "-", color=COLOURS["grey"], lw=1.2, zorder=0)
    ax.plot(list(made), medians, "_", color=COLOURS["grey"], markersize=12)


def _measured_how() -> str:
    both = [_found(model) for model in (which_runs.SHIPPED, LARGER)]
    subsets = [len({r.setting["subset_seed"] for r in found}) for found in both]
    return (
        f"Dots are runs on {subsets[0]} subsets (R26x0.5) and at most {subsets[1]} (R50x1), judged on 2,000 CIFAR-10 "
        "training pictures that no run trains on; lines join medians. A number is the mean of what a setting adds on "
        f"the same subset. The learning rate is the miniature's everywhere. {runs.provenance(both[0] + both[1])}"
    )


def _settings() -> list[tuple[str, int, int]]:
    steps = [(f"{steps} steps", steps, short_rule.USUAL_SIDE) for steps in short_rule.STEPS]
    return steps + [(f"{side} pixels", short_rule.USUAL_STEPS, side) for side in short_rule.SIDES]


def _alt() -> str:
    told = []
    for model in (which_runs.SHIPPED, LARGER):
        parts = [
            f"{name} {statistics.median(found.values()):.0f}%"
            for name, steps, side in _settings()
            if (found := by_subset(steps, side, model))
        ]
        told.append(f"{model.removeprefix('BiT-T-')}: {', '.join(parts) or 'none yet'}")
    return f"Two charts of held-out accuracy at five examples per class, medians. {'. '.join(told)}."


@figure(
    "few-shot-short-rule",
    caption=(
        "Two networks at five examples of each class: fewer and more steps than the miniature's 100 (left), smaller "
        "and larger pictures than its 64 pixels (right). Purple is the miniature; numbers are gains over it."
    ),
    alt=_alt,
    measured=_measured_how,
)
def drawn() -> Figure:
    """Held-out accuracy by steps and by side, one setting changed at a time."""
    fig, axes = new(7.2, 3.2, 1, 2, (5.6, 1), sharey=True)
    _panel(axes[0], short_rule.STEPS, lambda n: (n, short_rule.USUAL_SIDE), short_rule.USUAL_STEPS)
    _panel(axes[1], short_rule.SIDES, lambda n: (short_rule.USUAL_STEPS, n), short_rule.USUAL_SIDE)
    axes[0].set(xlabel="steps, at 64 pixels", ylabel="held-out accuracy, %", ylim=(22, 58))
    axes[1].set(xlabel="side in pixels, 100 steps", ylabel=by_width("", "held-out accuracy, %"))
    headline(fig, "A hundred steps are almost enough, at the size on which the network learned")
    return fig


def _said(steps: int, side: int) -> str:
    extra = gain(steps, side)
    return "(not measured yet)" if extra is None else f"{extra.mean:+.1f}".replace("-", "−")


for _steps in (25, 500):
    value(f"short-rule-steps-{_steps}")(lambda n=_steps: _said(n, short_rule.USUAL_SIDE))
value("short-rule-side-128")(lambda: _said(short_rule.USUAL_STEPS, 128))
value("short-rule-r50x1-steps-500")(
    lambda: _mean(differences(500, short_rule.USUAL_SIDE, LARGER)) or "(not measured yet)"
)
value("short-rule-r50x1-side-128")(
    lambda: _mean(differences(short_rule.USUAL_STEPS, 128, LARGER)) or "(not measured yet)"
)


def _no_transfer(experiment: str) -> dict[int, runs.RunRecord]:
    """Runs of R26x0.5 from random weights at ten examples, by the seed of their subset."""
    found = runs.load(experiment, model=longer.MODEL, method="fine-tune", examples_per_class=longer.SHOTS)
    return {r.setting["subset_seed"]: r for r in found}


def _fit() -> str:
    """Training loss at the end of the usual runs, mean over subsets."""
    found = _no_transfer(which_runs.EXPERIMENT).values()
    return f"{statistics.fmean(r.curve['loss'][-1] for r in found):.1f}" if found else "(not measured yet)"


def _gain_of_longer() -> str:
    usual, more = (_no_transfer(name) for name in (which_runs.EXPERIMENT, longer.EXPERIMENT))
    found = scoreboard.estimate(more[seed].result["top1"] - usual[seed].result["top1"] for seed in usual.keys() & more)
    return str(found) if found else "(not measured yet)"


value("no-transfer-loss-100")(_fit)
value("no-transfer-gain")(_gain_of_longer)
