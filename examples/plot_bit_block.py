"""
Draw any residual block
=======================

A diagram drawn by hand is right until somebody changes the code. The diagrams of this book are traced: ``walk`` runs a
block's ``forward`` once on tensors without content and writes down every operation, its shape and its line of source.
This script draws BiT's block, changes it, and draws a block that the package has never seen.
"""

import torch
from torch import nn
from torch.nn import functional as F

from bitdoc import figures
from bitdoc.figures.architecture.diagram import block_diagram, walk
from bitdoc.network.resnet import PreActBottleneck, conv, norm

# %%
# BiT's bottleneck with 256 channels, at stride 1. The walk is a list that can be printed.

bit = PreActBottleneck(256, 256, 1, norm("group"), conv(standardized=True))
for box in walk(bit, (256, 32, 32)):
    shape = "x".join(map(str, box.shape))
    print(f"line {box.line:3d}   {box.label:14s} {box.detail:6s} {shape}")

# %%
# The book's own picture: the blocks of ResNet v1, of v2 (as in its authors' code for CIFAR) and of BiT. Blue is the way
# around the branch. Each block is compared with its left neighbor: solid orange is new or changed, dashed has no
# counterpart on the right.

three = figures.draw("arch-blocks")

# %%
# Where the map is halved and the channels are doubled, a projection stands on the shortcut. In BiT the stride is on the
# 3x3 convolution.

down = figures.draw("arch-blocks-down")

# %%
# Now change the module. Here BiT's block loses its norms and halves the map, so that it needs a projection. Nobody
# tells the drawing.

plain = PreActBottleneck(256, 256, 2, norm("none"), conv(standardized=True))
changed = block_diagram({"BiT": bit, "no norms, stride 2": plain}, (256, 32, 32))

# %%
# Any module with one input will do, as long as its ``forward`` does not branch on the values it computes. This is the
# basic block of the shallow ResNets: two 3x3 convolutions, no bottleneck.


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with pre-activation."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm_a, self.norm_b = nn.GroupNorm(32, channels), nn.GroupNorm(32, channels)
        self.conv_a = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv_b = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, C, H, W)`` to the same shape."""
        out = self.conv_a(F.relu(self.norm_a(x)))
        return x + self.conv_b(F.relu(self.norm_b(out)))


basic = block_diagram({"bottleneck": bit, "basic": BasicBlock(256)}, (256, 32, 32))

# %%
# The bottleneck has one layer more and a small part of the weights.

for name, block in (("bottleneck", bit), ("basic", BasicBlock(256))):
    print(f"{name:10s} {sum(p.numel() for p in block.parameters()):9,d} parameters")

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(blocks=three, downsampling=down, basic_block=basic)
