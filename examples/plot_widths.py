"""
What a width factor costs, and how to grow a network
====================================================

R50x3 is a ResNet-50 with three times the channels in every layer. This script counts what that costs, without
allocating a single weight, and then makes a wide network out of a narrow one without changing what it computes. It runs
in about ten seconds.
"""

import torch

from bitdoc import figures
from bitdoc.figures.architecture.sizes import size
from bitdoc.network.resnet import OFFICIAL, build, count_parameters
from bitdoc.network.widen import perturb, widen

# %%
# A convolution from :math:`wc` to :math:`wc` channels has :math:`w^2` times the weights of one from :math:`c` to
# :math:`c`, and does :math:`w^2` times the multiply-adds. The root's input stays at three colors, and norms and head
# grow only with :math:`w`, so the network stays a little below the square. Here for images of 224 pixels:

for name in OFFICIAL:
    parameters, operations = count_parameters(name, 0), size(name, 224)
    millions, billions = parameters / 1e6, operations / 1e9
    print(f"{name:7s} {millions:7.1f} M parameters   {billions:6.1f} G multiply-adds")
ratio = count_parameters("R50x3", 0) / count_parameters("R50x1", 0)
print(f"R50x3 / R50x1: parameters {ratio:.2f}, 3 squared is 9")

# %%
# Where the weights and the work are, in an R50x3 at 128 pixels.

strip = figures.draw("arch-strip")

# %%
# What the size is good for, by the accuracies the paper published.

bubbles = figures.draw("arch-bubbles")

# %%
# A trained network need not start over to become wide. ``widen`` repeats every channel, the copies side by side, and
# the logits stay: weight standardization keeps every filter's mean and spread, the sums grow by the factor, and group
# norm divides it away.

small = build("R14x1", classes=10, zero_head=False).eval()
large = widen(small, 2)
x = torch.rand(4, 3, 64, 64) * 2 - 1
with torch.no_grad():
    gap = (large(x) - small(x)).abs().max().item()
for model in (small, large):
    count = sum(p.numel() for p in model.parameters()) / 1e6
    print(f"{model.arch.name}: {count:.1f} M parameters")
print(f"largest change of a logit: {gap:.0e}")

# %%
# Equal copies get equal gradients and would stay equal. A little noise, relative to each filter's own spread, lets them
# part; how little can be read from the logits.

for scale in (0.01, 0.1):
    noisy = widen(small, 2)
    perturb(noisy, scale, seed=0)
    with torch.no_grad():
        change = ((noisy(x) - small(x)).norm() / small(x).norm()).item()
    print(f"noise of {scale:5.1%} of a filter's spread moves the logits by {change:5.1%}")

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(widths=strip, sizes=bubbles)
