r"""
What MixUp does to a decision boundary
======================================

Two interleaved half-moons, a network with two hidden layers, and MixUp with four values of :math:`\alpha`. Everything
is trained while the script runs, in a few seconds: four values, three seeds each.
"""

import torch

from bitdoc import figures
from bitdoc.studies.mixup.half_moons import ALPHAS, SEEDS, confidence, fresh_accuracy, train

# %%
# The probability that the network gives to the orange class, everywhere in the plane. Without MixUp it is close to 0 or
# to 1 almost everywhere, also where there is no data. With MixUp a band of undecided color opens between the moons.

boundaries = figures.draw("mixup-moons")

# %%
# How confident is the network between the classes? Take every pair of a blue and an orange training point and walk from
# one to the other. MixUp asks for the probability :math:`\lambda` of orange when the weight of the orange point is
# :math:`\lambda`; halfway, that is a confidence of one half.

halfway = torch.tensor([0.5])
for alpha in ALPHAS:
    runs = [train(alpha, seed) for seed in SEEDS]
    between = [f"{confidence(run, halfway).item():.2f}" for run in runs]
    right = [f"{100 * fresh_accuracy(run, seed):.1f}%" for run, seed in zip(runs, SEEDS, strict=True)]
    print(f"alpha {alpha:3g}   confidence halfway {', '.join(between)}   right on fresh points {', '.join(right)}")

# %%
# No network comes down to one half: the lines cross the moons themselves, where pure points of the other class
# contradict the mixed label. The same conflict costs accuracy when :math:`\alpha` is large.

curves = figures.draw("mixup-moons-confidence")

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(half_moons=boundaries, half_moons_confidence=curves)
