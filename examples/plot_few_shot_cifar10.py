"""
Few-shot transfer to CIFAR-10
=============================

How much does a network that has seen other pictures gain from one, two, five or ten labeled pictures of each class?
This example draws the paper's Fig. 6 for CIFAR-10: the published values, and beside them what was measured with this
package. With no arguments it draws from the cached runs in seconds; ``--run`` measures what is missing
(name an empty folder in ``BITDOC_RESULTS`` to measure all anew).

.. code-block:: bash

   python examples/plot_few_shot_cifar10.py          # draw
   python examples/plot_few_shot_cifar10.py --check  # repeat one run and compare
   # on a laptop: the network that is shipped, and the same from random weights
   python examples/plot_few_shot_cifar10.py --run --model BiT-T-R26x0.5
   python examples/plot_few_shot_cifar10.py --run --model R26x0.5
   # on a CUDA card: R50x3 from the start, and with the paper's weights
   python examples/plot_few_shot_cifar10.py --run --model BiT-T-R50x3 --compile
   python examples/plot_few_shot_cifar10.py --run --model BiT-M-R50x3
"""

# %%
# A sweep is a list of runs: a model, the number of examples of each class, and the seed that draws the subset. Each run
# leaves one small record, so a sweep that is stopped goes on where it was.

import os

from bitdoc import figures
from bitdoc.studies.fewshot import make_runs
from bitdoc.training import command, recipe

parser = command.Parser(description="Few-shot transfer to CIFAR-10: the paper's Fig. 6.")
make_runs.arguments(parser)
parser.add_argument(
    "--output",
    type=command.picture,
    default=command.path("few_shot_cifar10.png"),
    help="where the figure is saved, run as a script",
)
flags = parser.parse_args()
status = make_runs.command(flags)
# Of several processes one draws.
if status or flags.dry_run or int(os.environ.get("RANK", 0)):
    raise SystemExit(status)

# %%
# The recipe is BiT-HyperRule's. For the miniature networks it keeps its shape (warm-up, three tenfold drops, no MixUp
# below 20,000 examples, no weight decay, a head that starts at zero) with fewer and smaller steps.

print(recipe.rule(10 * 5, size=(32, 32)))
print(recipe.miniature(10 * 5))

# %%
# One light dot is one run on its own random subset; lines join the medians.

figure = figures.draw("few-shot")
figure

# %%
# ResNet-50x3, the network of the paper's middle, run by run: what is published, and what was measured here.

wide = figures.draw("few-shot-r50x3")
wide

# %%
# Run as a script, the example saves both figures.

if "__file__" in globals():
    output = flags.output
    beside = output.with_stem(f"{output.stem}_r50x3")
    for path, drawn in ((output, figure), (beside, wide)):
        drawn.savefig(path)
        print(f"saved {path}")
