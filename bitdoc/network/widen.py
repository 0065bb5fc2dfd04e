"""Grow a network: make it wider or deeper without changing what it computes, then let the new parts differ.

The idea of growing a trained network without changing its function is Net2Net's (Chen, Goodfellow & Shlens, 2016).
Net2Net divides the weights by the number of copies. Here nothing is divided but the head: weight standardization would
undo a division, and group norm removes the factor that the sums gain.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bitdoc.network.norms import StdConv2d
from bitdoc.network.resnet import DEPTHS, Architecture, Copy, PreActBottleneck, ResNetV2

_KINDS = {nn.GroupNorm: "group", nn.BatchNorm2d: "batch", Copy: "none"}


def widened(old: Architecture, factor: float) -> Architecture:
    """Architecture that :func:`widen` makes of ``old``.

    Raises
    ------
    ValueError
        If ``factor`` is no whole number above 1, or the groups of the wide network cannot be whole copies.
    """
    if int(factor) != factor or factor < 2:
        raise ValueError(f"widen got factor {factor:g}; it must be a whole number, 2 or more")
    arch = Architecture(f"{old.name.split('x')[0]}x{old.width * factor:g}", old.blocks, old.width * factor)
    if arch.groups % old.groups or int(factor) % (arch.groups // old.groups):
        raise ValueError(
            f"widen cannot make {arch.name} ({arch.groups} groups) of {old.name} ({old.groups} groups): {factor:g} "
            f"copies of a channel cannot fill {arch.groups / old.groups:g} sets of groups; choose another factor"
        )
    return arch


def deepened(old: Architecture, depth: int) -> Architecture:
    """Architecture that :func:`deepen` makes of ``old``.

    Raises
    ------
    ValueError
        If ``depth`` is unknown, or a stage would lose blocks.
    """
    blocks = DEPTHS.get(depth, ())
    if not blocks or blocks == old.blocks or any(new < had for new, had in zip(blocks, old.blocks, strict=True)):
        deeper = [f"{d}" for d, b in DEPTHS.items() if b != old.blocks and all(map(int.__ge__, b, old.blocks))]
        raise ValueError(
            f"deepen cannot make {depth} layers of {old.name}; choose one of {', '.join(deeper) or 'none'}"
        )
    return Architecture(f"R{depth}x{old.width:g}", blocks, old.width)


def widen(model: ResNetV2, factor: int) -> ResNetV2:
    """Return a network ``factor`` times as wide whose logits equal those of ``model``.

    Every channel is copied ``factor`` times so that a group keeps its channels: where the wide network has as many
    groups, the copies are neighbors; where it has ``t`` times as many, all channels are laid down ``t`` times over, one
    set of groups after the other. The filters are repeated along their input channels too, and the head, which has no
    norm behind it, is divided by ``factor``.

    Parameters
    ----------
    model : ResNetV2
        It stays untouched.
    factor : int
        At least 2: an R50x1 widened by 3 is an R50x3, an R50x0.5 widened by 6 as well.

    Returns
    -------
    ResNetV2
        On the same device, in the same mode (training or evaluation).

    Raises
    ------
    ValueError
        If ``factor`` is no whole number above 1, or the groups of the wide network cannot be whole copies.

    Notes
    -----
    A sum over ``factor`` equal copies is ``factor`` times as large. The next norm divides that away if it takes its
    statistics from the activations themselves: group norm does, and so does batch norm in training mode, up to the
    epsilon in the root and with or without weight standardization. The function *does* change without norms, and with
    batch norm in evaluation mode: its running statistics, which are copied, describe the smaller sums.
    """
    arch = widened(model.arch, factor)
    wide, tiles = _empty(arch, model), arch.groups // model.arch.groups
    shapes = {name: target.shape for name, target in wide.state_dict().items()}
    state = {name: _repeat(source, shapes[name], tiles) for name, source in model.state_dict().items()}
    if model.classes:
        state["head.weight"] /= int(factor)
    wide.load_state_dict(state, assign=True)
    return wide.train(model.training)


def _empty(arch: Architecture, like: ResNetV2) -> ResNetV2:
    """Build a network of ``arch`` without weights, with the norms, convolutions and head of ``like``."""
    with torch.device("meta"):
        return ResNetV2(arch, like.classes, _KINDS[type(like.norm)], isinstance(like.root.conv, StdConv2d))


def _repeat(source: Tensor, shape: torch.Size, tiles: int) -> Tensor:
    """Repeat ``source`` along every dimension that is longer in ``shape``: copies side by side, then whole tiles."""
    result = source.clone()
    for dim, (small, large) in enumerate(zip(source.shape, shape, strict=True)):
        if large != small:
            result = result.repeat_interleave(large // small // tiles, dim)
            result = torch.cat([result] * tiles, dim)
    return result


def deepen(model: ResNetV2, depth: int) -> ResNetV2:
    """Return a network of ``depth`` layers whose logits equal those of ``model`` to the last bit.

    Each stage gets its missing blocks at its end. The last norm of a new block is closed (γ = β = 0), so its branch
    puts out zero and the block hands its input on. A closed norm has no gradient either, because the ReLU behind it is
    flat at zero: :func:`perturb` opens it.

    Parameters
    ----------
    model : ResNetV2
        With norms that have a γ: group or batch norm. It stays untouched.
    depth : int
        A key of :data:`~bitdoc.network.resnet.DEPTHS`.

    Returns
    -------
    ResNetV2
        On the same device, in the same mode. The filters of new blocks are random (PyTorch's global generator).

    Raises
    ------
    ValueError
        If ``depth`` is unknown, a stage would lose blocks, or the network has no norms.
    """
    arch = deepened(model.arch, depth)
    if isinstance(model.norm, Copy):
        raise ValueError("deepen needs norms, whose γ closes the new blocks; this network has none")
    deep = ResNetV2(arch, model.classes, _KINDS[type(model.norm)], isinstance(model.root.conv, StdConv2d))
    deep.load_state_dict(model.state_dict(), strict=False)
    old_blocks = {name for name, module in model.named_modules() if isinstance(module, PreActBottleneck)}
    for name, block in deep.named_modules():
        if isinstance(block, PreActBottleneck) and name not in old_blocks:
            nn.init.zeros_(block.norm_c.weight)
            nn.init.zeros_(block.norm_c.bias)
    return deep.to(next(model.parameters())).train(model.training)


@torch.no_grad()
def perturb(model: ResNetV2, scale: float, seed: int) -> None:
    """Add noise to every convolution and open closed norms, in place, so that the new parts can learn.

    Equal copies have equal gradients and would stay equal for ever; a block that is closed (γ = β = 0) has none.

    Parameters
    ----------
    model : ResNetV2
        Usually fresh from :func:`widen` or :func:`deepen`.
    scale : float
        Standard deviation of the noise in units of each filter's own standard deviation, and γ of a norm that was
        closed; 0.01 is a little.
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
        elif isinstance(module, PreActBottleneck) and not module.norm_c.weight.any() and not module.norm_c.bias.any():
            module.norm_c.weight.fill_(scale)


@torch.no_grad()
def likeness(wide: ResNetV2, factor: int) -> float:
    """Return how alike the ``factor`` copies of a channel still are: 1 at birth, near 0 for filters that are unrelated.

    Parameters
    ----------
    wide : ResNetV2
        Made by :func:`widen` with ``factor``, and perhaps trained since.
    factor : int
        As given to :func:`widen`.

    Returns
    -------
    float
        Cosine between the standardized filters of two copies, the mean over all pairs, channels and convolutions. Only
        the direction of a standardized filter counts, so its length is no part of it.

    Raises
    ------
    ValueError
        If ``factor`` is no whole number above 1.
    """
    if int(factor) != factor or factor < 2:
        raise ValueError(f"likeness got factor {factor}; it must be a whole number, 2 or more")
    tiles = wide.arch.groups // Architecture("", wide.arch.blocks, wide.arch.width / factor).groups
    found = []
    for module in wide.modules():
        if isinstance(module, StdConv2d):
            filters = module.weight.flatten(1)
            filters = torch.nn.functional.normalize(filters - filters.mean(1, keepdim=True), dim=1)
            copies = filters.unflatten(0, (tiles, -1, factor // tiles)).transpose(0, 1).flatten(1, 2)
            # The squared length of a sum of unit vectors is their number and twice the cosines of all pairs.
            found.append(((copies.sum(1).square().sum(1) - factor) / (factor * (factor - 1))).mean())
    return torch.stack(found).mean().item()
