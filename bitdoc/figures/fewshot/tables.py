"""Tables of the few-shot page: the scoreboard, all medians, the rules, how they were chosen, the upstream networks."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from bitdoc.figures import table, value
from bitdoc.figures.fewshot.common import (
    MINIATURE,
    accuracies,
)
from bitdoc.records import runs
from bitdoc.studies.fewshot import scoreboard, which_runs
from bitdoc.training import recipe

ARCHITECTURES = ("R14x0.125", "R26x0.25", "R26x0.5")
#: Share of Tiny ImageNet's training images.
SHARES = ("10%", "100%")


def pretrainings(arch: str, fraction: float, mixup: float = 0.0) -> list[runs.RunRecord]:
    """Pre-trainings of ``arch`` on a share of the images; MixUp marks the recipe with strong regularization."""
    found = runs.load("pretrain", model=arch)
    return [r for r in found if (r.setting.get("fraction"), r.setting.get("mixup", 0)) == (fraction, mixup)]


def _upstream_cells(arch: str, share: str, mixup: float = 0.0) -> list[str]:
    """Validation accuracy of a miniature as it was trained, and the images it saw."""
    found = pretrainings(arch, float(share.rstrip("%")) / 100, mixup)
    if not found:
        return ["not measured yet", ""]
    best = max(found, key=lambda r: r.date)
    s = best.setting
    seen = s["steps"] * s["batch"]
    return [f"{best.result['top1']:.1f}%", f"{seen / 1e6:.2f} million"]


@table(
    "few-shot-upstream",
    caption=(
        "The upstream networks: top-1 accuracy on Tiny ImageNet's 10,000 validation images, and crops seen in training"
    ),
)
def upstream() -> list[list[str]]:
    """One row for each architecture and upstream size."""
    rows = [["network", "upstream images", "validation accuracy", "crops seen"]]
    for arch in ARCHITECTURES:
        for share in SHARES:
            images = f"{round(1000 * float(share.rstrip('%'))):,}"
            rows.append([arch, images, *_upstream_cells(arch, share)])
    for name, arch in (("R26x0.5, strongly regularized", "R26x0.5"), ("R50x1, grown from it", "R50x1")):
        rows.append([name, "100,000", *_upstream_cells(arch, "100%", 0.1)])
    return rows


def regularized_accuracy(arch: str) -> str:
    """Upstream validation accuracy of a network that was trained with strong regularization."""
    found = pretrainings(arch, 1.0, 0.1)
    return f"{found[0].result['top1']:.1f}%" if found else "(not measured yet)"


value("regularized-upstream")(lambda: regularized_accuracy("R26x0.5"))
value("regularized-upstream-grown")(lambda: regularized_accuracy("R50x1"))


for _mixup in (0.0, 0.1):
    value(f"upstream-loss-{_mixup:g}")(lambda m=_mixup: f"{pretrainings('R26x0.5', 1.0, m)[0].curve['loss'][-1]:.1f}")


@table(
    "few-shot-scoreboard",
    caption=(
        "What Fig. 6 of the paper shows, and whether it is found again with R26x0.5. Points of accuracy: mean of the "
        "differences between runs on the same subset, with its 95% interval. *Open*: the interval allows either answer"
    ),
)
def board() -> list[list[str]]:
    """One row a behavior: asked, published, measured, verdict."""
    rows = [["behavior", "the paper", "here", "found again"]]
    return rows + [[b.asked, b.published, b.measured, f"**{b.agrees}**"] for b in scoreboard.behaviors()]


@table(
    "few-shot-medians",
    caption="CIFAR-10 top-1 accuracy in percent by examples per class: median of five subsets, lowest and highest run",
)
def medians() -> list[list[str]]:
    """One row for each way to begin, one column for each number of examples."""
    names = {
        which_runs.SHIPPED: "R26x0.5 from Tiny ImageNet",
        MINIATURE: "R26x0.5 from random weights",
        "BiT-T-R50x3": "R50x3 grown from R50x1",
        "BiT-T-R50x1": "R50x1 from Tiny ImageNet",
        "R50x3": "R50x3 from random weights",
    }
    rows = [["network", *(str(k) for k in which_runs.SHOTS)]]
    for model, name in names.items():
        cells = [accuracies(model, k) for k in which_runs.SHOTS]
        texts = [f"{statistics.median(c):.1f} ({min(c):.1f}–{max(c):.1f})" if c else "not measured" for c in cells]
        rows.append([name, *texts])
    return rows


@table("few-shot-rules", caption="BiT-HyperRule for a small task of 32-pixel images, and what is left of it here")
def rules() -> list[list[str]]:
    """The three recipes for 10 classes at 5 examples each, setting by setting."""
    # Each recipe, and what it is from random weights.
    columns = (
        (recipe.rule(50, (32, 32)), recipe.rule(50, (32, 32))),
        (recipe.miniature(50), recipe.miniature(50, **recipe.FROM_SCRATCH)),
        (recipe.thumbnail(50), recipe.thumbnail(50, **recipe.THUMBNAIL_FROM_SCRATCH)),
    )

    def row(name: str, show: Callable[[recipe.Recipe], str]) -> list[str]:
        pairs = [(show(usual), show(scratch)) for usual, scratch in columns]
        return [name, *(a if a == b else f"{a} (random weights: {b})" for a, b in pairs)]

    return [
        ["", "rule", "miniature", "thumbnail (R50x3 here)"],
        row("images resized to, cropped to", lambda r: f"{r.resize}, {r.crop} pixels"),
        row("steps, warm-up among them", lambda r: f"{r.schedule[-1]}, {r.schedule[0]}"),
        row("tenfold drops after steps", lambda r: ", ".join(str(step) for step in r.schedule[1:-1])),
        row("images in a step", lambda r: str(r.batch)),
        row("peak learning rate", lambda r: f"{r.base_lr:g}"),
        row("MixUp, weight decay", lambda r: "none" if r.mixup == 0 else f"{r.mixup}, none"),
        row("images processed", lambda r: f"{r.schedule[-1] * r.batch:,}"),
    ]


@table(
    "few-shot-choice",
    caption=(
        "How the miniature's settings were chosen: mean top-1 accuracy in percent on 2,000 CIFAR-10 training images "
        "held out for it, by learning rate, by the size to which images are enlarged before a square of 64 pixels is "
        "cropped, and by interpolation. In use is the best of each start at five examples: 0.01, bicubic, no crop for "
        "pre-trained weights; 0.03, bilinear, with crops from 80 pixels for random ones."
    ),
)
def choice() -> list[list[str]]:
    """Mean held-out accuracy of the two subsets that saw every setting, by network, examples per class and setting."""
    trials = runs.load("few-shot-choice", method="fine-tune")
    trials = [r for r in trials if r.setting["subset_seed"] in (0, 1) and r.model in (which_runs.SHIPPED, MINIATURE)]
    rows = [["start", "examples per class", "enlarged to", "learning rate: accuracy"]]
    cases = runs.group(trials, lambda r: (r.model, r.setting["examples_per_class"], _enlarged(r)))
    for (model, shots, side), group in sorted(cases.items()):
        means = {x: statistics.mean(r.result["top1"] for r in g) for x, g in runs.group(group, "base_lr").items()}
        start = "pre-trained" if model.startswith("BiT-") else "random"
        rows.append(
            [start, str(shots), side, ", ".join(f"{rate:g}: {mean:.1f}" for rate, mean in sorted(means.items()))]
        )
    return rows


def _enlarged(record: runs.RunRecord) -> str:
    """To what size a trial enlarged its images, and how; the first trials knew bilinear interpolation only."""
    return f"{record.setting['resize']}, {record.setting.get('interpolation', 'bilinear')}"
