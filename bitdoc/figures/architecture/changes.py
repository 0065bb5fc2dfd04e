"""Figures and tables of the page on the architecture: what BiT changes in ResNet."""

from __future__ import annotations

from functools import cache, partial

import torch
from matplotlib.figure import Figure
from torch import nn

from bitdoc.figures import figure, table, value
from bitdoc.figures.architecture import diagram
from bitdoc.figures.architecture.sizes import gains, multiply_adds, size
from bitdoc.literature.published import STRIDE_V15, TABLE4
from bitdoc.network.resnet import (
    BottleneckV1,
    PreActBottleneck,
    ResNetV1,
    ResNetV2,
    Root,
    RootV1,
    architecture,
    build,
    conv,
    count_parameters,
    make_stages,
    norm,
)

_KEY = (
    "Traced from the modules of `bitdoc`. Numbers are output channels, /2 a stride of 2, and :148 line 148 of"
    " `resnet.py`. Solid orange: new or changed against the diagram before; dashed: without counterpart in the next."
)


def three_blocks(channels: int, stride: int) -> dict[str, nn.Module]:
    """Build the block of v1, of v2 (stride where He's code has it) and of BiT, with 256 channels out."""
    batch, plain = norm("batch"), conv(standardized=False)
    return {
        "ResNet v1": BottleneckV1(channels, 256, stride, batch, plain),
        "ResNet v2": PreActBottleneck(channels, 256, stride, batch, plain, stride_first=True),
        "BiT": PreActBottleneck(channels, 256, stride, norm("group"), conv(standardized=True)),
    }


@figure(
    "arch-blocks",
    caption="A block that keeps its shape; :133 is a line of `resnet.py`. Blue: the shortcut around the branch. Orange:"
    " what changes from one diagram to the next, solid where it is new, dashed where it goes.",
    measured=_KEY,
    alt="Three block diagrams. In ResNet v1 a batch norm ends the branch and a ReLU follows the addition. In v2 batch"
    " norm and ReLU open the branch and only the addition is left on the shortcut. BiT has the form of v2, with group"
    " norms and standardized convolutions.",
)
def draw_blocks() -> Figure:
    """Draw the three blocks at stride 1."""
    finding = "v2 clears the shortcut; BiT exchanges norms and convolutions"
    return diagram.block_diagram(three_blocks(256, 1), (256, 32, 32), finding)


@figure(
    "arch-blocks-down",
    caption="A block that halves the map and doubles the channels; signs as in {numref}`fig-arch-blocks`. v2 and BiT"
    " project after the first norm and ReLU, and BiT's stride sits on the 3×3 convolution.",
    measured=f"{_KEY} v2 is the code for CIFAR.",
    alt="Three block diagrams with a 1 by 1 projection on the shortcut. In v1 the projection reads the input and a"
    " batch norm follows it. In v2 and BiT it reads the output of the first norm and ReLU. The stride of 2 is on the"
    " first 1 by 1 convolution in v1 and v2, on the 3 by 3 convolution in BiT.",
)
def draw_blocks_down() -> Figure:
    """Draw the three blocks at stride 2 with a projection."""
    finding = "Where the shape changes, BiT projects after norm and ReLU, and strides later"
    return diagram.block_diagram(three_blocks(128, 2), (128, 32, 32), finding)


@figure(
    "arch-roots",
    caption="The roots for large images; signs as in {numref}`fig-arch-blocks`. BiT's outputs can be negative, so the"
    " zeros around them take part in the maximum.",
    measured=_KEY,
    alt="Two chains. v1, and v2 for ImageNet: 7 by 7 convolution, batch norm, ReLU, 3 by 3 max-pool with"
    " padding. BiT: 7 by 7 standardized convolution, one ring of zeros, 3 by 3 max-pool.",
)
def draw_roots() -> Figure:
    """Draw the roots of v1, which v2's code for ImageNet keeps, and of BiT."""
    before = RootV1(64, norm("batch"), conv(standardized=False))
    roots = {"v1, and v2 for ImageNet": before, "BiT": Root(64, conv(standardized=True))}
    return diagram.block_diagram(roots, (3, 128, 128), "BiT's root has no norm and no ReLU")


