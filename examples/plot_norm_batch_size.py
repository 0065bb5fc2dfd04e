r"""
Three norms, three batch sizes, and a look inside
=================================================

Wu and He's group-norm paper made its case with a figure: with fewer images in a batch, batch norm gets worse and group
norm does not. Here it is in miniature, with weight standardization beside them, each network trained for the same
number of updates. Then the trained networks are opened: how far does a channel stand from zero behind its norm? The
page draws from cached runs in seconds. ``--run`` measures what the folder ``BITDOC_RESULTS`` lacks, and goes on
where it stopped::

    python examples/plot_norm_batch_size.py --run --datadir data   # about ten minutes of one core
"""

import argparse
from statistics import mean

from bitdoc import figures
from bitdoc.records import runs
from bitdoc.studies.normalization import batch_size as study

parser = argparse.ArgumentParser(description="Batch norm, group norm and weight standardization by batch size.")
parser.add_argument("--run", action="store_true", help="measure what is missing instead of only drawing")
parser.add_argument("--datadir", help="folder that holds cifar10-jpeg (or CIFAR-10)")
arguments = parser.parse_args()

# %%
# A narrow ResNet v2 (R14x0.125) learns from 16,000 CIFAR-10 images. Norm by norm and batch by batch, three learning
# rates are tried with three seeds each; the rate with the best mean accuracy on 2,000 held-out training images is the
# one whose test accuracy is shown.

if arguments.run:
    study.run_study(study.cifar(arguments.datadir))

accuracy = figures.draw("norm-batch-size-measured")

# %%
# The numbers behind the lines: chosen learning rate, mean of the seeds, and their range.

for batch in study.BATCHES:
    for name in study.VARIANTS:
        records = study.chosen(name, batch)
        scores = [record.result["top1"] for record in records]
        if scores:
            rate = records[0].setting["lr"]
            told = f"{mean(scores):.1f} %  ({min(scores):.1f} to {max(scores):.1f})"
            print(f"batch {batch:3}  {name:8} rate {rate:<5g}  {told}")

# %%
# Inside the networks that were trained with the largest batch: group norm alone leaves a channel its offset.

inside = figures.draw("norm-offset-trained")

# %%
# The same without any training, over twenty layers of random weights:

untrained = figures.draw("norm-offset")

# %%
# Where these runs were made, and whether the code that decides results has changed since:

print(runs.provenance(runs.load(study.EXPERIMENT)))

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(norm_batch_size=accuracy, norm_offset_trained=inside, norm_offset=untrained)
