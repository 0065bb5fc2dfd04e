"""
BiT-HyperRule, asked
====================

Fine-tuning has many settings. BiT chooses nearly all of them once and for all, and the rest by a rule that knows two
things about a task: how large its images are, and how many labeled examples it has. This example asks the rule.

.. code-block:: bash

   python examples/plot_hyperrule.py                                   # the paper's tasks
   python examples/plot_hyperrule.py --examples 3000 --size 300 400    # yours
"""

# %%
# Run as a script, it takes a task of your own.

import argparse

from bitdoc import figures
from bitdoc.training import hyperrule

parser = argparse.ArgumentParser(description="What BiT-HyperRule says about a task.")
parser.add_argument("--examples", type=int, help="labeled training images in all")
sides = {"nargs": 2, "default": (224, 224), "metavar": ("HEIGHT", "WIDTH")}
parser.add_argument("--size", type=int, **sides, help="of an image")
flags = parser.parse_args()

tasks = {
    "CIFAR-10, 1 per class": (10, (32, 32)),
    "VTAB-1k": (1_000, (224, 224)),
    "Oxford Pets": (3_680, (224, 224)),
    "CIFAR-10": (50_000, (32, 32)),
    "ILSVRC-2012": (1_281_167, (224, 224)),
}
if flags.examples:
    tasks = {"yours": (flags.examples, tuple(flags.size))}

# %%
# Two questions, and the path that they open.

path = figures.draw("rule-path")

# %%
# The answers for the paper's tasks. A step is always 512 images, so a small task is seen many times: the 10 images of
# the first row more than 25,000 times each, under random crops and mirrors.

print("task                   size    resize  crop   steps  MixUp    passes")
for name, (examples, size) in tasks.items():
    kind, (resize, crop) = hyperrule.task_size(examples), hyperrule.get_resolution(size)
    steps, mixup = hyperrule.get_schedule(examples)[-1], hyperrule.get_mixup(examples)
    passes = steps * 512 / examples
    print(f"{name:22} {kind:7} {resize:6} {crop:5} {steps:7,} {mixup:6} {passes:9,.1f}")

# %%
# The learning rate rises over the warm-up and then falls tenfold three times. The very first step has rate 0, and a
# drop at step 200 is first felt at step 201: both are what the official code does.

for step in (0, 50, 100, 200, 201, 301, 401, 499, 500):
    lr = hyperrule.get_lr(step, examples=100)
    print(
        f"step {step:3}:", "training is over" if lr is None else f"learning rate {lr:g}"
    )

# %%
# The paper's text and the code agree on medium and large tasks but for the warm-up, and differ on small ones.

staircase = figures.draw("rule-staircase")

# %%
# Run as a script, the example saves both figures.

if "__file__" in globals():
    figures.save(rule_path=path, rule_staircase=staircase)
