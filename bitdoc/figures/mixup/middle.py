"""MixUp where BiT takes it: a pre-trained network that sees its images a hundred times; from run records."""

from __future__ import annotations

from statistics import mean

from bitdoc.figures import table, value
from bitdoc.figures.mixup import common
from bitdoc.figures.mixup.measured import overconfidence
from bitdoc.records import runs
from bitdoc.studies.mixup import middle

_SAME = ("model", "weights_sha256", "schedule", "batch", "base_lr", "crop", "precision", "train_images", "test_images")


def records(alpha: float) -> list[runs.RunRecord]:
    """The runs with one α, all of one kind."""
    found = runs.load(middle.EXPERIMENT)
    runs.require_same(found, *_SAME)
    return [record for record in found if record.setting["mixup"] == alpha]


def gains(alpha: float) -> list[float]:
    """What MixUp adds to the test accuracy, in points, seed by seed."""
    return common.differences(records(0.0), records(alpha))


def average(alpha: float, key: str) -> str:
    """A result, mean over seeds."""
    found = records(alpha)
    return f"{mean(record.result[key] for record in found):.1f}" if found else "not measured"


@table(
    "mixup-middle",
    caption=f"MixUp where BiT takes it: R26x0.5, pre-trained, makes {middle.PASSES} passes over "
    f"{10 * middle.PER_CLASS:,} CIFAR-10 images. Accuracies in percent, means over {len(middle.SEEDS)} seeds; what "
    "MixUp adds, with its 95% interval; and by how many points confidence exceeds accuracy on test images.",
)
def middle_sized() -> list[list[str]]:
    """A row for each α."""
    rows = [["α", "training images", "test images", "MixUp adds", "too sure by"]]
    for alpha in middle.ALPHAS:
        sure = common.signed(overconfidence(found)) if (found := records(alpha)) else "–"
        added = common.gain(gains(alpha)) if alpha else "–"
        rows.append([f"{alpha:g}", average(alpha, "train"), average(alpha, "top1"), added, sure])
    return rows


for _alpha in middle.ALPHAS:
    value(f"middle-fit-{_alpha:g}")(lambda a=_alpha: average(a, "train"))
    value(f"middle-gain-{_alpha:g}")(lambda a=_alpha: common.gain(gains(a)))
