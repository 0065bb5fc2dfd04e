r"""
Batch norm, group norm and the size of the batch
================================================

Wu and He's group-norm paper has a figure that made its case: with fewer images in a batch, batch norm's error rises and
group norm's does not. Here it is in miniature, with and without weight standardization, and after it the transfer table
of the BiT paper. The page draws from cached runs in seconds. ``--run`` measures what the folder
``BITDOC_RESULTS`` lacks, and goes on where it stopped::

    python examples/plot_norm_batch_size.py --run batch-size --datadir data   # about 1¾ hours of one core
    python examples/plot_norm_batch_size.py --run transfer --datadir data     # about 1½ hours of one core
"""

import argparse
from pathlib import Path

from bitdoc import data, figures
from bitdoc.records import runs
from bitdoc.studies.normalization import batch_size as norm_study
from bitdoc.studies.normalization import transfer as norm_transfer

parser = argparse.ArgumentParser(description="Batch norm, group norm and the size of the batch.")
parser.add_argument("--run", choices=("batch-size", "transfer"), help="measure this study instead of only drawing")
parser.add_argument("--datadir", help="folder that holds cifar10-jpeg (or CIFAR-10) and tiny-imagenet-200")
parser.add_argument("--workdir", type=Path, default=Path("upstream"), help="weights of the upstream variants")
parser.add_argument("--seeds", help="seeds to run, such as 0,1, so that processes share the work (default: all)")
arguments = parser.parse_args()
seeds = [int(seed) for seed in arguments.seeds.split(",")] if arguments.seeds else None

# %%
# The study of the batch size
# ---------------------------
#
# A narrow ResNet v2 (R14x0.125) sees 16,000 CIFAR-10 images once, enlarged to 48 pixels so that its last maps still
# have 2 x 2 positions. There are four variants: batch or group norm, plain or standardized filters. Each has its
# learning rate chosen at a batch of 32, on 2,000 training images held out for it; at other batches the rate is
# proportional to the batch. Every run is scored on all 10,000 test images.

if arguments.run == "batch-size":
    norm_study.run_batch_size(norm_study.cifar(arguments.datadir, side=48, per_class=1600), seeds or norm_study.SEEDS)

batch_size = figures.draw("norm-batch-size-measured")

# %%
# The numbers behind the lines: median of the seeds, and their range.

for name, records in runs.group(runs.load(norm_study.BATCH_SIZE), norm_study.variant).items():
    for batch, group in runs.group(records, "batch").items():
        scores = sorted(record.result["top1"] for record in group)
        print(f"{name:8} batch {batch:3}   {scores[len(scores) // 2]:.1f} %   ({scores[0]:.1f} to {scores[-1]:.1f})")

# %%
# The study of transfer
# ---------------------
#
# The same four variants of a somewhat wider network (R14x0.25) are pre-trained for three epochs on Tiny ImageNet at
# 32 pixels, then fine-tuned on ten CIFAR-10 images of each class, five subsets for each pre-training.
# Upstream all variants share one learning rate; downstream each has its own, chosen on training images held out.

if arguments.run == "transfer":
    norm_transfer.run_transfer(
        norm_study.cifar(arguments.datadir, side=32, per_class=1600),
        data.load("tiny-imagenet", "train", arguments.datadir),
        data.load("tiny-imagenet", "test", arguments.datadir),
        arguments.workdir,
        seeds or norm_transfer.SEEDS,
    )

transfer = figures.draw("norm-transfer-measured")

# %%
# Where these runs were made, and whether the code that decides results has changed since:

for experiment in (norm_study.BATCH_SIZE, norm_transfer.UPSTREAM, norm_transfer.TRANSFER):
    print(f"{experiment}: {runs.provenance(runs.load(experiment))}")

# %%
# Run as a script, the example saves its figures.

if "__file__" in globals():
    figures.save(norm_batch_size=batch_size, norm_transfer=transfer)
