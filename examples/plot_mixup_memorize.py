r"""
Where MixUp should help: a network that learns by heart
=======================================================

A small network from random weights sees 2,000 CIFAR-10 images a hundred times, with true labels and with 40% random
ones, without MixUp and with five values of :math:`\alpha`. The runs are kept with the package; a run takes about a
minute of one CPU core:

.. code-block:: bash

   python examples/plot_mixup_memorize.py                                # draw
   python examples/plot_mixup_memorize.py --run --datadir DIR            # measure the rest
   python examples/plot_mixup_memorize.py --run --datadir DIR --only 1/2 # a half of it
"""

import argparse
from functools import partial

from bitdoc import data, figures
from bitdoc.records import runs
from bitdoc.studies import sweeping
from bitdoc.studies.mixup import memorize

parser = argparse.ArgumentParser(description="Does MixUp help a network that memorizes?")
parser.add_argument("--run", action="store_true", help="measure what has no record yet")
parser.add_argument(
    "--only", metavar="I/N", help="every N-th run, from the I-th on (1 to N)"
)
where = f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)"
parser.add_argument("--datadir", help=where)
flags = parser.parse_args()
make = partial(memorize.record, datadir=flags.datadir)
status = sweeping.command(memorize.plan(), make, flags.only) if flags.run else 0
if status:
    raise SystemExit(status)

print(runs.provenance(runs.load(memorize.EXPERIMENT)))

# %%
# Over-fitting, without MixUp: the training images are learned by heart.

overfit = figures.draw("mixup-overfit")

# %%
# With MixUp. Above the accuracy on test images, below how many of the given labels are learned, right or wrong.

curves = figures.draw("mixup-memorize")

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(mixup_overfit=overfit, mixup_memorize=curves)
