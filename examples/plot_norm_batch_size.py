r"""
Batch norm, group norm and the size of the batch
================================================

Wu and He's group-norm paper made its case with a figure: with fewer images in a batch, batch norm gets worse and group
norm does not. Here it is in miniature, with and without weight standardization. A second study gives three of the
networks the same number of updates at every batch size and opens them: how far does a channel stand from zero behind
its norm? The page draws from cached runs in seconds. ``--run`` measures what the folder ``BITDOC_RESULTS`` lacks, and
goes on where it stopped: about 1½ hours of one core for the first study, ten minutes for the second::

    python examples/plot_norm_batch_size.py --run batch-size --datadir data
    python examples/plot_norm_batch_size.py --run equal-updates --datadir data
"""

import argparse
from statistics import mean

from bitdoc import figures
from bitdoc.records import runs
from bitdoc.studies.normalization import batch_size as sweep
from bitdoc.studies.normalization import equal_updates as equal

parser = argparse.ArgumentParser(
    description="Batch norm, group norm, and the batch size."
)
studies = ("batch-size", "equal-updates")
parser.add_argument("--run", choices=studies, help="measure this study first")
parser.add_argument("--datadir", help="folder that holds cifar10-jpeg (or CIFAR-10)")
arguments = parser.parse_args()

# %%
# Two studies
# -----------
#
# In the first a narrow ResNet v2 (R14x0.125) sees 16,000 CIFAR-10 images once, enlarged to 48 pixels so that its last
# maps still have 2 x 2 positions. Each of four variants has its learning rate chosen at a batch of 32, on 2,000
# training images held out for it; at other batches the rate is proportional to the batch.
#
# In the second it makes 300 updates at every batch size. Norm by norm and batch by batch, three learning rates are
# tried with three seeds each; the rate with the best mean accuracy on the held-out images is the one whose test
# accuracy is shown.

if arguments.run == "batch-size":
    sweep.run_batch_size(sweep.cifar(arguments.datadir, side=48, per_class=1600))
if arguments.run == "equal-updates":
    equal.run_equal_updates(sweep.cifar(arguments.datadir, side=32, per_class=1600))

accuracy = figures.draw("norm-batch-size-measured")

# %%
# The numbers behind the lines: median of the seeds, and their range.

for name, records in runs.group(runs.load(sweep.BATCH_SIZE), sweep.variant).items():
    for batch, group in runs.group(records, "batch").items():
        scores = sorted(record.result["top1"] for record in group)
        middle, low, high = scores[len(scores) // 2], scores[0], scores[-1]
        print(f"{name:8} batch {batch:3}   {middle:.1f} %   ({low:.1f} to {high:.1f})")

# %%
# And with equal updates: chosen learning rate, mean of the seeds, and their range.

for name in equal.VARIANTS:
    for batch in equal.BATCHES:
        records = equal.chosen(name, batch)
        scores = [record.result["top1"] for record in records]
        if scores:
            told = f"{mean(scores):.1f} %   ({min(scores):.1f} to {max(scores):.1f})"
            rate = records[0].setting["lr"]
            print(f"{name:8} batch {batch:3}  rate {rate:<5g}  {told}")

# %%
# Inside the networks that were trained with the largest batch: group norm alone leaves a channel its offset.

inside = figures.draw("norm-offset-trained")

# %%
# The same without any training, over twenty layers of random weights:

untrained = figures.draw("norm-offset")

# %%
# Where these runs were made, and whether the code that decides results has changed since:

for experiment in (sweep.BATCH_SIZE, equal.EXPERIMENT):
    print(f"{experiment}: {runs.provenance(runs.load(experiment))}")

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(norm_batch_size=accuracy, norm_offset=untrained)
    figures.save(norm_offset_trained=inside)
