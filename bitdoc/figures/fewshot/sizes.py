"""The upstream networks of the few-shot page: what they know before they see CIFAR-10."""

from __future__ import annotations

from bitdoc.figures import table
from bitdoc.records import runs

ARCHITECTURES = ("R14x0.125", "R26x0.25", "R26x0.5")
#: Share of Tiny ImageNet's training images.
SHARES = ("10%", "100%")


def _upstream_cells(arch: str, share: str) -> list[str]:
    """Validation accuracy of a miniature as it was trained, and the images it saw."""
    fraction = float(share.rstrip("%")) / 100
    found = [r for r in runs.load("pretrain", model=arch) if r.setting.get("fraction") == fraction]
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
    return rows
