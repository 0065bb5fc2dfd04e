"""The names that a BiT network's tensors have here, in timm and in transformers, and the way from each to the other.

timm's are those of its ``resnetv2_50x1_bit`` and kin, transformers' those of ``BitForImageClassification``, or, without
``bit.`` before them, of ``BitModel``. The shapes are the same, but for timm's head, a 1x1 convolution.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from bitdoc.network.norms import WS_EPS, StdConv2d
from bitdoc.network.resnet import DEPTHS, ResNetV2, build
from bitdoc.network.weights import WeightsError

#: Epsilon in the weight standardization of timm's BiT networks and of transformers' (``eps=1e-8`` in both).
THEIR_EPS = 1e-8
#: Layouts by name; the official files have one more, which :mod:`bitdoc.network.weights` reads.
LAYOUTS = ("bitdoc", "timm", "transformers")

#: A tensor of each layout's root, by which the layout is known.
_ROOTS = {"bitdoc": "root.conv", "timm": "stem.conv", "transformers": "bit.embedder.convolution"}
_HEADS = {"bitdoc": "head", "timm": "head.fc", "transformers": "classifier.1"}
_NORMS = {"bitdoc": "norm", "timm": "norm", "transformers": "bit.norm"}
_UNITS = {"bitdoc": "stages.{}.{}", "timm": "stages.{}.blocks.{}", "transformers": "bit.encoder.stages.{}.layers.{}"}
_PARTS = {f"{kind}_{x}": f"{kind}{n}" for kind in ("norm", "conv") for n, x in enumerate("abc", 1)}
_PARTS["proj"] = "downsample.conv"


def renamed(parameter: str, layout: str) -> str:
    """What ``layout`` calls a parameter: ``stages.0.2.conv_a.weight`` is ``stages.0.blocks.2.conv1.weight`` in timm."""
    place, _, kind = parameter.rpartition(".")
    if layout == "bitdoc":
        return parameter
    for names in (_ROOTS, _HEADS, _NORMS):
        if place == names["bitdoc"]:
            return f"{names[layout]}.{kind}"
    match = re.fullmatch(r"stages\.(\d+)\.(\d+)\.(\w+)", place)
    if not match or match[3] not in _PARTS:
        raise WeightsError(f"no other layout has a place for {parameter!r}")
    return f"{_UNITS[layout].format(match[1], match[2])}.{_PARTS[match[3]]}.{kind}"


def state(model: ResNetV2, layout: str) -> dict[str, Tensor]:
    """All tensors of a network under the names of ``layout``, sharing its memory.

    Raises
    ------
    WeightsError
        If the network is not BiT's: without group norm or without weight standardization.
    """
    if not (isinstance(model.norm, nn.GroupNorm) and isinstance(model.root.conv, StdConv2d)):
        raise WeightsError("only BiT's own networks can be exported: with group norm and weight standardization")
    tensors = {renamed(name, layout): value.detach() for name, value in model.state_dict().items()}
    if layout == "timm" and model.classes:
        tensors["head.fc.weight"] = tensors["head.fc.weight"][:, :, None, None]
    return tensors


def guess(names: Iterable[str], where: str) -> str:
    """The layout that tensors called ``names`` are in: a key of :data:`LAYOUTS`, or ``"official"``.

    Raises
    ------
    WeightsError
        If they are no BiT network's in any of them.
    """
    names = set(names)
    for layout, root in _ROOTS.items():
        if {f"{root}.weight", f"{root.removeprefix('bit.')}.weight"} & names:
            return layout
    if "resnet/root_block/standardized_conv2d/kernel" in names:
        return "official"
    few = ", ".join(sorted(names)[:2]) or "no tensor"
    raise WeightsError(f"{where} is no BiT network of bitdoc's, timm's or transformers' making: it holds {few}, ...")


def network(tensors: Mapping[str, Tensor], layout: str, where: str) -> ResNetV2:
    """The network whose tensors a file in ``layout`` holds, in evaluation mode; without a head if they have none.

    Raises
    ------
    WeightsError
        If they are not exactly those of one architecture, or have values that are not finite.
    """
    if layout == "transformers" and not any(name.startswith("bit.") for name in tensors):
        tensors = {f"bit.{name}": value for name, value in tensors.items()}
    head = tensors.get(f"{_HEADS[layout]}.weight")
    classes = 0 if head is None else len(head)
    arch = _architecture(tensors, layout, where)
    with torch.device("meta"):
        model = build(arch, classes)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    theirs = {name: renamed(name, layout) for name in shapes}
    wrong = [name for name, other in theirs.items() if other in tensors and not _fits(tensors[other], shapes[name])]
    missing, extra = set(theirs.values()) - tensors.keys(), tensors.keys() - set(theirs.values())
    for what, found in (
        ("lacks", missing),
        ("has, unexpected,", extra),
        ("has of another shape", map(theirs.get, wrong)),
    ):
        if few := sorted(map(str, found))[:2]:
            raise WeightsError(f"{where} does not fit {arch}: it {what} {', '.join(few)}")
    ready = {name: tensors[other].to(torch.float32) for name, other in theirs.items()}
    ready = {name: value.flatten(1) if name == "head.weight" else value for name, value in ready.items()}
    if unsound := [name for name, value in ready.items() if not value.isfinite().all()]:
        raise WeightsError(f"{where} has values that are not finite in {theirs[unsound[0]]}; it is of no use")
    model.load_state_dict({name: value.contiguous() for name, value in ready.items()}, assign=True)
    return model.eval()


def _fits(value: Tensor, shape: torch.Size) -> bool:
    return value.shape == shape or (len(shape) == 2 and value.shape == (*shape, 1, 1))  # a head, as a convolution


def _architecture(tensors: Mapping[str, Tensor], layout: str, where: str) -> str:
    """Depth by the blocks in each stage, width by the root's channels."""
    unit = re.compile(re.escape(_UNITS[layout]).replace(r"\{\}", r"(\d+)", 2) + r"\.")
    units = {match.groups() for name in tensors if (match := unit.match(name))}
    blocks = tuple(sum(stage == str(n) for stage, _ in units) for n in range(4))
    depth = next((depth for depth, counts in DEPTHS.items() if counts == blocks), None)
    root = tensors.get(f"{_ROOTS[layout]}.weight")
    if depth is None or root is None or root.ndim != 4 or len(units) != sum(blocks):
        raise WeightsError(f"{where} has stages of {blocks} blocks; bitdoc knows {', '.join(f'R{d}' for d in DEPTHS)}")
    return f"R{depth}x{len(root) / 64:g}"


