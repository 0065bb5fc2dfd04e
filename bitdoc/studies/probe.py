"""A linear probe: the network frozen, only a linear classifier on its features trained."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from bitdoc.data import Images
from bitdoc.network.norms import standardized_once
from bitdoc.network.resnet import ResNetV2
from bitdoc.records import runs
from bitdoc.training.finetune import Engine, Job, Recipe, Task, test_batches
from bitdoc.training.loop import to_float

#: Strength of the L2 penalty, chosen on held-out training images (experiment ``few-shot-choice``).
PENALTY = 10.0


@torch.no_grad()
def features(model: ResNetV2, images: Images, side: int, engine: Engine) -> Tensor:
    """Pooled features ``(N, 2048 * width)`` of all images, squeezed to ``side`` squares, on the CPU."""
    model.eval()

    def of(x: Tensor) -> Tensor:
        with engine.autocast():
            return model.features(to_float(x)).float()

    with standardized_once(model):
        batches = test_batches(images, side, engine.device)
        return torch.cat([engine.in_parts(of, x).cpu() for x, _ in batches])


def fit(few: Tensor, labels: Tensor, classes: int, penalty: float) -> torch.nn.Linear:
    """Multinomial logistic regression on ``few`` ``(N, D)`` with an L2 penalty on its weights, by L-BFGS."""
    head = torch.nn.Linear(few.shape[1], classes)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(head(few), labels) + penalty * head.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return head


def linear_probe(
    name: str,
    task: Task,
    recipe: Recipe,
    *,
    experiment: str,
    run: str,
    seed: int = 0,
    directory: str | None = None,
    engine: Engine | None = None,
    penalty: float = PENALTY,
) -> tuple[torch.nn.Linear, runs.RunRecord]:
    """Probe the frozen network ``name`` on ``task``; return the classifier and the record (which the caller writes).

    Features are scaled to mean 0 and spread 1 over the training images. Arguments are those of
    :func:`bitdoc.training.finetune.finetune`; of the recipe only the resolution is used.
    """
    chosen = {
        "method": "linear-probe",
        "crop": recipe.crop,
        "interpolation": recipe.interpolation,
        "penalty": penalty,
    }
    job = Job.prepare(name, task, recipe, seed=seed, directory=directory, engine=engine, chosen=chosen)
    model, task = job.engine.place(job.network), job.task
    few = features(model, task.train, recipe.crop, job.engine)
    mean, spread = few.mean(0), few.std(0, correction=0) + 1e-6
    head = fit((few - mean) / spread, task.train.labels.cpu(), len(task.train.classes), penalty)
    with torch.no_grad():
        logits = head((features(model, task.scored, recipe.crop, job.engine) - mean) / spread)
    target = task.test.labels.cpu()
    hits = logits.topk(min(5, logits.shape[1]), dim=1).indices == target[:, None]
    result = {
        "top1": round(100 * hits[:, 0].float().mean().item(), 3),
        "top5": round(100 * hits.any(1).float().mean().item(), 3),
        "loss": round(F.cross_entropy(logits, target).item(), 5),
    }
    return head, job.record(experiment, run, result)