@table(
    "arch-changes",
    caption="From v1 {cite:p}`he2016resnet` over the two public codes of v2 {cite:p}`he2016code,facebook2016resnet` to"
    " BiT {cite:p}`google2021bitcode`. What differs from both codes of v2 is in bold.",
)
def changes_table() -> list[list[str]]:
    """What each of the four networks does, row by row."""
    return [
        ["", "v1", "v2, CIFAR code", "v2, ImageNet code", "BiT"],
        ["Norm", "batch", "batch", "batch", "**group, 32 groups; filters standardized**"],
        ["Width", "×1", "×1", "×1", "**×1 to ×4**"],
        ["Order in the branch", "convolution, norm, ReLU", "norm, ReLU, convolution", "as CIFAR", "as CIFAR"],
        ["After the addition", "ReLU", "nothing", "nothing", "nothing"],
        ["After the last block", "nothing", "norm, ReLU", "norm, ReLU", "norm, ReLU"],
        ["Projection", "from the input, then norm", "after norm and ReLU", "from the input, then norm", "as CIFAR"],
        ["Stride 2", "first 1×1", "first 1×1", "3×3", "as ImageNet"],
        ["Norm and ReLU in the root", "yes", "no", "yes", "no"],
        ["Pool in the root", "yes", "no", "yes", "yes"],
        ["Ring of zeros before that pool", "no", "–", "no", "**yes; no reason is given**"],
    ]


@value("arch-norms-r152x4")
def norms_of_the_largest() -> str:
    """How many norms a signal meets in R152x4; each would be a stop if statistics were shared."""
    with torch.device("meta"):
        return str(sum(isinstance(module, nn.GroupNorm) for module in build("R152x4", 0).modules()))


@cache
def _r50(kind: str) -> tuple[int, int]:
    """Parameters and multiply-adds (224 pixels) of a 50-layer network with 1,000 classes."""
    arch = architecture("R50x1")
    with torch.device("meta"):
        model: nn.Module = ResNetV1(arch, 1000)
        if kind != "v1":
            model = ResNetV2(arch, 1000, "batch", standardized=False)
            block = partial(PreActBottleneck, stride_first=kind == "v2")
            model.stages = make_stages(arch, block, norm("batch"), conv(standardized=False))
    return sum(p.numel() for p in model.parameters()), multiply_adds(model, 224)[""]


@value("arch-stride-cost")
def stride_cost() -> str:
    """Share of multiply-adds that the stride on the 3x3 convolution adds."""
    return f"{100 * (_r50('stride on 3x3')[1] / _r50('v2')[1] - 1):.0f}%"


@table(
    "arch-costs",
    caption="What each change costs a ResNet-50 with 1,000 classes at 224 pixels, and the top-1 points it brought on"
    " ILSVRC-2012 where a paper measured it alone {cite:p}`nvidia2018resnet50v15,kolesnikov2020bit`. In time,"
    " standardizing filters costs a detector about 5% of its speed {cite:p}`mmdetection2020ws`.",
)
def costs_table() -> list[list[str]]:
    """Parameters, operations and published gain of each change."""
    (p1, o1), (p2, o2), (_, o3) = _r50("v1"), _r50("v2"), _r50("stride on 3x3")
    rows = [["Change", "Parameters", "Multiply-adds", "Accuracy, points"]]
    change = "Order, and root without norm (v2 for CIFAR)"
    rows.append([change, f"{p2 - p1:+,d}", f"{o2 / o1 - 1:+.0%}", "not measured at 50 layers"])
    rows.append(["Stride on the 3×3", "+0", f"{o3 / o2 - 1:+.0%}", f"about +{STRIDE_V15.values['accuracy']}"])
    norms = TABLE4.values["group norm"]["standardized"] - TABLE4.values["batch norm"]["plain"]
    rows.append(["Group norm and standardized filters", "+0", "+0%", f"{norms:+.1f}"])
    parameters = count_parameters("R50x3", 1000) / count_parameters("R50x1", 1000)
    points = ", ".join(f"{gain} ({data})" for gain, data in zip(gains("R50x1", "R50x3"), "SML", strict=True))
    rows.append(["Width ×3", f"×{parameters:.1f}", f"×{size('R50x3', 224) / size('R50x1', 224):.1f}", points])
    return [rows[0], *([row[0], *(cell.replace("-", "−") for cell in row[1:])] for row in rows[1:])]
