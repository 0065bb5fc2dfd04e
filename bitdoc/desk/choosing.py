"""Which step of a training is kept: judged at a few looks at validation pictures, never at those of the test.

A few pictures cannot tell steps apart whose accuracies differ by a few points: the luckiest look would win. So an
earlier step has to be better than the last one beyond luck, and pictures are set aside only where they are enough to
find that out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bitdoc.desk.look import PART_OF_TRAIN, Survey
from bitdoc.desk.order import TrainOrder
from bitdoc.training.loop import Score
from bitdoc.training.watch import Watch

#: Looks that are spread over a training, and how many of them in a row without a gain end it, counted from the end of
#: the warm-up. In any four tenths of the steps after that the rule lowers the rate, so that a lower one was tried too.
LOOKS, PATIENCE = 10, 4
#: Validation pictures that a look is taken at, at least and at most. A fall by 5 points, with 15 % of the pictures
#: right at one step alone, shows beyond luck in about 230. A folder with a validation set has decided that itself.
ENOUGH, JUDGED = 200, 1000


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
    held = survey.sides.count("val")
    if held >= ENOUGH or (held and {"val", "test"} <= set(survey.found.given)):
        return ""
    learned = len(survey.seen) if survey.folds else len(survey.seen) - survey.sides.count("test")
    return f"to choose takes {ENOUGH} validation pictures, too large a share of the {learned:,} to learn from"


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
        return f"the last step is kept, because {why}"
    return (
        f"up to {LOOKS} looks at {len(val):,} validation pictures: the last is kept, or one better beyond luck; "
        f"{PATIENCE} without a gain end it"
    )


def kept(watch: Watch, val: Sequence[int], steps: int, why: str) -> dict[str, Any]:
    """What a record says of it after the training: the step that is kept, and why."""
    if not val:
        return {"step": steps, "why": f"the last step, because {why}"}
    looks, last = watch.looks, watch.last
    score = f"{looks['top1'][watch.kept]:.1f} % of {len(val):,} validation pictures"
    is_last = looks["step"][watch.kept] == last
    text = f"the last, {score}; no earlier look is better" if is_last else f"{score}, more than at the last step"
    text += " beyond luck"
    ended = "" if last == steps else f"; ended at step {last} of {steps}, after {PATIENCE} looks without a gain"
    told = {"step": looks["step"][watch.kept], "why": text + ended}
    return told | {"looks": {name: [round(x, 5) for x in looks[name]] for name in ("step", "loss", "top1")}}
