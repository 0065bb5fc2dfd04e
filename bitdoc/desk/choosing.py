"""Which step of a training is kept: judged at a few looks at validation pictures, never at those of the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bitdoc.desk import split
from bitdoc.desk.look import PART_OF_TRAIN, Survey
from bitdoc.desk.order import TrainOrder
from bitdoc.training.loop import Score
from bitdoc.training.watch import Watch

#: Looks that are spread over a training, and how many of them in a row without a gain end it, counted from the end of
#: the warm-up. In any four tenths of the steps after that the rule lowers the rate, so that a lower one was tried too.
LOOKS, PATIENCE = 10, 4
#: Validation pictures that a look is taken at, at most: their loss is known well enough by so many.
JUDGED = 1000


def judges(order: TrainOrder, survey: Survey) -> list[int]:
    """Places of the pictures that looks are taken at; none where :func:`why_none` says so."""
    if why_none(order, survey):
        return []
    places = [i for i, side in enumerate(survey.sides) if side == "val"]
    return places[:: -(-len(places) // JUDGED)]  # evenly, and so from all classes, which stand in order


def why_none(order: TrainOrder, survey: Survey) -> str:
    """Why no pictures are kept from training in order to choose by them; nothing where some are."""
    if order.examples_per_class:
        return "labels are few on purpose"
    given = {"val", "test"} <= set(survey.found.given)
    learned = len(survey.seen) if survey.folds else sum(side != "test" for side in survey.sides)
    if "val" in survey.sides and (given or learned >= split.FEW):
        return ""
    if learned < split.FEW or survey.folds:
        return f"{learned} pictures to learn from are fewer than {split.FEW}"
    return "each class has too few pictures"


def sides(survey: Survey, val: list[int]) -> Survey:
    """The survey with the sides as a training takes them: without validation, those pictures are trained on."""
    if val:
        return survey
    how = survey.how.removesuffix(PART_OF_TRAIN)
    return replace(survey, how=how, sides=["train" if side == "val" else side for side in survey.sides])


def watch_over(val: list[int], schedule: Sequence[int], on_look: Callable[[int, Score], None]) -> Watch:
    """The looks of a training by this schedule: the end of its warm-up, its drops, and its last step."""
    if not val:
        return Watch()
    return Watch(max(1, schedule[-1] // LOOKS), PATIENCE, first=schedule[0], on_look=on_look)


def announced(val: list[int], why: str) -> str:
    """What is said of it before a training."""
    if not val:
        return f"the last step is kept: {why}, so none is set aside to choose by"
    return (
        f"the best of up to {LOOKS} looks at {len(val):,} validation pictures is kept; {PATIENCE} without a gain end it"
    )


def kept(watch: Watch, val: Sequence[int], steps: int, why: str) -> dict[str, Any]:
    """What a record says of it after the training: the step that is kept, and why."""
    if not val:
        return {"step": steps, "why": f"the last step: {why}"}
    looks, last = watch.looks, watch.last
    text = f"lowest loss on {len(val):,} validation pictures, {looks['loss'][watch.kept]:.3f}"
    ended = "" if last == steps else f"; ended at step {last} of {steps}, after {PATIENCE} looks without a gain"
    told = {"step": looks["step"][watch.kept], "why": text + ended}
    return told | {"looks": {name: [round(x, 5) for x in looks[name]] for name in ("step", "loss", "top1")}}
