"""Average precision worked out on four boxes: what a detector's score counts."""

from __future__ import annotations

from collections.abc import Sequence

from bitdoc.figures import table, value

#: The example of the page: boxes of a detector, surest first, and whether each is right; and how many dogs there are.
RIGHT, DOGS = (True, True, False, True), 4


def ranked(right: Sequence[bool], objects: int) -> list[tuple[float, float]]:
    """Return recall and precision after each box.

    Parameters
    ----------
    right : sequence of bool
        For each box of one class, surest first, whether it is the first on an object.
    objects : int
        How many objects of the class there are.

    Returns
    -------
    list of (float, float)
        Share of the objects found so far, and share of the boxes so far that are right.
    """
    found = [sum(right[: rank + 1]) for rank in range(len(right))]
    return [(count / objects, count / (rank + 1)) for rank, count in enumerate(found)]


def average_precision(right: Sequence[bool], objects: int) -> float:
    """Return the mean, over all objects, of the precision at which each was found; a missed one counts as zero.

    COCO interpolates: it takes the best precision at a recall or above, at 101 recalls. Where precision never rises
    from one object found to the next, as in the example, the two agree to a hundredth.
    """
    return sum(precision for hit, (_, precision) in zip(right, ranked(right, objects), strict=True) if hit) / objects


@table(
    "models-average-precision",
    caption="Average precision on an example: four dogs in the test images, and a detector's four boxes.",
)
def example() -> list[list[str]]:
    """One row for each box, surest first."""
    rows = [["box, surest first", "right?", "dogs found (recall)", "boxes right so far (precision)"]]
    for rank, (hit, (recall, precision)) in enumerate(zip(RIGHT, ranked(RIGHT, DOGS), strict=True), 1):
        found = round(recall * DOGS)
        shares = f"{found} of {DOGS} ({recall:.0%})", f"{found} of {rank} ({precision:.0%})"
        rows.append([str(rank), "yes" if hit else "no", *shares])
    return rows


@value("models-average-precision-example")
def example_score() -> str:
    """Average precision of the example."""
    return f"{average_precision(RIGHT, DOGS):.2f}"
