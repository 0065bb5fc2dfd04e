"""What both commands do at their end: network, record, page and table are written, and the run is put in its place."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bitdoc.data import DataError, few_shot_indices
from bitdoc.desk import bundle, report
from bitdoc.desk.look import Survey
from bitdoc.desk.order import Order
from bitdoc.desk.report import Told
from bitdoc.exchange import Passport, save
from bitdoc.network.resnet import ResNetV2
from bitdoc.records import runs
from bitdoc.records.age import code_digest
from bitdoc.records.files import written_atomically
from bitdoc.training.command import Refused
from bitdoc.training.recipe import Recipe

#: Name of the records' experiment.
EXPERIMENT = "own-pictures"


def check_examples(order: Order, survey: Survey, places: list[int]) -> None:
    """Refuse more examples of each class than there are to train on."""
    if order.examples_per_class is None:
        return
    images = survey.chosen(places, "train")
    try:
        few_shot_indices(images.labels, order.examples_per_class, order.seed)
    except DataError:
        counts = images.labels.bincount(minlength=len(images.classes)).tolist()
        least = min(counts)
        raise Refused(
            f"{order.examples_per_class} examples per class asked for, but {images.classes[counts.index(least)]!r} has "
            f"{least} to train on"
        ) from None


def passport(order: Order, survey: Survey, recipe: Recipe, said: dict[str, Any]) -> Passport:
    """What the network says of itself."""
    known: dict[str, Any] = {
        "classes": survey.found.classes,
        "side": recipe.crop,
        "interpolation": recipe.interpolation,
        "recipe": said | {"pictures": len(survey.seen), "seed": order.seed, "made_by": f"bitdoc, code {code_digest()}"},
    }
    if order.model.startswith("BiT-"):
        return Passport.of(order.model, **known)
    return Passport(order.model, **known)


def give(order: Order, folder: Path, network: ResNetV2, record: runs.RunRecord, told: Told) -> None:
    """Write the parts of a run into ``folder``."""
    save(network, folder / bundle.NETWORK, told.passport)
    runs.write(replace(record, name=runs.checked_name(_name(order.out))), folder / bundle.RECORD)
    for name, text in ((bundle.PAGE, report.page(told)), (bundle.TABLE, "".join(table(told)))):
        with written_atomically(folder / name) as file:
            file.write(text.encode("utf-8", "backslashreplace"))


def _name(out: Path) -> str:
    """The name of the folder as far as a record can bear it."""
    plain = "".join(letter if letter.isalnum() or letter in "_.+=-" else "-" for letter in out.name)[:60]
    return plain if plain.strip(".") else "run"


def table(told: Told) -> Iterator[str]:
    """Every picture on a line: file, class, side, what was said of it if it was tested, and a digest of the file."""

    def line(*cells: object) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        return text.getvalue()

    survey, outcome = told.survey, told.outcome
    said = dict(
        zip(outcome.places, zip(outcome.said.tolist(), outcome.shares.max(1).values.tolist(), strict=True), strict=True)
    )
    yield line("path", "class", "side", "said", "probability", "digest")
    for place, picture in enumerate(survey.found.pictures):
        side = f"part {survey.folds[place] + 1}" if survey.folds else survey.sides[place]
        answer = (survey.found.classes[said[place][0]], f"{said[place][1]:.4f}") if place in said else ("", "")
        yield line(survey.found.told(picture.path), picture.label, side, *answer, survey.seen[place].digest[:16])
