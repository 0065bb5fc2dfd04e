"""
From a folder of pictures to a classifier in use
================================================

Thirty-nine photographs of each of five classes lie in folders, and five new ones wait for their names. This example
goes the whole way with the command ``bitdoc``: look at the folder, probe it, name the new pictures. The photographs are
of CIFAR-10 and ship with the package; :doc:`/own-pictures` tells how to do it with yours.

.. code-block:: bash

   python -m bitdoc.desk.sample                 # makes my_pictures/ and new/
   bitdoc look my_pictures
   bitdoc probe my_pictures
   bitdoc predict my_pictures/run new/
"""

# %%
# The folder, as a user has it.

import tempfile
from contextlib import chdir
from pathlib import Path

import torch

import bitdoc
from bitdoc import figures
from bitdoc.data import pictures
from bitdoc.desk import sample
from bitdoc.figures import style
from bitdoc.main import main
from bitdoc.records import runs

room = tempfile.TemporaryDirectory()
folder = Path(room.name)
mine = sample.make(folder)
with chdir(folder):
    status = main(["look", "my_pictures"])

# %%
# Near-duplicates would have been kept on one side of the split, and faults listed. What comes next is the idea of
# transfer learning: keep the weights that were learned upstream (blue), and fit a new head to your classes (green).

idea = figures.draw("transfer-idea")
idea

# %%
# The probe does just that: features of the network that ships with the package, and a linear head on them. The test
# pictures are named once, at the end.

with chdir(folder):
    status = main(["probe", "my_pictures"])

# %%
# The run is a folder. ``record.json`` holds what was measured; how much the last labels were worth stands in its curve.

record = runs.read(mine / "run" / "record.json")
by_count: dict[int, list[float]] = {}
for count, accuracy in zip(record.curve["examples"], record.curve["top1"], strict=True):
    by_count.setdefault(count, []).append(accuracy)
for count, accuracies in by_count.items():
    told = ", ".join(f"{accuracy:.1f} %" for accuracy in accuracies)
    print(f"{count:4} training pictures: {told}")

# %%
# ``bitdoc.load`` returns the network with the names of its classes and the way it wants its pictures.

network = bitdoc.load(mine / "run")
new = sorted((folder / "new").iterdir())
with torch.no_grad():
    shares = network(torch.stack([network.preprocess(path) for path in new])).softmax(1)

# %%
# Each new picture, and how sure the network is of each class. Five are few, and may be lucky ones: what to expect of
# the next hundred is the accuracy above, with its interval.

answers = [network.classes[row.argmax()] for row in shares]
named = sum(said == true for said, true in zip(answers, sample.CLASSES, strict=True))
with style.use("light"):
    picture, axes = style.new(7.2, 3.6, rows=2, columns=len(new))
    for path, row, (above, below) in zip(new, shares.tolist(), axes.T, strict=True):
        above.imshow(pictures.read(path))
        above.set_axis_off()
        above.set_title(f"Picture {path.stem}", loc="center")
        blue, sky = style.COLOURS["blue"], style.COLOURS["sky"]
        colors = [blue if share == max(row) else sky for share in row]
        below.barh(network.classes, row, color=colors)
        below.set(xlim=(0, 1), xlabel="probability")
        below.invert_yaxis()
        if below is not axes[1, 0]:
            below.set_yticks([])
    told = f"Of {len(new)} new pictures {named} are named right"
    picture.suptitle(told, x=0.02, ha="left")
picture

# %%
# Run as a script, the example saves its figure. In earnest one would give ``probe`` a larger network,
# ``--model BiT-M-R50x1``, which has seen 14 million photographs instead of 100,000 thumbnails.

room.cleanup()
if "__file__" in globals():
    figures.save(own_pictures=picture)
