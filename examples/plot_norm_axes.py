r"""
Four norms are one formula and four sets of axes
================================================

Batch, layer, instance and group norm subtract a mean and divide by a standard deviation. They differ in the values over
which the two are taken. The picture colors those values for one channel of one image; the code below is all there is to
compute.
"""

import torch
from torch import nn

from bitdoc import figures
from bitdoc.network import norms

axes = figures.draw("norm-axes")

# %%
# A block of activations has the shape (N, C, H, W): images, channels, height, width. Three of the norms are
# :func:`bitdoc.network.norms.normalize` with the right axes. For group norm the channels are first split into groups.

x = 5 + 3 * torch.randn(8, 6, 4, 4, generator=torch.Generator().manual_seed(0))
batch = norms.normalize(x, axes=(0, 2, 3))
layer = norms.normalize(x, axes=(1, 2, 3))
instance = norms.normalize(x, axes=(2, 3))
group = norms.normalize(x.reshape(8, 3, 2, 4, 4), axes=(2, 3, 4)).reshape(x.shape)

# %%
# PyTorch's layers, without their learned scale and offset, compute the same:

layers = {
    "batch": (batch, nn.BatchNorm2d(6, affine=False)),
    "layer": (layer, nn.LayerNorm((6, 4, 4), elementwise_affine=False)),
    "instance": (instance, nn.InstanceNorm2d(6)),
    "group": (group, nn.GroupNorm(3, 6, affine=False)),
}
for name, (ours, theirs) in layers.items():
    print(f"{name:8}", torch.allclose(ours, theirs(x), atol=1e-5))

# %%
# Group norm's extremes are layer norm and instance norm:

one, six = norms.group_norm(x, groups=1), norms.group_norm(x, groups=6)
print("one group is layer norm:", torch.allclose(one, layer))
print("one channel a group is instance norm:", torch.allclose(six, instance))

# %%
# Exchange one image of the batch, and look at the outputs of the other seven. Only batch norm lets them know:

changed = x.clone()
changed[0] = torch.randn(6, 4, 4, generator=torch.Generator().manual_seed(1))
for name, norm in (("batch norm", norms.batch_norm), ("layer norm", norms.layer_norm)):
    moved = (norm(changed) - norm(x))[1:].abs().max()
    print(f"{name}: the others move by up to {moved:.3f}")

# %%
# Weight standardization is the same arithmetic on something else: each filter of a convolution gets mean 0 and standard
# deviation 1 over all its weights.

filters = nn.Conv2d(6, 16, kernel_size=3).weight.detach()
standardized = norms.standardize(filters)
means, spreads = standardized.mean((1, 2, 3)), standardized.std((1, 2, 3), correction=0)
print("means:", torch.allclose(means, torch.zeros(16), atol=1e-6))
print("standard deviations:", torch.allclose(spreads, torch.ones(16)))

# %%
# The worked example of the page: the framed 8 becomes four different numbers in four different sets.

worked = figures.draw("norm-worked")

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(norm_axes=axes, norm_worked=worked)
