"""Who judges: validation pictures where there are enough, never those of the test."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from folders import make_pictures

from bitdoc.desk import choosing, look, tuning
from bitdoc.training.watch import Watch


@pytest.fixture(scope="module")
def forty(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("f") / "forty", per_class=40, classes=("circle", "cross", "square"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path_factory.getbasetemp() / "choosing-cache"))


def order(pictures, **more):
    return tuning.TrainOrder(pictures, pictures / "run", model="R14x0.125", side=32, **more)


def as_table(pictures, tmp_path, counts):
    """A table that gives the first pictures of each class to the named splits, so many each."""
    rows = ["path,label,split"]
    for kind in ("circle", "cross", "square"):
        files = iter(sorted((pictures / kind).iterdir()))
        rows += [f"{next(files)},{kind},{split}" for split, count in counts.items() for _ in range(count)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(rows))
    return look.survey(table)


def parts(pictures, survey, **more):
    """The one training of an order, and why none of its pictures judge."""
    told = order(pictures, **more)
    (piece,), *_ = tuning.pieces(told, survey)
    return piece, choosing.why_none(told, survey)


def test_few_pictures_to_learn_from_are_all_learned_from(forty, tmp_path):
    survey = as_table(forty, tmp_path, {"train": 32, "test": 8})
    piece, why = parts(forty, survey)
    assert len(piece.train) == 96 and not piece.val
    assert why == "to choose takes 200 validation pictures, too large a share of the 96 to learn from"
    shown = choosing.sides(survey, piece.val)
    assert set(shown.sides) == {"train", "test"} and shown.how == "split as the table says", "what is told was done"
    assert survey.how == "split as the table says; val is a part of train, by a hash of each file"


def test_many_are_divided_class_by_class(forty, tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "ENOUGH", 15)
    survey = as_table(forty, tmp_path, {"train": 36, "test": 4})
    piece, why = parts(forty, survey)
    assert not why and len(piece.train) == 93 and not set(piece.train) & set(piece.val)
    assert set(Counter(survey.labels[i] for i in piece.val).values()) == {5}
    assert {survey.sides[i] for i in piece.val} == {"val"} and choosing.sides(survey, piece.val) is survey


def test_a_validation_set_that_is_given_is_used_however_small(forty, tmp_path):
    survey = as_table(forty, tmp_path, {"train": 6, "val": 2, "test": 4})
    piece, why = parts(forty, survey)
    assert not why and len(piece.val) == 6 and len(piece.train) == 18


def test_few_labels_on_purpose_leave_none_to_choose_by(forty, tmp_path):
    survey = as_table(forty, tmp_path, {"train": 30, "val": 6, "test": 4})
    piece, why = parts(forty, survey, examples_per_class=3, subsets=1)
    assert why == "labels are few on purpose" and not piece.val and len(piece.train) == 9


def test_a_large_validation_set_is_thinned_evenly(forty, tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "JUDGED", 9)
    survey = as_table(forty, tmp_path, {"train": 24, "val": 12, "test": 4})
    piece, _ = parts(forty, survey)
    assert Counter(survey.labels[i] for i in piece.val) == {"circle": 3, "cross": 3, "square": 3}
    assert len(piece.train) == 72, "those that do not judge are not trained on either"


def test_what_is_said_before_and_after():
    assert (
        choosing.announced([], "labels are few on purpose")
        == "the last step is kept, because labels are few on purpose"
    )
    assert "looks at 30 validation pictures" in choosing.announced([*range(30)], "")
    assert choosing.kept(Watch(), [], 100, "few") == {"step": 100, "why": "the last step, because few"}
    assert choosing.watch_over([], [20, 40, 60, 80, 100], print).patience is None
    watch = choosing.watch_over([1, 2], [20, 40, 60, 80, 100], print)
    assert (watch.every, watch.patience, watch.first) == (10, choosing.PATIENCE, 20)
    watch.looks = {"step": [10, 20, 30], "loss": [2.0, 0.5, 1.0], "top1": [0.0, 60.0, 50.0], "top5": [100.0] * 3}
    watch.hits = [torch.arange(100) < count for count in (0, 60, 50)]
    told = choosing.kept(watch, range(100), 100, "")
    assert told["step"] == 20 and told["why"] == (
        "60.0 % of 100 validation pictures, more than at the last step beyond luck; ended at step 30 of 100, after "
        "4 looks without a gain"
    )
    assert told["looks"] == {"step": [10, 20, 30], "loss": [2.0, 0.5, 1.0], "top1": [0.0, 60.0, 50.0]}
    watch.looks["top1"][2], watch.hits[2] = 60.0, watch.hits[1]
    told = choosing.kept(watch, range(100), 30, "")
    assert told["step"] == 30 and told["why"].endswith("validation pictures; no earlier look is better beyond luck")
