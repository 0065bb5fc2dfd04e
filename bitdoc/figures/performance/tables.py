"""Tables of the pages that tell what a run needs: which split fits on which card, and how fast the code is."""

from __future__ import annotations

import statistics

from bitdoc.figures import table, value
from bitdoc.network import cost
from bitdoc.records import runs
from bitdoc.studies.fewshot import which_runs
from bitdoc.studies.fewshot.forecast import gigabytes
from bitdoc.training import recipe

#: Memory of common graphics cards, in GB of 2**30 bytes.
CARDS = (8, 12, 16, 24, 40, 80)
NETWORKS = ("R50x1", "R101x1", "R50x3", "R101x3", "R152x2", "R152x4")
PRECISION = "bfloat16"


def measured_peaks() -> dict[tuple[str, int, int], int]:
    """Peak memory in bytes, by architecture, crop and split used, of the few-shot runs made on a graphics card."""
    found: dict[tuple[str, int, int], int] = {}
    for record in runs.load(which_runs.EXPERIMENT, batch=512, precision=PRECISION, processes=1):
        peak, s = record.cost.get("peak_memory_bytes"), record.setting
        if peak and not record.environment["device"].startswith("CPU"):
            key = (record.model.split("-")[-1], s["crop"], s["split_used"])
            found[key] = max(peak, found.get(key, 0))
    return found


def _split(arch: str, crop: int, card: int, peaks: dict[tuple[str, int, int], int]) -> str:
    """Smallest split for ``card`` GB; a star where a measured peak, not the estimate, decides."""
    room = card * 2**30
    for split in (2**i for i in range(10)):
        peak = peaks.get((arch, crop, split))
        if (peak or cost.memory(arch, crop, 512, split, PRECISION).total) <= 0.9 * room:
            return f"{split}*" if peak else str(split)
    return "–"


@table(
    "card-splits",
    caption=(
        "Smallest `--batch_split` for a step of 512 images, by the memory of the card, in bfloat16. Worked out from "
        "parameters and activations by {func}`bitdoc.network.cost.memory`, with a tenth of the card left free; a star "
        "marks a measured peak, a dash a network that does not fit."
    ),
)
def card_splits() -> list[list[str]]:
    """One row a network and resolution, one column a card."""
    peaks = measured_peaks()
    rows = [["network", "crop", *(f"{card} GB" for card in CARDS)]]
    for size in ((32, 32), (224, 224)):
        crop = recipe.rule(100, size).crop
        rows += [[arch, f"{crop} px", *(_split(arch, crop, card, peaks) for card in CARDS)] for arch in NETWORKS]
    return rows


@table(
    "memory-parts",
    caption=(
        "Where the memory of a step of R50x3 goes: 512 crops of 128 pixels, `--batch_split 8`. Worked out, not "
        "measured."
    ),
)
def memory_parts() -> list[list[str]]:
    """The parts in float32 and bfloat16."""
    parts = [cost.memory("R50x3", 128, 512, 8, precision) for precision in ("float32", PRECISION)]
    names = {
        "weights": "weights",
        "momentum": "momentum",
        "gradients": "gradients",
        "filters": "standardized filters and their gradients",
        "activations": "activations of one micro-batch",
        "images": "the whole batch of images",
        "total": "peak",
    }
    rows = [["", "float32", PRECISION]]
    return rows + [[text, *(gigabytes(getattr(part, name)) for part in parts)] for name, text in names.items()]


def benchmark() -> runs.RunRecord | None:
    """The record of the last ``nox -s bench``."""
    found = runs.load("performance")
    return found[0] if found else None


@value("miniature-time")
def miniature_time() -> str:
    """How long the miniature took, median of its runs, with the shipped network and ten images of each class."""
    found = runs.load(which_runs.EXPERIMENT, model=which_runs.SHIPPED, method="fine-tune", examples_per_class=10)
    return f"{statistics.median(r.cost['seconds'] for r in found):.0f} seconds ({found[0].environment['device']})"


@value("performance-where")
def performance_where() -> str:
    """Where and when the comparison was measured."""
    record = benchmark()
    if record is None:
        return "Not measured yet: nox -s bench fills this table."
    return f"{runs.provenance([record])} Beside it: timm {record.setting['timm']}."


@table("performance", caption="The usual way and this package, measured in turn in one run of `nox -s bench`")
def performance() -> list[list[str]]:
    """Each comparison with its goal."""
    rows = [["what", "usual way", "here", "ratio", "goal"]]
    record = benchmark()
    if record is None:
        return [*rows, ["nothing measured yet", "", "", "", ""]]
    e, s, o, m = (record.result[key] for key in ("evaluation", "step", "overhead", "memory"))
    what = "evaluation, R50x1, 128 px, batch 32, float32"
    images = [f"{e['timm']:.1f} images/s", f"{e['bitdoc']:.1f} images/s", f"{e['ratio']:.2f}", "≥ 1.4"]
    rows.append([what, *images])
    if "compiled" in e:
        more = [f"{e['timm']:.1f} images/s", f"{e['compiled']:.1f} images/s", f"{e['compiled_ratio']:.2f}", ""]
        rows.append(["the same, compiled and frozen", *more])
    step = [f"{s['per_micro_batch']:.1f} s", f"{s['once']:.1f} s", f"{s['ratio']:.2f}", "≥ 1.5"]
    rows.append(["optimizer step, R50x3, 64 px, batch 32, split 8", *step])
    fused = [f"{s['fused']:.1f} s", f"{s['once']:.1f} s", f"{s['fused_ratio']:.2f}", ""]
    rows.append(["the same beside one fused call for every micro-batch", *fused])
    rows.append(["few-shot step outside the network", "", f"{o['milliseconds']:.1f} ms", "", "< 2 ms"])
    allowed = m["step"] / m["ratio"]
    peak = [gigabytes(allowed), gigabytes(m["step"]), f"{m['ratio']:.2f}", "≤ 1.15"]
    rows.append(["peak of that step; first micro-batch, gradients and momentum", *peak])
    return rows


def _share(name: str) -> str:
    record = benchmark()
    if record is None or name not in record.result["evaluation"]:
        return "(not measured yet)"
    share = record.result["evaluation"][name]
    if share is None or share > 1:  # the limit was measured slower than what it limits
        return "(not known: in this run matrices were multiplied more slowly than the network computed)"
    return f"{100 * share:.0f}%"


@value("matmul-share")
def matmul_share() -> str:
    """Share of the machine's matrix-multiply rate that evaluation reaches."""
    return _share("share_of_matmul_rate")


@value("matmul-share-compiled")
def matmul_share_compiled() -> str:
    """The same, compiled and frozen."""
    return _share("compiled_share_of_matmul_rate")


@value("gradient-gap")
def gradient_gap() -> str:
    """Relative difference of the two ways' gradients."""
    record = benchmark()
    return f"{record.result['step']['gradient_gap']:.0e}" if record else "(not measured yet)"
