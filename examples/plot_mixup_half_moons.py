r"""
What MixUp does to a decision boundary
======================================

Two interleaved half-moons, a fifth of their points with the wrong label, and a network with two hidden layers that
trains long enough to learn them by heart. The runs are kept with the package; the figures are drawn from their records:

.. code-block:: bash

   python examples/plot_mixup_half_moons.py          # draw
   python examples/plot_mixup_half_moons.py --run    # measure the rest, 2 s a run
"""

import argparse

from bitdoc import figures
from bitdoc.records import runs
from bitdoc.studies import sweeping
from bitdoc.studies.mixup import half_moons

parser = argparse.ArgumentParser(description="What does MixUp do to a decision boundary?")
parser.add_argument("--run", action="store_true", help="measure what has no record yet")
flags = parser.parse_args()
status = sweeping.command(half_moons.plan(), half_moons.make) if flags.run else 0
if status:
    raise SystemExit(status)

print(runs.provenance(runs.load(half_moons.EXPERIMENT)))

# %%
# The probability that the network gives to the orange class, everywhere in the plane. Without MixUp it builds islands
# around points with a wrong label; as :math:`\alpha` grows they go.

boundaries = figures.draw("mixup-moons")

# %%
# Over the steps of training: all networks find the moons early, and without MixUp the wrong labels are learned too.

curves = figures.draw("mixup-moons-curves")

# %%
# A few steps of one of these trainings, made now. Halfway between two points of different classes MixUp asks for a
# confidence of one half.

for alpha in (0.0, 1.0):
    run = half_moons.Run(alpha, half_moons.FLIPPED, seed=0)
    trained = half_moons.train(run, steps=150)
    fresh = half_moons.right(trained, *half_moons.fresh_points(0))
    halfway = half_moons.halfway_confidence(trained)
    print(f"alpha {alpha:g}   right {fresh:.1f}%   confidence halfway {halfway:.2f}")

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(half_moons=boundaries, half_moons_curves=curves)
