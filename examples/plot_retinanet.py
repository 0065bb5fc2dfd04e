"""
RetinaNet on a BiT backbone
===========================

BiT's Table 3 is about detection: boxes, not only names. Here the detector is taken apart while it runs, and a small one
learns to find rectangles.

.. code-block:: bash

   python examples/plot_retinanet.py          # draw from the cached run
   python examples/plot_retinanet.py --run    # train the small detector: minutes
"""

# %%
# ``retinanet`` puts torchvision's detector on any BiT network. The one of the paper, R101x3 at 1024 pixels, is large;
# on PyTorch's ``meta`` device it can be built and run without computing a number, and tells the shape of every map.

import argparse

import torch

from bitdoc import figures
from bitdoc.network import detector, resnet
from bitdoc.records import runs
from bitdoc.studies.models import rectangles

parser = argparse.ArgumentParser(description="RetinaNet on a BiT backbone.")
parser.add_argument("--run", action="store_true", help="train the small detector anew")
parser.add_argument("--output", default="retinanet.png", help="for the last figure")
flags = parser.parse_args()

with torch.device("meta"):
    model = detector.retinanet(resnet.build("R101x3", classes=0), classes=80)
    levels = model.backbone(torch.empty(1, 3, 1024, 1024))
for name, level in levels.items():
    print(name, tuple(level.shape))
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")

# %%
# The pyramid carries what the coarse maps know down to the fine ones.

pyramid = figures.draw("retinanet-pyramid")

# %%
# Every cell of every level has nine boxes, and only a few of them fit an object.

boxes = detector.anchor_boxes((400, 600))
print({name: len(level) for name, level in boxes.items()})
anchors = figures.draw("retinanet-anchors")

# %%
# The task of the small detector: one to four bright rectangles on noise, upright or lying.

images, targets = rectangles.draw(2, 128, torch.Generator().manual_seed(0))
for target in targets:
    print(target["labels"].tolist(), target["boxes"].tolist())

# %%
# A run leaves a record; the two figures below are drawn from it.

if flags.run:
    print(f"wrote {runs.write(rectangles.measure())}")

# %%
# Nearly all answers are "background", easily given. Focal loss keeps their sum from drowning the rest.

focal = figures.draw("focal-loss")

# %%
# Trained with it, the detector finds what it has never seen.

learns = figures.draw("retinanet-learns")

# %%
# Run as a script, the example saves the last figure.

if "__file__" in globals():
    learns.savefig(flags.output)
    print(f"saved {flags.output}")
