"""BiT's ResNet v2, the v1 block it departs from, and the table of architectures.

The network is the one of the official code (all three frameworks agree): bottleneck blocks with normalization and
ReLU *before* each convolution, group norm in place of batch norm, weight standardization in every convolution but the
head, the stride on the 3x3 convolution, and a width factor that multiplies every channel count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitdoc.network.norms import StdConv2d

#: Blocks in each of the four stages, by the number that names the network.
DEPTHS = {
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}

#: The architectures whose weights the BiT authors published.
OFFICIAL = ("R50x1", "R50x3", "R101x1", "R101x3", "R152x2", "R152x4")


@dataclass(frozen=True)
class Architecture:
    """Depth and width of a BiT network.

    Attributes
    ----------
    name : str
        For example ``"R50x3"``.
    blocks : tuple of int
        Bottleneck blocks in each of the four stages.
    width : float
        Factor on every channel count (1 is the usual ResNet).
    """

    name: str
    blocks: tuple[int, ...]
    width: float

    @property
    def groups(self) -> int:
        """Groups in group norm: 32, fewer for networks narrower than x1, where a group keeps as many channels."""
        return 32 if self.width >= 1 else max(1, int(32 * self.width))

    def channels(self, base: int) -> int:
        """``base`` channels of the x1 network, widened."""
        return int(base * self.width)


def architecture(name: str) -> Architecture:
    """Read a name such as ``"R50x3"`` or ``"R26x0.5"``.

    Raises
    ------
    ValueError
        If the name does not parse, the depth is not in :data:`DEPTHS`, or the width leaves no whole number of groups.
    """
    match = re.fullmatch(r"R(\d+)x(\d+(?:\.\d+)?)", name, re.ASCII)
    if not match or int(match[1][:9]) not in DEPTHS:
        depths = ", ".join(f"R{d}" for d in DEPTHS)
        raise ValueError(f"unknown architecture {name!r}; expected a depth of {depths} and a width, such as R50x3")
    width = float(match[2])
    if width <= 0 or (width * 32) % 1 or (width > 1 and width % 0.5):
        raise ValueError(f"architecture {name!r}: a width below 1 must be a multiple of 1/32, above 1 of 1/2")
    if width > 32:  # the widest published is x4, and memory grows with the square
        raise ValueError(f"architecture {name!r}: a width of x{width:g} fits into no memory; choose one up to x32")
    if name != (usual := f"R{int(match[1])}x{width:g}"):  # one network under two names would have two records
        raise ValueError(f"unknown architecture {name!r}; write {usual}")
    return Architecture(name, DEPTHS[int(match[1])], width)


def conv(standardized: bool) -> Callable[..., nn.Conv2d]:
    """Return a maker of bias-free convolutions with the official padding: ``(k - 1) // 2`` on every side."""
    kind = StdConv2d if standardized else nn.Conv2d

    def make(cin: int, cout: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        return kind(cin, cout, kernel, stride, padding=(kernel - 1) // 2, bias=False)

    return make


def norm(kind: str, groups: int = 32) -> Callable[[int], nn.Module]:
    """Return a maker of normalization layers: ``"group"``, ``"batch"``, or ``"none"``."""
    makers: dict[str, Callable[[int], nn.Module]] = {
        "group": lambda channels: nn.GroupNorm(groups, channels),
        "batch": nn.BatchNorm2d,
        "none": lambda channels: Copy(),
    }
    if kind not in makers:
        raise ValueError(f"unknown norm {kind!r}; choose group, batch or none")
    return makers[kind]


class Copy(nn.Identity):
    """No norm. Returns ``x`` in new memory, as a norm does: every ReLU of a block writes over what stands before it."""

    def forward(self, x: Tensor) -> Tensor:
        """Return a copy of ``x``."""
        return x.clone()


class BottleneckV1(nn.Module):
    """The block of He et al. (2015): convolution, norm, ReLU; the last ReLU comes *after* the addition.

    Maps ``(N, cin, H, W)`` to ``(N, cout, H / stride, W / stride)``; the stride sits on the first 1x1 convolution.
    """

    def __init__(self, cin: int, cout: int, stride: int, make_norm: Callable, make_conv: Callable):
        super().__init__()
        mid = cout // 4
        self.conv_a, self.norm_a = make_conv(cin, mid, 1, stride), make_norm(mid)
        self.conv_b, self.norm_b = make_conv(mid, mid, 3), make_norm(mid)
        self.conv_c, self.norm_c = make_conv(mid, cout, 1), make_norm(cout)
        changes = stride != 1 or cin != cout
        self.proj = make_conv(cin, cout, 1, stride) if changes else nn.Identity()
        self.norm_proj = make_norm(cout) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``relu(shortcut(x) + residual(x))``."""
        shortcut = self.norm_proj(self.proj(x))
        out = F.relu(self.norm_a(self.conv_a(x)), inplace=True)
        out = F.relu(self.norm_b(self.conv_b(out)), inplace=True)
        out = self.norm_c(self.conv_c(out))
        return F.relu(out + shortcut)


class PreActBottleneck(nn.Module):
    """BiT's block: norm and ReLU before each convolution, nothing on the shortcut (He et al. 2016).

    Maps ``(N, cin, H, W)`` to ``(N, cout, H / stride, W / stride)``. A projection, where the shape changes, starts from
    the already activated input. The stride sits on the 3x3 convolution, or, with ``stride_first``, on the first 1x1
    convolution as in He's own v2 code.
    """

    def __init__(
        self, cin: int, cout: int, stride: int, make_norm: Callable, make_conv: Callable, stride_first: bool = False
    ):
        super().__init__()
        mid = cout // 4
        stride_a, stride_b = (stride, 1) if stride_first else (1, stride)
        self.norm_a, self.conv_a = make_norm(cin), make_conv(cin, mid, 1, stride_a)
        self.norm_b, self.conv_b = make_norm(mid), make_conv(mid, mid, 3, stride_b)
        self.norm_c, self.conv_c = make_norm(mid), make_conv(mid, cout, 1)
        self.proj = make_conv(cin, cout, 1, stride) if stride != 1 or cin != cout else None

    def forward(self, x: Tensor) -> Tensor:
        """Return ``shortcut(x) + residual(x)``: no ReLU after the addition."""
        out = F.relu(self.norm_a(x), inplace=True)
        shortcut = x if self.proj is None else self.proj(out)
        out = self.conv_a(out)
        out = self.conv_b(F.relu(self.norm_b(out), inplace=True))
        out = self.conv_c(F.relu(self.norm_c(out), inplace=True))
        out += shortcut  # in the memory of the convolution's output
        return out


class Root(nn.Module):
    """7x7 stride-2 convolution, one ring of zeros, 3x3 stride-2 max-pool without padding.

    The zeros are explicit because they take part in the maximum: nothing before the pool is rectified, so a border
    can be negative, and ``MaxPool2d(padding=1)``, which pads with minus infinity, gives other numbers.
    """

    def __init__(self, cout: int, make_conv: Callable):
        super().__init__()
        self.conv = make_conv(3, cout, 7, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, cout, H / 4, W / 4)``."""
        return F.max_pool2d(F.pad(self.conv(x), (1, 1, 1, 1)), kernel_size=3, stride=2)


class RootV1(nn.Module):
    """The root of He et al. (2015): 7x7 stride-2 convolution, norm, ReLU, 3x3 stride-2 max-pool.

    After the ReLU nothing is negative, so padding the pool with zeros or with minus infinity is the same.
    """

    def __init__(self, cout: int, make_norm: Callable, make_conv: Callable):
        super().__init__()
        self.conv, self.norm = make_conv(3, cout, 7, 2), make_norm(cout)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, cout, H / 4, W / 4)``."""
        return F.max_pool2d(F.relu(self.norm(self.conv(x)), inplace=True), kernel_size=3, stride=2, padding=1)


def make_stages(
    arch: Architecture, block: Callable[..., nn.Module], make_norm: Callable, make_conv: Callable
) -> nn.Sequential:
    """Return the four stages of ``arch`` as nested ``nn.Sequential``; each stage but the first begins with a stride."""
    cin, stages = arch.channels(64), []
    for stage, count in enumerate(arch.blocks):
        cout = arch.channels(256 * 2**stage)
        units = []
        for unit in range(count):
            stride = 2 if stage > 0 and unit == 0 else 1
            units.append(block(cin, cout, stride, make_norm, make_conv))
            cin = cout
        stages.append(nn.Sequential(*units))
    return nn.Sequential(*stages)


class ResNetV1(nn.Module):
    """The network BiT departs from: root with norm and ReLU, four stages of v1 blocks, average pool, linear head.

    ``arch`` and ``classes`` as for :class:`ResNetV2`; ``norm_kind`` is ``"batch"`` in He et al. (2015), whose
    initialization (normal, variance 2 / fan-in) the convolutions have.
    """

    def __init__(self, arch: Architecture, classes: int, norm_kind: str = "batch"):
        super().__init__()
        make_norm, make_conv = norm(norm_kind, arch.groups), conv(standardized=False)
        self.root = RootV1(arch.channels(64), make_norm, make_conv)
        self.stages = make_stages(arch, BottleneckV1, make_norm, make_conv)
        self.head = nn.Linear(arch.channels(2048), classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, 3, H, W)`` to logits ``(N, classes)``."""
        return self.head(self.stages(self.root(x)).mean((2, 3)))


class ResNetV2(nn.Module):
    """BiT's network: root, four stages of pre-activation bottlenecks, norm, ReLU, average pool, linear head.

    Parameters
    ----------
    arch : Architecture
        Depth and width, from :func:`architecture`.
    classes : int
        Outputs of the head; 0 leaves the head out, and the network returns its pooled features.
    norm_kind : {"group", "batch", "none"}
        BiT uses ``"group"``.
    standardized : bool
        Weight standardization in every convolution but the head; BiT uses it.
    zero_head : bool
        Start the head at zero (downstream), so that the first predictions are uniform; else PyTorch's random start.
    """

    def __init__(
        self,
        arch: Architecture,
        classes: int,
        norm_kind: str = "group",
        standardized: bool = True,
        zero_head: bool = True,
    ):
        super().__init__()
        make_norm, make_conv = norm(norm_kind, arch.groups), conv(standardized)
        self.arch, self.classes = arch, classes
        self.root = Root(arch.channels(64), make_conv)
        self.stages = make_stages(arch, PreActBottleneck, make_norm, make_conv)
        features = arch.channels(2048)
        self.norm = make_norm(features)
        self.head = nn.Linear(features, classes) if classes else nn.Identity()
        self._initialize(zero_head)

    def _initialize(self, zero_head: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
        if zero_head:
            for parameter in self.head.parameters():
                nn.init.zeros_(parameter)

    def features(self, x: Tensor) -> Tensor:
        """Map images ``(N, 3, H, W)`` in [-1, 1] to pooled features ``(N, 2048 * width)``."""
        x = self.stages(self.root(x))
        return F.relu(self.norm(x), inplace=True).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, 3, H, W)`` in [-1, 1] to logits ``(N, classes)``."""
        return self.head(self.features(x))


def build(name: str, classes: int, **options) -> ResNetV2:
    """Build a network with random weights, ``build("R50x3", classes=10)``; ``options`` as for :class:`ResNetV2`."""
    return ResNetV2(architecture(name), classes, **options)


def count_parameters(name: str, classes: int) -> int:
    """Count the parameters of an architecture without allocating them; ``classes=0`` counts the body alone."""
    with torch.device("meta"):
        return sum(p.numel() for p in build(name, classes).parameters())
