"""A detector watched while it learns: bright rectangles on noise, found by a small RetinaNet within minutes.

The task is made up, so that nothing has to be downloaded. It is easy enough that a small network learns it from nothing
and finds every object, and like real detection in what matters for focal loss: of some 3,000 anchors of an image, a
hundred times more are background than object.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bitdoc.network import resnet
from bitdoc.network.detector import answers, landed, retinanet
from bitdoc.records import runs

if TYPE_CHECKING:
    from torchvision.models.detection import RetinaNet

EXPERIMENT = "retinanet-rectangles"
ARCH, SIDE, STEPS, BATCH, HELD_OUT = "R14x0.25", 128, 1200, 8, 64
#: Answers are counted by how sure they are: by log(p / (1 - p)) of the probability that they give to the truth.
LOGITS, BINS = 16.0, 320


def small_detector(seed: int = 0) -> RetinaNet:
    """Build a RetinaNet for two classes on ``ARCH``, from random weights, with anchors that fit the rectangles.

    RetinaNet starts its subnets with weights of 0.01, made for 256 channels of pre-trained features. Here, with 64
    channels of random ones, next to nothing would pass; then all weights grow together, and the loss shoots up as the
    first answers change everywhere at once. The hidden layers therefore start as He et al. (2015) have it.
    """
    torch.manual_seed(seed)
    model = retinanet(resnet.build(ARCH, classes=0), 2, side=SIDE, smallest=16, channels=64)
    for subnet in (model.head.classification_head, model.head.regression_head):
        for layer in subnet.conv.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return model


def held_out() -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Make the images on which a detector is judged; always the same, and never trained on."""
    return draw(HELD_OUT, SIDE, torch.Generator().manual_seed(99))


def draw(count: int, side: int, generator: torch.Generator) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Draw a detection task: one to four bright rectangles on dim noise in each image, upright (0) or lying (1).

    The long side is 0.16 to 0.44 of the image, the short one 0.45 to 0.7 of the long one. Each rectangle keeps to a
    quarter of the image of its own, so they never overlap.

    Returns
    -------
    images : list of Tensor
        ``count`` images ``(3, side, side)`` in [0, 1].
    targets : list of dict
        For each image ``boxes`` ``(n, 4)`` as x1, y1, x2, y2 in pixels and ``labels`` ``(n,)``.
    """

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    images, targets = [], []
    for _ in range(count):
        image = 0.4 * torch.rand(3, side, side, generator=generator)
        boxes, labels = [], []
        for quarter in torch.randperm(4, generator=generator)[: 1 + int(uniform(0, 4))].tolist():
            long, lying = uniform(0.16, 0.44) * side, uniform(0, 1) < 0.5
            short = long * uniform(0.45, 0.7)
            width, height = (long, short) if lying else (short, long)
            x = quarter % 2 * side / 2 + uniform(0, side / 2 - width)
            y = quarter // 2 * side / 2 + uniform(0, side / 2 - height)
            x1, y1, x2, y2 = (round(value) for value in (x, y, x + width, y + height))
            image[:, y1:y2, x1:x2] += uniform(0.2, 0.5)
            boxes.append([x1, y1, x2, y2])
            labels.append(int(lying))
        images.append(image.clamp(0, 1))
        targets.append({"boxes": torch.tensor(boxes, dtype=torch.float32), "labels": torch.tensor(labels)})
    return images, targets


def fit(model: RetinaNet, steps: int, batch: int = BATCH, lr: float = 0.001) -> list[dict[str, float]]:
    """Train a detector on fresh :func:`draw` at every step; return the two losses of each step.

    Adam instead of the papers' SGD, with warm-up, linear decay and clipped gradients: the network starts from nothing
    and has minutes, not days.
    """
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 100, 1) * (1 - step / steps))
    model.train()
    history = []
    for _ in range(steps):
        losses = model(*draw(batch, SIDE, generator))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
    return history


@torch.no_grad()
def best_boxes(model: RetinaNet, images: list[Tensor], counts: list[int]) -> list[dict[str, list]]:
    """Of each image the ``counts[i]`` detections with the highest scores, as plain lists for a record."""
    model.eval()
    found = []
    for answer, count in zip(model(images), counts, strict=True):
        top = answer["scores"].argsort(descending=True)[:count]
        boxes = [[round(value, 1) for value in box] for box in answer["boxes"][top].tolist()]
        found.append({"boxes": boxes, "labels": answer["labels"][top].tolist()})
    return found


def sureness(p_true: Tensor) -> list[int]:
    """Count answers by the log-odds they give to the truth, in ``BINS`` bins from -``LOGITS`` to ``LOGITS``."""
    return torch.histc(torch.logit(p_true.double()).clamp(-LOGITS, LOGITS), BINS, -LOGITS, LOGITS).int().tolist()


def measure(steps: int = STEPS) -> runs.RunRecord:
    """Train :func:`small_detector` and return the record (which the caller writes).

    ``result`` holds the overlaps with the true boxes of the held-out images before and after, what was found in the
    first six of them, and how sure the trained detector's answers are (:func:`sureness`) at anchors that are objects
    and at those that are background; ``curve`` has the two losses of every step.
    """
    model, (images, targets) = small_detector(), held_out()
    before = landed(model, images, targets)
    began = time.monotonic()
    history = fit(model, steps)
    seconds = time.monotonic() - began
    after = landed(model, images, targets)
    objects, background = answers(model, images, targets)
    counts = [len(target["labels"]) for target in targets[:6]]
    curve = {name: [round(losses[name], 4) for losses in history] for name in history[0]}
    return runs.made_now(
        EXPERIMENT,
        f"{ARCH}_{SIDE}_{steps}",
        ARCH,
        {"steps": steps, "batch": BATCH, "side": SIDE, "seed": 0, "held_out": HELD_OUT},
        {
            "before": [round(value, 3) for value in before.tolist()],
            "after": [round(value, 3) for value in after.tolist()],
            "found": best_boxes(model, images[:6], counts),
            "objects": sureness(objects),
            "background": sureness(background),
        },
        curve={"step": list(range(1, steps + 1))} | curve,
        cost={"seconds": round(seconds, 2), "images_per_second": round(BATCH * steps / seconds, 1)},
    )
