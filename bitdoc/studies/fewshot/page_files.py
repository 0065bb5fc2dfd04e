"""The files that the few-shot learner in the page loads: pictures and features, and the network's weights.

They are scripts that hand over one object, because a page opened from disk may load a script but not fetch a file.
Weights stand in them as text, four bytes in five characters (base 85); features as a letter each, which a server packs
well. They are made when the site is built, from what the package ships, so that new weights and features are in the
page at once.
"""

from __future__ import annotations

import base64
import json
import statistics
import string
from typing import Any

import numpy as np
from torch import nn

from bitdoc.literature import published
from bitdoc.network import weights
from bitdoc.network.norms import StdConv2d, standardize
from bitdoc.network.resnet import ResNetV2
from bitdoc.records import runs
from bitdoc.studies.fewshot import which_runs
from bitdoc.studies.fewshot.ten_pictures import NETWORKS, TenPictures

#: Convolutions whose filters keep 16 bits; together they hold a fourteenth of the weights. With 8 bits in all, logits
#: are off by 2% of the largest.
WIDE = ("root.", "stages.0.", "stages.1.")


#: A letter for each of 64 steps: the first of base 85's.
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase + "!#"


def base85(content: bytes) -> str:
    """``content``, filled up with zeros to whole groups of four bytes, as text without quotes or backslashes."""
    return base64.b85encode(content + bytes(-len(content) % 4)).decode("ascii")


def letters(codes: np.ndarray) -> str:
    """8-bit numbers as letters, rounded to 64 steps; heads learned from them name nearly every picture the same."""
    steps = np.round(codes.astype(np.float64) / 255 * (len(LETTERS) - 1)).astype(np.intp)
    return np.array(list(LETTERS))[steps.ravel()].astype("S1").tobytes().decode("ascii")


def filters(conv: StdConv2d, bits: int) -> np.ndarray:
    """The standardized filters of a convolution ``(out, in, k, k)`` as whole numbers.

    The largest weight of a filter is the largest number; the page standardizes again, so scales need not be kept.
    """
    weight = standardize(conv.weight.detach().float())
    largest = 2 ** (bits - 1) - 1
    scaled = weight / weight.abs().amax((1, 2, 3), keepdim=True) * largest
    return scaled.round().numpy().astype(f"<i{bits // 8}")


def layers(model: ResNetV2) -> list[tuple[str, np.ndarray]]:
    """All layers but the head, which the page replaces by its own: filters, or scale and offset of a norm."""
    found: list[tuple[str, np.ndarray]] = []
    for name, module in model.named_modules():
        if isinstance(module, StdConv2d):
            found.append((name, filters(module, 16 if name.startswith(WIDE) else 8)))
        elif isinstance(module, nn.GroupNorm):
            both = np.stack([p.detach().float().numpy() for p in (module.weight, module.bias)])
            found.append((name, both.astype("<f4")))
    return found


def network_script(name: str = which_runs.SHIPPED) -> str:
    """The body of a shipped network as a script that sets ``window.tenPicturesWeights``."""
    model = weights.load(name)
    content = layers(model)
    head: dict[str, Any] = {
        "model": name,
        "sha256": weights.sha256(weights.find(name)),
        "blocks": model.arch.blocks,
        "groups": model.arch.groups,
        "layers": [[key, list(array.shape), array.dtype.str[1:]] for key, array in content],
        "data": base85(b"".join(array.tobytes() for _, array in content)),
    }
    return f"window.tenPicturesWeights = {json.dumps(head, separators=(',', ':'))};\n"


def curves() -> list[dict[str, Any]]:
    """Accuracy in percent by pictures of each class: published for BiT-S, M and L, measured for the miniature."""
    found = [
        {
            "name": f"BiT-{upstream}",
            "points": [
                [shots, statistics.median(runs_of[upstream])]
                for shots, runs_of in published.FIG6_R50X3_RUNS.values.items()
            ],
        }
        for upstream in "SML"
    ]
    for method, name in (("fine-tune", "fine-tuned"), ("linear-probe", "probe")):
        records = runs.load(which_runs.EXPERIMENT, model=which_runs.SHIPPED, method=method)
        runs.require_same(records, *which_runs.COMPARABLE)
        found.append({"name": name, "points": [[k, v] for k, v in sorted(which_runs.medians(records).items())]})
    return found


def data_script(pictures: TenPictures) -> str:
    """Pictures and curves as a script that sets ``window.tenPicturesData``."""
    about = pictures.about
    content = {key: about[key] for key in ("model", "classes", "pool", "judged", "penalty", "digests")} | {
        "sheet": "data:image/jpeg;base64," + base64.b64encode(pictures.sheet).decode("ascii"),
        "curves": curves(),
    }
    return f"window.tenPicturesData = {json.dumps(content, separators=(',', ':'))};\n"


def features_script(pictures: TenPictures) -> str:
    """Features of both networks as a script that sets ``window.tenPicturesFeatures``."""
    content = {name: letters(getattr(pictures, name)) for name in NETWORKS}
    return f"window.tenPicturesFeatures = {json.dumps(content, separators=(',', ':'))};\n"
