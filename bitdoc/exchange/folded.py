"""A network whose filters are standardized once for all: what is computed stays the same, what is left is plain."""

from __future__ import annotations

import torch

from bitdoc.network.norms import StdConv2d, standardize_fused
from bitdoc.network.resnet import ResNetV2
from bitdoc.network.weights import WeightsError


@torch.no_grad()
def folded(model: ResNetV2) -> ResNetV2:
    """A copy of ``model``, in evaluation mode, with ordinary convolutions that hold the standardized filters.

    It computes what ``model`` computes and does not ask for weight standardization where it runs. It is for use, not
    for training: a step would leave the filters that standardization allows.

    Raises
    ------
    WeightsError
        If the network has no weight standardization, or not BiT's group norm.
    """
    if not (isinstance(model.root.conv, StdConv2d) and isinstance(model.norm, torch.nn.GroupNorm)):
        raise WeightsError("only a network with group norm and weight standardization can be folded")
    filters = {
        f"{name}.weight": standardize_fused(module.weight)
        for name, module in model.named_modules()
        if isinstance(module, StdConv2d)
    }
    with torch.device("meta"):
        plain = ResNetV2(model.arch, model.classes, standardized=False)
    state = {name: value.clone() for name, value in model.state_dict().items() if name not in filters}
    plain.load_state_dict(state | filters, assign=True)
    return plain.eval().requires_grad_(False)
