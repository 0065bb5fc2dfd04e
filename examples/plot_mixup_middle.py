r"""
MixUp and a pre-trained network, in as many passes as BiT
=========================================================

BiT's rule trains a pre-trained network on CIFAR-10's 50,000 images a hundred times, with MixUp. Is it of use there? The
small network that ships with this package sees 2,000 of them a hundred times, without MixUp, with BiT's
:math:`\alpha = 0.1` and with :math:`\alpha = 1`. With no arguments this script reads the cached runs; a run takes about
five minutes of one CPU core:

.. code-block:: bash

   python examples/plot_mixup_middle.py                                # from the cache
   python examples/plot_mixup_middle.py --run --datadir DIR            # measure the rest
   python examples/plot_mixup_middle.py --run --datadir DIR --only 1/2 # a half of it
"""

import argparse
from functools import partial

from bitdoc import data, figures
from bitdoc.records import runs
from bitdoc.studies import sweeping
from bitdoc.studies.mixup import middle

parser = argparse.ArgumentParser(description="Does MixUp help where BiT takes it?")
parser.add_argument("--run", action="store_true", help="measure what has no record yet")
parser.add_argument(
    "--only", metavar="I/N", help="every N-th run, from the I-th on (1 to N)"
)
where = f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)"
parser.add_argument("--datadir", help=where)
flags = parser.parse_args()
make = partial(middle.record, datadir=flags.datadir)
status = sweeping.command(middle.plan(), make, flags.only) if flags.run else 0
if status:
    raise SystemExit(status)

print(middle.plan()[-1].recipe)
print(runs.provenance(runs.load(middle.EXPERIMENT)))

# %%
# Does the network learn its images by heart, and what does MixUp add to the accuracy on others?

figure = figures.draw("mixup-middle")

# %%
# Run as a script, the example saves its figure.

if "__file__" in globals():
    figures.save(mixup_middle=figure)
