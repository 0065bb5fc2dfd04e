"""Which pictures train, which are chosen by, which are tested on: by a hash of each file, near-duplicates together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

#: Share of each class that goes to the test set and, of all, to the validation set.
TEST, VALIDATION = 0.2, 0.15
#: With fewer pictures than this, every picture is tested once, by cross-validation in so many parts.
FEW, FOLDS = 100, 5


def _ranked(labels: Sequence[str], digests: Sequence[str], groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """All groups of pictures that stay together, in the order of a hash of their contents."""
    grouped = {place for group in groups for place in group}
    every = [list(group) for group in groups] + [[place] for place in range(len(labels)) if place not in grouped]
    return sorted(every, key=lambda group: hashlib.sha256(min(digests[i] for i in group).encode()).digest())


def split(
    labels: Sequence[str],
    digests: Sequence[str],
    groups: Sequence[Sequence[int]],
    shares: dict[str, float] | None = None,
) -> list[str]:
    """``"train"``, ``"val"`` or ``"test"`` for each picture, in each class by the same shares.

    The order is that of a hash of the files' contents, so that a new name or place changes nothing and a few new
    pictures move few others. A class keeps at least one picture to train on, however few it has.

    Parameters
    ----------
    labels, digests : sequence of str
        Class and digest of each picture.
    groups : sequence of sequences of int
        Places of near-duplicates, which stay on one side.
    shares : dict, optional
        Share of each side but ``"train"``, which gets what is left.
    """
    shares = shares or {"test": TEST, "val": VALIDATION}
    counts = Counter(labels)
    room = {
        side: {c: min(max(1, round(share * n)), n // 3) for c, n in counts.items()} for side, share in shares.items()
    }
    sides = ["train"] * len(labels)
    for group in _ranked(labels, digests, groups):
        needs = Counter(labels[place] for place in group)
        for side, left in room.items():
            if all(left[label] >= count for label, count in needs.items()):
                for label, count in needs.items():
                    left[label] -= count
                for place in group:
                    sides[place] = side
                break
    return sides


def folds(
    labels: Sequence[str], digests: Sequence[str], groups: Sequence[Sequence[int]], count: int = FOLDS
) -> list[int]:
    """Number of the part, 0 to ``count - 1``, in which each picture is tested; every class is dealt out evenly."""
    dealt: dict[str, Counter[int]] = {label: Counter() for label in labels}
    parts = [0] * len(labels)
    total: Counter[int] = Counter()
    for group in _ranked(labels, digests, groups):
        own = [dealt[labels[place]] for place in group]
        part = min(range(count), key=lambda k: (sum(dealings[k] for dealings in own), total[k], k))
        for place, dealings in zip(group, own, strict=True):
            parts[place] = part
            dealings[part] += 1
            total[part] += 1
    return parts
