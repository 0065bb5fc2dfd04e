"""R50x3 grown from R50x1, beside that parent and random weights: numbers for the text, and how rates were chosen."""

from __future__ import annotations

import statistics

from bitdoc.figures import table, value
from bitdoc.figures.fewshot.common import points
from bitdoc.records import runs
from bitdoc.studies.fewshot import likeness, which_runs
from bitdoc.training.recipe import Upstream

#: The three networks that are compared here.
GROWN, PARENT, SCRATCH = "BiT-T-R50x3", "BiT-T-R50x1", "R50x3"


def _records_of(model: str) -> list[runs.RunRecord]:
    return runs.load(which_runs.GROWN, model=model, method="fine-tune")


def upstream_accuracy(stage: str) -> float | None:
    """Upstream validation accuracy of the parent, of the grown network at birth and after the noise, and at the end."""
    used = {r.setting["weights_sha256"] for r in _records_of(GROWN)}
    found = [r for r in runs.load("pretrain") if r.setting.get("weights_sha256") in used]
    if found and stage != "trained":
        found = runs.load("grow", name=f"{found[0].name}_{stage}")
    return found[0].result["top1"] if found else None


def _wins() -> str:
    """On how many subsets the grown network beats its parent."""
    case = lambda r: (r.setting["examples_per_class"], r.setting["subset_seed"])  # noqa: E731
    parent = {case(r): r.result["top1"] for r in _records_of(PARENT)}
    grown = {case(r): r.result["top1"] for r in _records_of(GROWN)}
    return str(sum(grown[of] > parent[of] for of in grown.keys() & parent.keys()))


for _stage in ("parent", "birth", "trained"):
    value(f"grown-upstream-{_stage}")(lambda s=_stage: points(upstream_accuracy(s), 0))
value("grown-wins")(_wins)


def _result(experiment: str, choice: Upstream, key: str, stage: str = "") -> float | None:
    """One result of a pre-training, or of a stage of its growth."""
    found = runs.load(experiment, name=choice.tag + stage)
    return found[0].result[key] if found else None


def _number(found: float | None, digits: int) -> str:
    return "–" if found is None else f"{found:.{digits}f}"


@table(
    "few-shot-likeness",
    caption=(
        "R50x3 grown from the R50x1 that saw 3.00 million crops ({numref}`tab-few-shot-upstream`), and that parent, "
        "each trained on for a fifth of a pass at 32 pixels by the recipe of its first training at another peak rate: "
        "top-1 accuracy in percent on Tiny ImageNet's validation pictures at 32 pixels, and likeness of the copies of "
        "a channel. *Noise*, in units of a filter's own spread, is what makes the copies differ"
    ),
)
def alike() -> list[list[str]]:
    """A row for each network that was trained on: accuracy and likeness before and after."""
    rows = [["network", "noise", "rate", "accuracy before", "after", "likeness before", "after"]]
    for choice in (*likeness.PARENTS, *likeness.GROWN):
        before = _number(_result("grow", choice, "top1", "_noise"), 1)
        after = _number(_result("pretrain", choice, "top1"), 1)
        cosines = [_number(_result(likeness.EXPERIMENT, choice, stage), 3) for stage in ("noise", "end")]
        noise = f"{choice.noise:g}" if choice in likeness.GROWN else "–"
        rows.append([choice.model, noise, f"{choice.base_lr:g}", before, after, *cosines])
    return rows


for _stage in ("noise", "end"):
    value(f"likeness-{_stage}")(lambda s=_stage: _number(_result(likeness.EXPERIMENT, likeness.GROWN[0], s), 2))


def diverged(record: runs.RunRecord) -> bool:
    """Whether the training loss ended above where it began, at that of guessing."""
    loss = record.curve["loss"]
    return loss[-1] > loss[0]


@table(
    "few-shot-choice-grown",
    caption=(
        "How the thumbnail recipe's settings were chosen: mean top-1 accuracy in percent on 2,000 CIFAR-10 training "
        "images held out for it, two subsets a number, by learning rate and by the size to which images are enlarged "
        "before a square of 32 pixels is cropped. In use is the best of each network in the mean of its trials: 0.03 "
        "for pre-trained weights; for random ones 0.01, with crops. Where training diverged, its loss ended above that "
        "of guessing"
    ),
)
def choice() -> list[list[str]]:
    """Mean held-out accuracy by network, examples per class, size and learning rate."""
    names = {PARENT: "parent, R50x1", GROWN: "grown, R50x3", SCRATCH: "random weights, R50x3"}
    trials = [r for r in runs.load("few-shot-grown-choice", method="fine-tune") if r.model in names]
    rows = [["network", "examples per class", "enlarged to", "learning rate: accuracy"]]
    cases = runs.group(trials, lambda r: (r.model, r.setting["examples_per_class"], r.setting["resize"]))
    for model, shots, side in sorted(cases, key=lambda case: (list(names).index(case[0]), *case[1:])):
        means = [
            f"{rate:g}: {statistics.mean(r.result['top1'] for r in g):.1f}" + " (diverged)" * all(map(diverged, g))
            for rate, g in sorted(runs.group(cases[model, shots, side], "base_lr").items())
        ]
        rows.append([names[model], str(shots), f"{side}" if side > 32 else "not enlarged", ", ".join(means)])
    return rows if trials else [*rows, ["not measured yet", "", "", ""]]
