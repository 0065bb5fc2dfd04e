"""Small replicas of what the official code computes, written from reading it (google-research/big_transfer, 140de6e).

Each function says in which file the behavior stands. ``test_paper_vs_code.py`` holds the page's words on each framework
against them. Nothing here is copied, and no framework but PyTorch and Pillow is needed: where TensorFlow or JAX
decides, its documented rule is written out.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

PYTORCH, TF2, JAX = "PyTorch", "TensorFlow 2", "JAX"
FRAMEWORKS = (PYTORCH, TF2, JAX)
#: Images that the pipeline of TensorFlow 2 and JAX keeps in memory (``input_pipeline_tf2_or_jax.py``).
IN_MEMORY = 200_000

#: Flags that ``bit_common.py`` reads and each ``train.py`` uses; what is not here is ignored.
FLAGS = {
    PYTORCH: {"base_lr", "batch", "batch_split", "eval_every", "examples_per_class"},
    TF2: {"base_lr", "batch", "bit_pretrained_dir", "eval_every", "examples_per_class", "examples_per_class_seed"},
    JAX: {
        *("base_lr", "batch", "batch_eval", "bit_pretrained_dir", "eval_every"),
        *("examples_per_class", "examples_per_class_seed"),
    },
}

#: Networks in ``KNOWN_MODELS`` of each ``models.py``, without the ``BiT-S-`` or ``BiT-M-`` before them.
NETWORKS = {
    PYTORCH: {"R50x1", "R50x3", "R101x1", "R101x3", "R152x2", "R152x4"},
    TF2: {"R50x1", "R50x3", "R101x1", "R101x3", "R152x4"},
    JAX: {"R50x1", "R50x3", "R101x1", "R101x3", "R152x2", "R152x4"},
}

#: Data sets that ``--dataset`` accepts (``bit_hyperrule.py``), and those that each trainer then knows how to read.
ACCEPTED = {"cifar10", "cifar100", "oxford_iiit_pet", "oxford_flowers102", "imagenet2012"}
READABLE = {name: {"cifar10", "cifar100", "imagenet2012"} for name in FRAMEWORKS}

#: Percent of the training images that the pipeline of TensorFlow 2 and JAX trains on.
SPLITS = {"CIFAR": 98, "ImageNet": 99}

#: The framework whose colab departs from the scripts (``colabs/big_transfer_tf2.ipynb``), and the shares of the peak
#: rate in it, one after the other.
COLAB, COLAB_RATES = TF2, (1, 0.1, 0.001, 0.0001)


def momentum_step(framework: str, velocity: float, gradient: float, rate: float) -> tuple[float, float]:
    """One step of momentum SGD: the new velocity, and what is added to the weight.

    ``torch.optim.SGD`` and flax's ``Momentum`` add up gradients and multiply the sum by the rate; Keras multiplies each
    gradient by the rate of its step and adds up those.
    """
    if framework == TF2:
        velocity = 0.9 * velocity - rate * gradient
        return velocity, velocity
    velocity = 0.9 * velocity + gradient
    return velocity, -rate * velocity


def steps_made(framework: str, steps: int, eval_every: int) -> int:
    """Updates that ``train.py`` makes; Keras counts in whole epochs, and TensorFlow 2's have ``eval_every`` steps."""
    return steps // eval_every * eval_every if framework == TF2 else steps


