"""Where a network's features put images: with random, pre-trained and fine-tuned weights, in one run record.

``python -m bitdoc.studies.transfer.feature_map`` fine-tunes the shipped model on CIFAR-10 and writes the record that
the page on transfer learning draws. Expected before it was run: pre-trained features put images of a class closer
together than random ones, and fine-tuning moves them further if it has hundreds of images of a class, hardly if it has
ten.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from bitdoc import data
from bitdoc.network import weights
from bitdoc.records import runs
from bitdoc.studies.probe import features
from bitdoc.training import command
from bitdoc.training.engine import PRECISIONS
from bitdoc.training.finetune import Engine, Recipe, Task, finetune, miniature, starting_network

EXPERIMENT = "feature-map"
#: The three networks whose features are mapped, in the order in which they come about.
WHEN = ("random", "pre-trained", "fine-tuned")


def directions(points: Tensor) -> Tensor:
    """Center ``(N, D)`` features and scale each to length 1, so that distance between them means angle."""
    return F.normalize(points - points.mean(0), dim=1)


def project(points: Tensor) -> Tensor:
    """Flatten ``(N, D)`` points to ``(N, 2)`` by principal components, scaled to spread 1 along the first."""
    centered = points - points.mean(0)
    _, _, axes = torch.linalg.svd(centered, full_matrices=False)
    flat = centered @ axes[:2].T
    return flat / flat[:, 0].std()


def _affinities(points: Tensor, perplexity: float) -> Tensor:
    """Probability ``(N, N)`` with which one point would choose another as its neighbor, the same both ways."""
    distance = torch.cdist(points, points).square()
    distance.fill_diagonal_(math.inf)
    low, high = torch.zeros(len(points), 1, dtype=points.dtype), torch.full((len(points), 1), 1e6, dtype=points.dtype)
    for _ in range(60):  # the precision at which the neighbors' entropy is that of `perplexity` equal ones
        middle = (low * high).sqrt().where(low > 0, high / 2)
        chosen = torch.softmax(-middle * distance, dim=1)
        entropy = -(chosen * chosen.clamp_min(1e-30).log()).sum(1, keepdim=True)
        spread = entropy > math.log(perplexity)
        low, high = middle.where(spread, low), high.where(spread, middle)
    return (chosen + chosen.T) / (2 * len(points))


def neighbour_map(points: Tensor, perplexity: float = 20, steps: int = 600) -> Tensor:
    """Lay ``(N, D)`` points out in the plane so that neighbors stay neighbors: t-SNE, started from :func:`project`.

    Far distances on such a map mean nothing. Source: van der Maaten and Hinton (2008), Eqs. 1 to 5 and Algorithm 1.

    Returns
    -------
    Tensor
        ``(N, 2)``, spread 1; the same for the same points.
    """
    points = points.double()
    wanted = _affinities(points, min(perplexity, (len(points) - 1) / 3))
    place, speed = 1e-2 * project(points), torch.zeros(len(points), 2, dtype=torch.float64)
    for step in range(steps):
        kernel = 1 / (1 + torch.cdist(place, place).square())
        kernel.fill_diagonal_(0)
        early = step < steps // 4
        pull = (wanted * (12 if early else 1) - kernel / kernel.sum()) * kernel
        gradient = 4 * (pull.sum(1, keepdim=True) * place - pull @ place)
        speed = (0.5 if early else 0.8) * speed - len(points) / 12 * gradient
        place = place + speed
    return ((place - place.mean(0)) / place.std()).float()


def turned_onto(points: Tensor, target: Tensor) -> Tensor:
    """Rotate or mirror ``(N, 2)`` points to lie as close as they can on ``target``; the axes of a map mean nothing."""
    u, _, v = torch.linalg.svd(points.T @ target)
    return points @ u @ v


def neighbour_agreement(points: Tensor, labels: Tensor) -> float:
    """Share of images, in percent, whose nearest other image by angle in the full features has their label."""
    similarity = directions(points) @ directions(points).T
    similarity.fill_diagonal_(-2)
    return 100 * float((labels[similarity.argmax(1)] == labels).float().mean())


def measure(
    name: str,
    task: Task,
    recipe: Recipe,
    *,
    judged: int = 100,
    drawn: int = 30,
    seed: int = 0,
    directory: str | None = None,
    engine: Engine | None = None,
) -> runs.RunRecord:
    """Map test images in the features of ``name`` from random weights, from its own, and after fine-tuning on ``task``.

    Returns the record (which the caller writes). Its ``result`` holds, for ``judged`` test images of each class,
    ``agreement``: :func:`neighbour_agreement` in each of :data:`WHEN`; and for the ``drawn`` first of them ``labels``
    and, by the same names, the ``(N, 2)`` coordinates.
    """
    engine = engine or Engine.start()
    task = task.interpolated(recipe.interpolation)
    indices, few = (data.few_shot_indices(task.test.labels, count, seed) for count in (judged, drawn))
    shown, on_map = task.test.subset(indices), torch.isin(indices, few)
    found = {}
    for when, start in (("random", weights.ModelName.parse(name).arch), ("pre-trained", name)):
        network, _ = starting_network(start, len(task.train.classes), directory, seed)
        found[when] = features(engine.place(network), shown, recipe.crop, engine)
    small = replace(task, test=shown)  # the accuracy in the record is that of the images judged
    run = f"{name}_{task.setting['examples_per_class']}"
    model, record = finetune(
        name, small, recipe, experiment=EXPERIMENT, run=run, seed=seed, directory=directory, engine=engine
    )
    found["fine-tuned"] = features(model, shown, recipe.crop, engine)
    labels = shown.labels.cpu()
    maps = {when: neighbour_map(directions(points)[on_map]) for when, points in found.items()}
    maps["fine-tuned"] = turned_onto(maps["fine-tuned"], maps["pre-trained"])
    result = record.result | {
        "labels": labels[on_map].tolist(),
        "agreement": {when: round(neighbour_agreement(points, labels), 1) for when, points in found.items()},
        **{when: [[round(value, 2) for value in point] for point in flat.tolist()] for when, flat in maps.items()},
    }
    setting = record.setting | {"classes": list(shown.classes), "test_images": len(shown)}
    return replace(record, setting=setting | {"judged": judged, "drawn": drawn}, result=result)


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the record; returns the exit status."""
    description = "Map where a network's features put images, and write the record."
    parser = command.Parser(prog="python -m bitdoc.studies.transfer.feature_map", description=description)
    parser.add_argument("--model", type=command.model, default="BiT-T-R26x0.5")
    parser.add_argument("--shots", type=command.count, default=1000, help="examples per class to fine-tune on")
    parser.add_argument("--steps", type=command.count, default=500, help="of the fine-tuning, a multiple of 5")
    where = f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)"
    parser.add_argument("--datadir", type=command.path, help=where)
    parser.add_argument(
        "--bit_pretrained_dir", "--bit-pretrained-dir", type=command.path, help="folder with .npz weights"
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="default: bfloat16 or float16 on CUDA, else float32")
    return command.ended(lambda: _work(parser.parse_args(arguments)), "stopped; nothing was kept")


def _work(flags: argparse.Namespace) -> None:
    if not flags.model.startswith("BiT-"):
        raise command.Refused(f"{flags.model} has random weights; name a model whose features are to be mapped")
    command.check_weights(flags.model, flags.bit_pretrained_dir)
    command.check_shots("cifar10", flags.shots)
    train, test = (data.load("cifar10", split, flags.datadir) for split in ("train", "test"))
    task = Task.choose(train, test, flags.shots)
    fifths = tuple(flags.steps * fifth // 5 for fifth in range(1, 6))  # the rule's schedule of a small task
    recipe = miniature(len(task.train), schedule=fifths)
    engine = Engine.start(precision=flags.precision)
    record = measure(flags.model, task, recipe, directory=flags.bit_pretrained_dir, engine=engine)
    print(f"wrote {runs.write(record)}: nearest neighbors agree in % of the images: {record.result['agreement']}")


if __name__ == "__main__":
    sys.exit(main())
