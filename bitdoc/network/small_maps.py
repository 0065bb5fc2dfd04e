"""Convolutions whose output is a single position, computed as the matrix product that they are.

At 32 pixels the last stage of a BiT network works on maps of one position. A library for convolutions is not made for
that: on a CPU its backward pass takes longer than the product's.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from bitdoc.network.norms import StdConv2d, standardize_fused
from bitdoc.network.resnet import ResNetV2


def product_at_one_position(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """Convolve where the kernel fits in one place only: the pixels under it times the taps.

    Parameters
    ----------
    x : Tensor
        ``(N, in, H, W)``, on all sides of which stand ``padding`` zeros.
    weight : Tensor
        ``(out, in, k, k)``. Taps that lie over the padding take no part.

    Returns
    -------
    Tensor
        ``(N, out, 1, 1)``.
    """
    kernel, (height, width) = weight.shape[-1], x.shape[-2:]
    pixels = x[:, :, : kernel - padding, : kernel - padding]
    taps = weight[:, :, padding : padding + height, padding : padding + width]
    return F.linear(pixels.flatten(1), taps.flatten(1))[:, :, None, None]


class SinglePositionConv2d(StdConv2d):
    """A :class:`~bitdoc.network.norms.StdConv2d` that uses the product wherever its output has one position."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x`` of shape ``(N, in, H, W)`` with the standardized filters."""
        padding = int(self.padding[0])
        room = max(x.shape[-2:]) + 2 * padding - self.kernel_size[0]
        if room >= self.stride[0]:
            return super().forward(x)
        weight = standardize_fused(self.weight) if self.shared is None else self.shared
        return product_at_one_position(x, weight, padding)


def with_products(model: ResNetV2) -> ResNetV2:
    """Let the standardized convolutions of a ``model`` on the CPU use the product, in place. No weight changes.

    Their filters come to lie one after another in memory, as the standardization reads them: channels last, they would
    be copied there and back in every step, at a cost that small batches feel.
    """
    for module in model.modules():
        if type(module) is StdConv2d and module.weight.device.type == "cpu":
            module.__class__ = SinglePositionConv2d
            module.weight.data = module.weight.data.contiguous()
    return model