def reported_steps(framework: str, steps: int, eval_every: int | None) -> list[int]:
    """The steps by which the log names the evaluations of a training; without ``eval_every`` there is one, at its end.

    TensorFlow 2 names them when training is over: it multiplies the number of each stretch, from 0, by the flag.
    """
    if framework == TF2:
        return [stretch * eval_every for stretch in range(steps // (eval_every or steps))]
    return list(range(eval_every, steps + 1, eval_every)) if eval_every else [steps]


def colab_rates(batch: int) -> list[float]:
    """Learning rates of all steps of a small task in :data:`COLAB`'s colab; the drops do not move with the batch."""
    rate, drops = 0.003 * batch / 512, (200, 300, 400)
    return [rate * COLAB_RATES[bisect_left(drops, step)] for step in range(500 * 512 // batch)]


def judged_side(resize: int, crop: int, colab: bool = False) -> int:
    """The size at which test images are judged: the scripts', or that of :data:`COLAB`'s colab."""
    return resize if colab else crop


def mirror(framework: str, images: Tensor, rng: torch.Generator, colab: bool = False) -> Tensor:
    """Mirror images ``(N, 3, H, W)``: ``RandomHorizontalFlip``, or ``tf.image.flip_left_right``, which always does.

    :data:`COLAB`'s colab calls ``tf.image.random_flip_left_right``.
    """
    if framework != PYTORCH and not colab:
        return images.flip(-1)
    chosen = torch.rand(len(images), generator=rng) < 0.5
    return torch.where(chosen[:, None, None, None], images.flip(-1), images)


def partners(framework: str, count: int, rng: torch.Generator) -> list[int]:
    """With whom each image of a (micro-)batch is mixed: ``torch.randperm``, or ``tf.reverse``."""
    return list(range(count))[::-1] if framework != PYTORCH else torch.randperm(count, generator=rng).tolist()


def training_batches(framework: str, examples: int, batch: int, rng: torch.Generator) -> Iterator[list[int]]:
    """Endless batches of indices.

    PyTorch's loader cuts each shuffled epoch, and what is left at its end is a batch too. The pipeline of the other two
    repeats, then shuffles with a buffer as large as the training set or :data:`IN_MEMORY`, then batches: an incomplete
    batch would be dropped, but an endless stream has none.
    """
    if framework == PYTORCH:
        while batch <= examples:
            yield from (part.tolist() for part in torch.randperm(examples, generator=rng).split(batch))
        while True:
            yield torch.randint(examples, (batch,), generator=rng).tolist()
    stream = itertools.cycle(range(examples))
    held = list(itertools.islice(stream, min(examples, IN_MEMORY)))
    while True:
        drawn = []
        for place in torch.randint(len(held), (batch,), generator=rng).tolist():
            drawn.append(held[place])
            held[place] = next(stream)
        yield drawn


def tested(framework: str, examples: int, batch: int = 512, batch_eval: int = 32) -> int:
    """Test images that are scored: all, or those of whole batches (``drop_remainder``)."""
    size = {PYTORCH: 1, TF2: batch, JAX: batch_eval}[framework]
    return examples // size * size


def training_images(framework: str, examples: int, data: str) -> int:
    """Images of a training split: all, or the first percent of :data:`SPLITS`."""
    return examples if framework == PYTORCH else examples * SPLITS[data] // 100


def few_shot(framework: str, labels: list[int], count: int, seed: int) -> list[int]:
    """Indices of ``count`` images a class: ``bit_pytorch/fewshot.py``, or ``sample_subset`` of the other two.

    ``seed`` is the order of the shuffled pass in PyTorch (which takes it from nowhere, so it differs between runs), and
    ``--examples_per_class_seed`` in the other two.
    """
    classes = sorted(set(labels))
    if framework != PYTORCH:
        rng, seen = np.random.RandomState(seed), np.asarray(labels[:IN_MEMORY])
        return [int(i) for c in classes for i in rng.choice(np.flatnonzero(seen == c), count, replace=False)]
    kept = {c: deque(maxlen=count) for c in classes}
    for index in np.random.RandomState(seed).permutation(len(labels)):
        kept[labels[index]].append(int(index))
        if all(len(queue) == count for queue in kept.values()):
            break
    return [index for c in classes for index in kept[c]]


def resized(framework: str, image: Tensor, side: int) -> Tensor:
    """A uint8 image ``(3, H, W)`` squeezed to a square, as float: Pillow's bilinear, or ``tf.image.resize``'s default.

    Pillow widens its filter where it shrinks (antialiasing), and rounds to 8 bits after the horizontal and again after
    the vertical pass; TensorFlow does neither.
    """
    if framework == PYTORCH:
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        squeezed = np.array(picture.resize((side, side), Image.Resampling.BILINEAR))
        return torch.from_numpy(squeezed).permute(2, 0, 1).float()
    return F.interpolate(image[None].float(), (side, side), mode="bilinear", align_corners=False)[0]


def standardized(weight: Tensor) -> Tensor:
    """A filter ``(O, I, H, W)`` as all three make it: population variance plus 1e-10, then the root."""
    centered = weight - weight.mean((1, 2, 3), keepdim=True)
    return centered / (centered.square().mean((1, 2, 3), keepdim=True) + 1e-10).sqrt()


def standardized_by_its_authors(snippet: str, weight: Tensor) -> Tensor:
    """The snippets in the README of weight standardization: deviation plus 1e-5, unbiased in PyTorch's alone."""
    centered = weight - weight.mean((1, 2, 3), keepdim=True)
    return centered / (centered.std((1, 2, 3), keepdim=True, correction=int(snippet == PYTORCH)) + 1e-5)
