"""How far single channels stand from zero behind a norm, and which of them a ReLU no longer switches.

Batch norm subtracts every channel's own mean. Group norm subtracts the mean of a group, so that a channel may keep an
offset from it; one that is pushed far enough is on, or off, for every image and every position.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitdoc.network.resnet import ResNetV2

#: A channel is stuck if the ReLU passes fewer than this share of its values, or more than all but this share.
RARELY = 0.01


def offset(x: Tensor) -> float:
    """Mean over the channels of the distance between a channel's mean and 0; ``x`` is ``(N, C, H, W)``.

    For normalized values the unit is one standard deviation of the set that was normalized.
    """
    return x.mean((0, 2, 3)).abs().mean().item()


def stuck(x: Tensor) -> float:
    """Share of the channels of ``x``, ``(N, C, H, W)``, that are nearly always positive or nearly always negative."""
    on = (x > 0).float().mean((0, 2, 3))
    return ((on < RARELY) | (on > 1 - RARELY)).float().mean().item()


def normalized(norm: nn.Module, x: Tensor) -> Tensor:
    """What the layer ``norm`` makes of ``x`` before its learned scale and offset, as in evaluation.

    Raises
    ------
    TypeError
        If the layer is neither ``nn.BatchNorm2d`` nor ``nn.GroupNorm``.
    """
    if isinstance(norm, nn.BatchNorm2d):
        return F.batch_norm(x, norm.running_mean, norm.running_var, eps=norm.eps)
    if isinstance(norm, nn.GroupNorm):
        return F.group_norm(x, norm.num_groups, eps=norm.eps)
    raise TypeError(f"expected a batch norm or a group norm, got {type(norm).__name__}")


@torch.no_grad()
def look_inside(model: ResNetV2, images: Tensor) -> dict[str, list]:
    """Offsets and stuck channels behind each norm that follows a convolution directly, from the input to the output.

    The first norm of a block, and the last of the network, follow the sum of a residual block and are left out.

    Parameters
    ----------
    model : ResNetV2
        A network with batch or group norm. It is put into evaluation mode.
    images : Tensor
        ``(N, 3, H, W)`` in [-1, 1].

    Returns
    -------
    dict
        ``"layer"``: names; ``"offset"``: :func:`offset` of the normalized values; ``"stuck"``: :func:`stuck` of what
        the ReLU receives, behind the learned scale and offset.
    """
    found: dict[str, list] = {"layer": [], "offset": [], "stuck": []}

    def hook(name: str):
        def look(norm: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            found["layer"].append(name)
            found["offset"].append(round(offset(normalized(norm, inputs[0])), 4))
            found["stuck"].append(round(stuck(output), 4))

        return look

    inner = [(name, m) for name, m in model.named_modules() if name.rpartition(".")[2] in ("norm_b", "norm_c")]
    handles = [norm.register_forward_hook(hook(name)) for name, norm in inner]
    model.eval()
    try:
        model(images)
    finally:
        for handle in handles:
            handle.remove()
    return found