def epsilon_gap(model: nn.Module) -> float:
    """How much larger a filter comes out with this package's epsilon than with timm's, at most: 0.01 is one percent.

    Weight standardization divides a filter by ``sqrt(variance + epsilon)``, so the epsilon is felt by filters that are
    nearly constant; for a filter of spread 0.01, 1e-8 and 1e-10 differ by 0.005 %.
    """
    spreads = [
        m.weight.detach().double().var((1, 2, 3), correction=0) for m in model.modules() if isinstance(m, StdConv2d)
    ]
    smallest = min(float(spread[spread > 0].min()) for spread in spreads if (spread > 0).any())
    return ((smallest + THEIR_EPS) / (smallest + WS_EPS)) ** 0.5 - 1


@torch.no_grad()
def as_with_epsilon(model: nn.Module, epsilon: float) -> None:
    """Make a network that was trained with another epsilon compute here, with 1e-10, what it computed there.

    A filter times *a* with epsilon e is standardized as the filter itself with e / a²: so every filter is multiplied by
    ``sqrt(1e-10 / epsilon)``, a tenth for timm and transformers. That is exact for what the network computes. In
    further training it is not the same network: the gradient of a filter ten times smaller is ten times larger.
    """
    for module in model.modules():
        if isinstance(module, StdConv2d):
            module.weight *= (WS_EPS / epsilon) ** 0.5
