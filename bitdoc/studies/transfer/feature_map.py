"""Where a network's features put images, before and after fine-tuning: two flat maps in one run record.

``python -m bitdoc.studies.transfer.feature_map`` fine-tunes the shipped model on ten CIFAR-10 images a class and
writes the record that the page on transfer learning draws.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from bitdoc import data
from bitdoc.records import runs
from bitdoc.studies.probe import features
from bitdoc.training.finetune import Engine, Recipe, Task, finetune, miniature, starting_network
from bitdoc.training.loop import TrainingError

EXPERIMENT = "feature-map"


def project(points: Tensor) -> tuple[Tensor, float]:
    """Flatten ``(N, D)`` features to ``(N, 2)`` by principal components.

    Returns the coordinates, in units in which all ``D`` directions together have variance 1, and the share of that
    variance which the two components keep.
    """
    centered = points - points.mean(0)
    _, spread, axes = torch.linalg.svd(centered, full_matrices=False)
    total = spread.square().sum()
    return centered @ axes[:2].T / (total / len(points)).sqrt(), float(spread[:2].square().sum() / total)


def turned_onto(points: Tensor, target: Tensor) -> Tensor:
    """Rotate or mirror ``(N, 2)`` points to lie as close as they can on ``target``; the axes of a map mean nothing."""
    u, _, v = torch.linalg.svd(points.T @ target)
    return points @ u @ v


def neighbour_agreement(points: Tensor, labels: Tensor) -> float:
    """Share of images, in percent, whose nearest other image by cosine in the full features has their label."""
    unit = F.normalize(points - points.mean(0), dim=1)
    similarity = unit @ unit.T
    similarity.fill_diagonal_(-2)
    return 100 * float((labels[similarity.argmax(1)] == labels).float().mean())


def measure(
    name: str,
    task: Task,
    recipe: Recipe,
    *,
    per_class: int = 20,
    seed: int = 0,
    directory: str | None = None,
) -> runs.RunRecord:
    """Fine-tune ``name`` on ``task`` and map ``per_class`` test images of each class before and after.

    Returns the record (which the caller writes). Its ``result`` holds ``labels``, and for ``before`` and ``after`` the
    ``(N, 2)`` coordinates, the share of variance the map keeps, and :func:`neighbour_agreement`.
    """
    engine = Engine.start()
    task = task.interpolated(recipe.interpolation)
    shown = task.test.subset(data.few_shot_indices(task.test.labels, per_class, seed))
    fresh, _ = starting_network(name, len(task.train.classes), directory, seed)
    before = features(engine.place(fresh), shown, recipe.crop, engine)
    small = replace(task, test=shown)  # the accuracy in the record is that of the images on the map
    model, record = finetune(
        name, small, recipe, experiment=EXPERIMENT, run=name, seed=seed, directory=directory, engine=engine
    )
    after = features(model, shown, recipe.crop, engine)
    labels = shown.labels.cpu()
    first, kept = project(before)
    second, kept_after = project(after)
    result = record.result | {
        "labels": labels.tolist(),
        "before": _rounded(first),
        "after": _rounded(turned_onto(second, first)),
        "kept": [round(100 * kept, 1), round(100 * kept_after, 1)],
        "agreement": [round(neighbour_agreement(points, labels), 1) for points in (before, after)],
    }
    setting = record.setting | {"classes": list(shown.classes), "test_images": len(shown), "per_class": per_class}
    return replace(record, setting=setting, result=result)


def _rounded(points: Tensor) -> list[list[float]]:
    return [[round(value, 2) for value in point] for point in points.tolist()]


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the record; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bitdoc.studies.transfer.feature_map", description=main.__doc__)
    parser.add_argument("--model", default="BiT-T-R26x0.5")
    parser.add_argument("--shots", type=int, default=10, help="examples per class to fine-tune on")
    parser.add_argument("--datadir", help=f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)")
    parser.add_argument("--bit_pretrained_dir", "--bit-pretrained-dir", help="folder with .npz weights")
    flags = parser.parse_args(arguments)
    try:
        train, test = (data.load("cifar10", split, flags.datadir) for split in ("train", "test"))
        task = Task.choose(train, test, flags.shots)
        record = measure(flags.model, task, miniature(len(task.train)), directory=flags.bit_pretrained_dir)
        print(
            f"wrote {runs.write(record)}: {record.result['agreement']} % of nearest neighbours agree, before and after"
        )
    except (ValueError, TrainingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
