r"""
Two photographs, one training example
=====================================

MixUp adds two examples, pixel by pixel, and adds their labels with the same weights. This script does so with two
photographs that ship with scikit-image and shows how the weight is drawn. It runs in a few seconds.
"""

import torch

from bitdoc import figures
from bitdoc.figures.mixup.pictures import NAMES, pictures
from bitdoc.training.mixup import draw_lambda, mix

# %%
# A batch of two: a cat and a cup, with one-hot labels. Its partner is the same batch in another order; with two
# examples there is only one other order.

x = pictures()
y = torch.eye(2, dtype=x.dtype)
partner = torch.tensor([1, 0])
print(tuple(x.shape), y.tolist())

# %%
# The same line of code mixes the pictures and the labels. The first picture is now 70% cat and 30% cup; the second one
# is the other way round, because one weight serves the whole batch.

mixed_x, mixed_y = mix(x, 0.7, partner), mix(y, 0.7, partner)
for row in mixed_y:
    shares = zip(row, NAMES, strict=True)
    print(", ".join(f"{share:.1f} {name}" for share, name in shares))

# %%
# Six weights, from the pure cat to the pure cup.

samples = figures.draw("mixup-samples")

# %%
# In training the weight is drawn anew for every step from the Beta distribution with parameters :math:`\alpha` and
# :math:`\alpha`. BiT uses :math:`\alpha = 0.1`. Ten draws: most leave one of the two pictures almost untouched.

generator = torch.Generator().manual_seed(0)
print(", ".join(f"{draw_lambda(0.1, generator):.3f}" for _ in range(10)))

# %%
# Ten thousand draws for each of four values show the trend. At :math:`\alpha = 1` every weight is equally likely.

weights = figures.draw("mixup-beta")

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(mixup_pictures=samples, mixup_weights=weights)
