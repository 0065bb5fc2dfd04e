"""
Where MixUp should not help: few shots and few passes
=====================================================

BiT reports that MixUp helps on middle-sized data sets and not in few-shot transfer. Is that so for the small network
that ships with this package? This script fine-tunes it on CIFAR-10 with 10 to 1,000 examples per class, with and
without MixUp, with right and with random labels. With no arguments it reads the cached runs.

.. code-block:: bash

   python examples/plot_mixup_study.py                                # from the cache
   python examples/plot_mixup_study.py --run --datadir DIR            # measure the rest
   python examples/plot_mixup_study.py --run --datadir DIR --only 1/2 # a half of it
"""

# %%
# Every run makes the same 250 steps: the rule's schedule for middle-sized tasks, 40 times shorter. Runs of one seed see
# the same images in the same order, so values of alpha can be compared seed by seed.

import argparse
from functools import partial

from bitdoc import data, figures
from bitdoc.records import runs
from bitdoc.studies import sweeping
from bitdoc.studies.mixup import study

parser = argparse.ArgumentParser(description="When does MixUp help a small network?")
parser.add_argument("--run", action="store_true", help="measure what has no record yet")
parser.add_argument(
    "--only", metavar="I/N", help="every N-th run, from the I-th on (1 to N)"
)
where = f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)"
parser.add_argument("--datadir", help=where)
flags = parser.parse_args()
make = partial(study.record, datadir=flags.datadir)
status = sweeping.command(study.plan(), make, flags.only) if flags.run else 0
if status:
    raise SystemExit(status)

print(study.plan()[0].recipe)
print(runs.provenance(runs.load(study.EXPERIMENT)))

# %%
# What MixUp adds to the accuracy, in points, against training without it on the same images.

for row in figures.tables()["mixup-few-shot"].function():
    print("   ".join(f"{cell:>14}" for cell in row))

# %%
# The reliability diagram: below the diagonal a network promises too much, above it too little. On the left a network
# that memorizes, on the right this one.

reliability = figures.draw("mixup-reliability")

# %%
# Run as a script, the example saves its figure.

if "__file__" in globals():
    figures.save(mixup_reliability=reliability)
