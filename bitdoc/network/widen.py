"""Grow a network: make it wider without changing what it computes, then break the symmetry of the copies.

The idea of growing a trained network without changing its function is Net2Net's (Chen, Goodfellow & Shlens, 2016).
Net2Net divides the weights by the number of copies. Here nothing is divided but the head: weight standardization would
undo a division, and group norm removes the factor that the sums gain.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bitdoc.network.resnet import Architecture, Copy, ResNetV2

_KINDS = {nn.GroupNorm: "group", nn.BatchNorm2d: "batch", Copy: "none"}


def widen(model: ResNetV2, factor: int) -> ResNetV2:
    """Return a network ``factor`` times as wide whose logits equal those of ``model``.

    Every channel becomes ``factor`` neighboring copies, so that a group keeps its channels; the filters are repeated
    along their input channels too, and the head, which has no norm behind it, is divided by ``factor``.

    Parameters
    ----------
    model : ResNetV2
        Width x1 or more, so that the wider network has as many groups. It stays untouched.
    factor : int
        At least 2: an R50x1 widened by 3 is an R50x3.

    Returns
    -------
    ResNetV2
        On the same device, in the same mode (training or evaluation).

    Raises
    ------
    ValueError
        If ``factor`` is no whole number above 1, or the number of groups would change.

    Notes
    -----
    A sum over ``factor`` equal copies is ``factor`` times as large. The next norm divides that away if it takes its
    statistics from the activations themselves: group norm does, and so does batch norm in training mode, up to the
    epsilon in the root and with or without weight standardization. The function *does* change without norms, and with
    batch norm in evaluation mode: its running statistics, which are copied, describe the smaller sums.
    """
    if int(factor) != factor or factor < 2:
        raise ValueError(f"widen got factor {factor}; it must be a whole number, 2 or more")
    old = model.arch
    arch = Architecture(f"{old.name.split('x')[0]}x{old.width * factor:g}", old.blocks, old.width * factor)
    if arch.groups != old.groups:
        raise ValueError(
            f"widen cannot make {arch.name} ({arch.groups} groups) of {old.name} ({old.groups} groups): channels would"
            " change groups; start from a width of x1 or more"
        )
    standardized = type(model.root.conv) is not nn.Conv2d
    with torch.device("meta"):
        wide = ResNetV2(arch, model.classes, _KINDS[type(model.norm)], standardized)
    shapes = {name: target.shape for name, target in wide.state_dict().items()}
    state = {name: _repeat(source, shapes[name]) for name, source in model.state_dict().items()}
    if model.classes:
        state["head.weight"] /= int(factor)
    wide.load_state_dict(state, assign=True)
    return wide.train(model.training)


def _repeat(source: Tensor, shape: torch.Size) -> Tensor:
    """Repeat ``source`` along every dimension that is longer in ``shape``, copies side by side."""
    result = source.clone()
    for dim, (small, large) in enumerate(zip(source.shape, shape, strict=True)):
        if large != small:
            result = result.repeat_interleave(large // small, dim)
    return result


@torch.no_grad()
def perturb(model: ResNetV2, scale: float, seed: int) -> None:
    """Add noise to every convolution, in place, so that the copies of a channel can learn different things.

    Equal copies have equal gradients and would stay equal for ever.

    Parameters
    ----------
    model : ResNetV2
        Usually fresh from :func:`widen`.
    scale : float
        Standard deviation of the noise in units of each filter's own standard deviation; 0.01 is a little.
    seed : int
        The same seed gives the same noise on every device.

    Raises
    ------
    ValueError
        If ``scale`` is negative.
    """
    if scale < 0:
        raise ValueError(f"perturb got scale {scale}; it must be 0 or more")
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight
            spread = weight.std((1, 2, 3), correction=0, keepdim=True)
            noise = torch.randn(weight.shape, generator=generator).to(weight)
            weight += scale * spread * noise
