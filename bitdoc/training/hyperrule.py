"""BiT-HyperRule: data-set size and image size in; schedule, resolution and MixUp out.

The paper's text (Sec. 3.3) and the official code differ in places; each function takes ``source="code"`` (default) or
``source="paper"``. What differs:

============  =============================================  =====================================================
              official code                                  paper
============  =============================================  =====================================================
resolution    larger images: 512, crop 480, every network    448, crop 384; 512, crop 480 for R152x4 only
small tasks   100 steps warm-up; drops at 200, 300, 400      no warm-up mentioned; drops at 30, 60, 90 % of 500
medium/large  500 steps warm-up, drops at 30, 60, 90 %       no warm-up mentioned, the same drops
============  =============================================  =====================================================
"""

from __future__ import annotations

from typing import NamedTuple

#: A task with fewer labelled examples is small; with fewer than the second number, medium; otherwise large.
SMALL, MEDIUM = 20_000, 500_000


class Resolution(NamedTuple):
    """Side of the square an image is resized to, and of the square cropped from it, in pixels."""

    resize: int
    crop: int


def _check_source(source: str) -> None:
    if source not in ("code", "paper"):
        raise ValueError(f"unknown source {source!r}; choose 'code' (the official code) or 'paper' (its text)")


def task_size(examples: int) -> str:
    """``"small"``, ``"medium"`` or ``"large"``, by the number of labelled examples."""
    if examples < 1:
        raise ValueError(f"a task needs at least one labelled example, got {examples}")
    return "small" if examples < SMALL else "medium" if examples < MEDIUM else "large"


def get_resolution(size: tuple[int, int], source: str = "code", arch: str = "") -> Resolution:
    """Resolution for images of ``size`` (height, width) in pixels; exactly 96 x 96 counts as large.

    ``arch`` matters only with ``source="paper"``, where R152x4 alone gets the larger crop (footnote 1).
    """
    _check_source(source)
    if size[0] * size[1] < 96 * 96:
        return Resolution(160, 128)
    return Resolution(512, 480) if source == "code" or arch == "R152x4" else Resolution(448, 384)


def get_mixup(examples: int) -> float:
    """MixUp's α: 0 for small tasks, 0.1 for all others (code and paper agree)."""
    return 0.0 if task_size(examples) == "small" else 0.1


def get_schedule(examples: int, source: str = "code") -> tuple[int, ...]:
    """End of the warm-up, the steps of the three tenfold drops, and the last step."""
    _check_source(source)
    size = task_size(examples)
    if source == "paper":
        last = {"small": 500, "medium": 10_000, "large": 20_000}[size]
        return (0, *(int(last * part) for part in (0.3, 0.6, 0.9)), last)
    return {
        "small": (100, 200, 300, 400, 500),
        "medium": (500, 3_000, 6_000, 9_000, 10_000),
        "large": (500, 6_000, 12_000, 18_000, 20_000),
    }[size]


def learning_rate(step: int, schedule: tuple[int, ...], base_lr: float = 0.003) -> float | None:
    """Learning rate of one step of a schedule; None at its end.

    Warm-up is linear from 0, so the very first step has learning rate 0; a drop at step *s* is first felt at *s* + 1.
    Both are the official code's behaviour.
    """
    warmup, *drops, last = schedule
    if step >= last:
        return None
    if step < warmup:
        return base_lr * step / warmup
    return base_lr / 10 ** sum(drop < step for drop in drops)


def get_lr(step: int, examples: int, base_lr: float = 0.003, source: str = "code") -> float | None:
    """Learning rate at ``step`` for a task with that many labelled examples; None when training is over."""
    return learning_rate(step, get_schedule(examples, source), base_lr)
