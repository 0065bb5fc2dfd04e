"""When MixUp helps: measured and published accuracies in one table."""

from __future__ import annotations

from statistics import mean

from bitdoc.figures import table
from bitdoc.figures.mixup import common, memorize, moons
from bitdoc.literature import published
from bitdoc.records import runs
from bitdoc.studies.mixup.memorize import PASSES


@table(
    "mixup-when",
    caption="Test accuracy in percent without and with MixUp; the papers print errors. Own rows: change is the "
    "mean over seeds of paired differences with its 95% interval. PreAct-18 is the pre-activation ResNet-18. Sources: "
    "[1] {cite:p}`zhang2018mixup`, arXiv version 1 (at 90 passes the accuracy without is another paper's); [2] the "
    "authors' code {cite:p}`zhang2018mixupcode`, median of the last ten passes.",
)
def when() -> list[list[str]]:
    """Rows of setting, passes, α, both accuracies, change, source; helped first, then not."""
    header = ["trained on", "passes", "α", "without", "with", "change", "source"]
    ilsvrc, speech = published.MIXUP_ILSVRC.values["ResNet-50"], published.MIXUP_SPEECH.values["LeNet"]
    last = {method: errors[-1] for method, errors in published.MIXUP_CORRUPTED.values[50].items()}
    return [
        header,
        _own("half-moons, 20% flipped labels", "2,000", 1.0, moons.records(0.0), moons.records(1.0)),
        _memorized("2,000 CIFAR-10 images, 40% random labels", 0.4, 8.0),
        _memorized("2,000 CIFAR-10 images", 0.0, 1.0),
        _memorized("the same", 0.0, 8.0),
        _printed("CIFAR-10, 50% random labels, PreAct-18", "–", "32", (last["plain"], last["mixup"]), "[1]"),
        _printed("CIFAR-10, PreAct-18", 200, "1", published.MIXUP_CIFAR_CODE.values[1e-4], "[2]"),
        _printed("CIFAR-100, WRN-28-10", 200, "1", published.MIXUP_CIFAR.values["cifar100"]["WRN-28-10"], "[1]"),
        _printed("ILSVRC-2012, ResNet-50", 200, "0.2", ilsvrc[200], "[1]"),
        _printed("ILSVRC-2012, ResNet-50", 90, "0.2", ilsvrc[90], "[1]"),
        _printed("speech commands, LeNet", "–", "0.2", (speech[0], speech[-1]), "[1]"),
        _own("half-moons, all labels true", "2,000", 1.0, moons.records(0.0, 0.0), moons.records(1.0, 0.0)),
    ]


def _memorized(name: str, noise: float, alpha: float) -> list[str]:
    return _own(name, f"{PASSES}", alpha, memorize.records(noise, 0.0), memorize.records(noise, alpha))


def _own(
    name: str, passes: str, alpha: float, without: list[runs.RunRecord], with_mixup: list[runs.RunRecord]
) -> list[str]:
    if not without or not with_mixup:
        return [name, passes, f"{alpha:g}", "–", "–", "–", "not measured"]
    off, on = (mean(common.by_seed(part, "top1").values()) for part in (without, with_mixup))
    change = common.gain(common.differences(without, with_mixup))
    return [name, passes, f"{alpha:g}", f"{off:.1f}", f"{on:.1f}", change, "own"]


def _printed(name: str, passes: int | str, alpha: str, errors: tuple[float, float], source: str) -> list[str]:
    off, on = (100 - error for error in errors)
    return [name, str(passes), alpha, f"{off:.1f}", f"{on:.1f}", common.signed(on - off), source]
