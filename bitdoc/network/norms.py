"""Normalization as one idea: subtract a mean, divide by a spread, *over a chosen set of values*.

Batch, layer, instance and group normalization differ only in that set, and weight standardization applies the same
arithmetic to a convolution's filters instead of its activations. Everything here is built on :func:`normalize`;
the tests compare each function with the layer of the same name in ``torch.nn``.

Shapes are written ``(N, C, H, W)``: images in the batch, channels, height, width.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Epsilon inside the square root of the official BiT code's weight standardization.
WS_EPS = 1e-10

#: What is said to ``torch.jit.script``.
SCRIPT = (
    "torch.jit.script cannot compile bitdoc's layers, which choose their arithmetic in Python; use torch.export.export("
    "model, (images,)), torch.compile, or torch.jit.trace"
)


def normalize(x: Tensor, axes: tuple[int, ...], eps: float = 1e-5) -> Tensor:
    """Subtract the mean over ``axes`` and divide by the standard deviation over ``axes``.

    Parameters
    ----------
    x : Tensor
        Values of any shape.
    axes : tuple of int
        The values along these axes share one mean and one variance.
    eps : float
        Added to the variance, inside the root, so that a constant input gives 0 and not 0/0.

    Returns
    -------
    Tensor
        Same shape as ``x``.

    Notes
    -----
    The variance is the population variance (divide by *n*, not *n* - 1): Eqs. 1-2 of Wu & He (2018).
    """
    mean = x.mean(axes, keepdim=True)
    var = x.var(axes, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + eps)


def batch_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalize each channel over all images and positions: what batch norm does in training.

    ``x`` is ``(N, C, H, W)``. Ioffe & Szegedy (2015), Algorithm 1, without the learned scale and offset.
    """
    return normalize(x, axes=(0, 2, 3), eps=eps)


def layer_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalize each image over all its channels and positions. ``x`` is ``(N, C, H, W)``."""
    return normalize(x, axes=(1, 2, 3), eps=eps)


def instance_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalize each channel of each image over its positions. ``x`` is ``(N, C, H, W)``."""
    return normalize(x, axes=(2, 3), eps=eps)


