"""Sphinx extension: what the planner of a fine-tuning knows before its reader has a network or a card.

``hyperrule.js`` cannot run a network. What memory and time follow from, parameters, activations and operations, is
counted here by :mod:`bitdoc.network.cost` for every network on offer, and written to ``hyperrule-costs.js``, with the
outlines of the boxes and arrows of the figure ``rule-path``, which the planner lights up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from sphinx.application import Sphinx

from bitdoc.network import cost
from bitdoc.network.resnet import count_parameters
from bitdoc.records import runs
from bitdoc.training import hyperrule
from bitdoc.training.recipe import rule

SCRIPT = "hyperrule-costs.js"
#: What can be fine-tuned: the shipped miniature, and the published networks.
MODELS = (
    "BiT-T-R26x0.5",
    *(f"BiT-M-{arch}" for arch in ("R50x1", "R101x1", "R50x3", "R101x3", "R152x2", "R152x4")),
)
PRECISIONS = ("float32", "bfloat16")
_SHAPE = re.compile(r'<g id="rule-([\w-]+)">\s*((?:<path d="[^"]*"[^>]*/?>\s*(?:</path>)?\s*)+)')


def costs(models: Iterable[str] = MODELS) -> dict[str, dict]:
    """Return what each model costs: bytes of its weights and activations, operations of an image, by crop."""
    found = {}
    for model in models:
        arch = model.split("-", 2)[2]
        crops = sorted({rule(examples=1, size=(side, side)).crop for side in (32, 224)})
        found[model] = {
            "weights": 4 * count_parameters(arch, 10),
            "activations": {
                crop: {precision: cost.activations(arch, crop, precision) for precision in PRECISIONS} for crop in crops
            },
            "operations": {crop: cost.operations(arch, crop) for crop in crops},
        }
    return found


def constants() -> dict:
    """Return the numbers that are the same for all: of the rule, and of the estimates."""
    (bench,) = runs.load("performance", name="bench") or [None]
    return {
        "batch": rule(examples=1, size=(32, 32)).batch,
        "limits": [hyperrule.SMALL, hyperrule.MEDIUM],
        "share": cost.SHARE,
        "cpuRate": bench.result["evaluation"]["matmul_rate"] if bench else None,
    }


def outlines(picture: Path) -> dict:
    """Return the frame of a drawn ``rule-path``, and the outline of each of its boxes and arrows by name."""
    svg = picture.read_text(encoding="utf-8")
    parts = {name: re.findall(r'd="([^"]*)"', paths) for name, paths in _SHAPE.findall(svg)}
    frame = re.search(r'viewBox="([^"]*)"', svg)
    return {
        "frame": frame[1] if frame else "",
        "parts": {n: [" ".join(d.split()) for d in p] for n, p in parts.items()},
    }


def write_script(app: Sphinx, error: Exception | None) -> None:
    """Put the numbers among the site's static files; they are kept with the figures, under the same digest."""
    if error is not None or app.builder.format != "html":
        return
    cache = Path(app.config.bitfig_cache)
    kept = cache / "hyperrule-costs.json"
    if not kept.exists():
        kept.write_text(json.dumps({"models": costs(), **constants()}), encoding="utf-8")
    drawn = {path.name.replace("-light", ""): outlines(path) for path in sorted(cache.glob("rule-path-light*.svg"))}
    known = json.loads(kept.read_text(encoding="utf-8")) | {"drawn": drawn}
    script = f"window.bitHyperRuleCosts = {json.dumps(known, separators=(',', ':'))};\n"
    (Path(app.outdir) / "_static" / SCRIPT).write_text(script, encoding="utf-8")


def setup(app: Sphinx) -> dict:
    """Register the hook."""
    app.connect("build-finished", write_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
