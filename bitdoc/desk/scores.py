"""What answers are worth, whoever gave them: accuracy with its interval, confusions, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

#: Draws of the bootstrap, and the share of them that lies within the interval.
DRAWS, WITHIN = 2000, 0.95


@dataclass(frozen=True)
class Outcome:
    """Answers on pictures that took no part in what they test.

    Attributes
    ----------
    places : list of int
        Which pictures of the survey they are.
    labels : Tensor
        ``(N,)`` the classes that are right.
    shares : Tensor
        ``(N, C)`` the probabilities that were given.
    """

    places: list[int]
    labels: Tensor
    shares: Tensor

    @property
    def said(self) -> Tensor:
        """``(N,)`` the most probable class of each picture."""
        return self.shares.argmax(1)

    @property
    def hits(self) -> Tensor:
        """``(N,)`` whether that is right."""
        return self.said == self.labels

    @property
    def accuracy(self) -> float:
        """Share of right answers in percent."""
        return 100 * self.hits.double().mean().item()

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return F.nll_loss(self.shares.clamp_min(1e-12).log(), self.labels).item()

    def plain(self) -> dict[str, float | list[float]]:
        """What a record says of it, in percent but for the loss."""
        low, high = interval(self.hits)
        best = self.shares.topk(min(5, self.shares.shape[1])).indices == self.labels[:, None]
        each = [round(x, 2) for x in of_classes(self) if x is not None]
        return {
            "top1": round(self.accuracy, 3),
            "top5": round(100 * best.any(1).double().mean().item(), 3),
            "loss": round(self.loss, 5),
            "ece": round(calibration_error(self), 3),
            "interval": [round(low, 2), round(high, 2)],
            "mean_of_classes": round(sum(each) / len(each), 3),
            "images": len(self.labels),
        }


def interval(hits: Tensor, draws: int = DRAWS) -> tuple[float, float]:
    """The accuracy's 95 % interval in percent, by drawing the tested pictures anew, with replacement.

    Where all answers are right, or none, every draw is the same. Then the far end is the accuracy at which that would
    still happen once in forty times: ``0.025 ** (1 / n)`` and its mirror (Clopper and Pearson, 1934).
    """
    n, right = len(hits), int(hits.sum())
    edge = 100 * ((1 - WITHIN) / 2) ** (1 / n)
    if right in (0, n):
        return (edge, 100.0) if right else (0.0, 100 - edge)
    drawn = torch.randint(n, (draws, n), generator=torch.Generator().manual_seed(0))
    found = 100 * hits.double().sort().values[drawn].mean(1)  # sorted: the order of pictures decides nothing
    ends = torch.tensor([(1 - WITHIN) / 2, (1 + WITHIN) / 2], dtype=torch.float64)
    low, high = found.quantile(ends).tolist()
    return low, high


def confusion(outcome: Outcome) -> Tensor:
    """``(C, C)`` pictures of each class (rows) that were taken for each (columns)."""
    classes = outcome.shares.shape[1]
    return (outcome.labels * classes + outcome.said).bincount(minlength=classes**2).reshape(classes, classes)


def of_classes(outcome: Outcome) -> list[float | None]:
    """Share of right answers on each class in percent; None where none of it was tested."""
    counts = confusion(outcome)
    right, all_of = counts.diagonal().tolist(), counts.sum(1).tolist()
    return [100 * r / n if n else None for r, n in zip(right, all_of, strict=True)]


def reliability(outcome: Outcome, bins: int = 10) -> list[tuple[float, float, int]]:
    """Mean probability, share of right answers and number of pictures, for each tenth of the probability given."""
    sure = outcome.shares.max(1).values
    place = (sure * bins).long().clamp_max(bins - 1)
    found = []
    for number in range(bins):
        own = place == number
        if count := int(own.sum()):
            found.append((sure[own].mean().item(), outcome.hits[own].double().mean().item(), count))
    return found


def calibration_error(outcome: Outcome) -> float:
    """Expected calibration error in percent: how far probability and share of right answers lie apart, on average."""
    bins = reliability(outcome)
    total = sum(count for *_, count in bins)
    return 100 * sum(abs(sure - right) * count for sure, right, count in bins) / total


def mistakes(outcome: Outcome) -> list[int]:
    """Rows of the outcome that are wrong, the most certain first."""
    sure = outcome.shares.max(1).values
    wrong = (~outcome.hits).nonzero().flatten().tolist()
    return sorted(wrong, key=lambda row: -sure[row].item())


def median_and_spread(scores: list[float]) -> tuple[float, float, float]:
    """The middle, the lowest and the highest of some accuracies."""
    ordered = sorted(scores)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return median, ordered[0], ordered[-1]