def group_norm(x: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """Normalize each image over groups of neighbouring channels. ``x`` is ``(N, C, H, W)``.

    One group is layer norm; ``groups == C`` is instance norm. Wu & He (2018), Eq. 7.

    Raises
    ------
    ValueError
        If the channels cannot be split into ``groups`` groups of equal size.
    """
    n, c, h, w = x.shape
    if groups < 1 or c % groups:
        raise ValueError(f"group_norm got {c} channels and {groups} groups; the groups must divide the channels")
    return normalize(x.reshape(n, groups, c // groups, h, w), axes=(2, 3, 4), eps=eps).reshape(x.shape)


def standardize(weight: Tensor, eps: float = WS_EPS) -> Tensor:
    """Give every output filter of a convolution mean 0 and standard deviation 1 (weight standardization).

    Parameters
    ----------
    weight : Tensor
        ``(out, in, kh, kw)``. Half-precision weights are standardized in float32, where ``eps`` is not rounded to 0.
    eps : float
        Inside the root: 1e-10 as in the official BiT code. Qiao et al. (2019) print 1e-5 outside it.

    Returns
    -------
    Tensor
        Same shape and dtype as ``weight``.
    """
    exact = weight.float() if weight.dtype in (torch.float16, torch.bfloat16) else weight
    return normalize(exact, axes=(1, 2, 3), eps=eps).to(weight.dtype)


def standardize_fused(weight: Tensor, eps: float = WS_EPS) -> Tensor:
    """What :func:`standardize` computes, in one call that takes a quarter of the time.

    Filters laid out as the channels of one image, batch norm in training mode gives each its mean 0 and spread 1.
    """
    if weight[0].numel() == 1:  # a filter of one weight has no spread; PyTorch refuses it
        return standardize(weight, eps)
    exact = weight.float() if weight.dtype in (torch.float16, torch.bfloat16) else weight
    filters = exact.reshape(1, len(exact), -1)
    return F.batch_norm(filters, None, None, training=True, eps=eps).reshape(exact.shape).to(weight.dtype)


class Norm2d(nn.Module):
    """Any of the four norms as a layer with a learned scale and offset per channel.

    Parameters
    ----------
    kind : {"batch", "layer", "instance", "group"}
        Which values share a mean.
    channels : int
        C of the ``(N, C, H, W)`` input.
    groups : int
        Only for ``kind="group"``.
    momentum : float
        Share of the newest batch in the running statistics (``kind="batch"``), as in ``torch.nn.BatchNorm2d``.

    Notes
    -----
    This is the layer to read. The networks use ``torch.nn.GroupNorm`` and ``torch.nn.BatchNorm2d``, which compute
    the same numbers in one fused call; the tests hold the two together.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, kind: str, channels: int, groups: int = 32, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        per_image = {"layer": 1, "instance": channels, "group": groups}
        if kind != "batch" and kind not in per_image:
            raise ValueError(f"unknown norm {kind!r}; choose batch, layer, instance or group")
        self.kind, self.eps, self.momentum = kind, eps, momentum
        self.groups = per_image.get(kind, 0)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        if kind == "batch":
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))

    def __prepare_scriptable__(self) -> nn.Module:
        """As for :class:`StdConv2d`."""
        raise TypeError(SCRIPT)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize ``x`` of shape ``(N, C, H, W)``, then scale and shift each channel.

        Raises
        ------
        ValueError
            If batch norm in training gets less than two values of a channel, which have no spread.
        """
        if self.kind != "batch":
            x = group_norm(x, self.groups, self.eps)
        elif self.training:
            self._update_running_statistics(x)
            x = batch_norm(x, self.eps)
        else:
            spread = torch.sqrt(self.running_var + self.eps)
            x = (x - self.running_mean[:, None, None]) / spread[:, None, None]
        return x * self.weight[:, None, None] + self.bias[:, None, None]

    @torch.no_grad()
    def _update_running_statistics(self, x: Tensor) -> None:
        n, _, h, w = x.shape
        if n * h * w < 2:  # the unbiased variance would be 0 / 0, and the running one NaN for ever
            raise ValueError(
                f"batch norm got {n * h * w} values a channel in training, expected at least 2; enlarge the batch or "
                f"the images, or call eval() first"
            )
        # The running variance is the unbiased one (n - 1), unlike the variance used for normalizing: Algorithm 2.
        self.running_mean.lerp_(x.mean((0, 2, 3)), self.momentum)
        self.running_var.lerp_(x.var((0, 2, 3), correction=1), self.momentum)


class StdConv2d(nn.Conv2d):
    """A convolution whose filters are standardized before use; the raw weights are what is trained and stored.

    Inside :func:`standardized_once` the standardized filters are computed once and shared by all forward passes.
    """

    shared: Tensor | None = None

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse ``torch.jit.script``, which would ask here and otherwise end in a page about its own syntax."""
        raise TypeError(SCRIPT)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x`` of shape ``(N, in, H, W)`` with the standardized filters."""
        weight = standardize_fused(self.weight) if self.shared is None else self.shared
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


@contextmanager
def standardized_once(model: nn.Module) -> Iterator[None]:
    """Standardize every filter of ``model`` once for all forward passes inside the block.

    The weights do not change between the micro-batches of a step, nor between the batches
    of an evaluation, so neither do their standardized forms. In training, ``backward()``
    inside the block leaves its gradients on the standardized filters; leaving the block
    carries their sum back through the standardization to the raw weights.
    """
    convs = [m for m in model.modules() if isinstance(m, StdConv2d)]
    filters = [standardize_fused(conv.weight) for conv in convs]
    shared = [weight.detach().requires_grad_(weight.requires_grad) for weight in filters]
    for conv, weight in zip(convs, shared, strict=True):
        conv.shared = weight
    try:
        yield
        used = [(w, s.grad) for w, s in zip(filters, shared, strict=True) if s.grad is not None]
        if used:
            torch.autograd.backward([w for w, _ in used], [grad for _, grad in used])
    finally:
        for conv in convs:
            conv.shared = None
