"""Heads on features: put on the network they say the same, choices leave the test pictures alone, few labels spread."""

from __future__ import annotations

import pytest
import torch

from bitdoc.desk import look, probe
from bitdoc.desk.examine import Seen
from bitdoc.desk.found import Found, Picture
from bitdoc.desk.probe import Head, Known


def made(count=120, classes=3, width=8, noise=1.0, seed=0):
    """Features around one center a class, and a survey of pictures that do not exist."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    centers = 3 * torch.randn(classes, width, generator=rng)
    known = Known(centers[labels] + noise * torch.randn(count, width, generator=rng), labels, classes)
    found = Found(None, None, [Picture(f"{i}.png", "abc"[label]) for i, label in enumerate(labels.tolist())])
    survey = look.Survey(found, [Seen(8, 8, f"{i:064x}", bytes(259)) for i in range(count)])
    return survey, known


def split(survey):
    survey.sides = [("train", "train", "train", "val", "test")[i // 3 % 5] for i in range(len(survey.seen))]
    return survey


def test_the_scaling_becomes_part_of_the_head(tiny):
    known = Known(torch.randn(30, tiny.head.in_features) * 5 + 2, torch.arange(30) % 5, 5)
    head = Head.trained(known, 0.1)
    head.put_on(tiny)
    assert torch.allclose(tiny.head(known.features).softmax(1), head.shares(known), atol=1e-5)
    assert (head.shares(known).argmax(1) == known.labels).all()


def test_a_split_is_one_test(monkeypatch):
    survey, known = made()
    found = probe.probe(split(survey), known, None, 5, 0)
    assert found.outcome.places == [i for i, side in enumerate(survey.sides) if side == "test"]
    assert found.outcome.accuracy > 90
    assert sorted(found.learning) == [24, 48, 96] and [len(found.learning[n]) for n in (24, 48, 96)] == [3, 3, 1]


def test_labels_of_the_test_set_decide_nothing():
    survey, known = made(noise=4.0)
    split(survey)
    test = torch.tensor([side == "test" for side in survey.sides])
    other = Known(known.features, torch.where(test, (known.labels + 1) % 3, known.labels), 3)
    one, two = (probe.probe(survey, some, None, 5, 0) for some in (known, other))
    assert one.penalty == two.penalty and torch.equal(one.head.weight, two.head.weight)
    assert one.outcome.accuracy != two.outcome.accuracy


def test_every_picture_is_tested_once_by_a_head_that_has_not_seen_it():
    survey, known = made(count=60)
    survey.sides, survey.folds = ["train"] * 60, [i // 3 % 5 for i in range(60)]
    turns = probe.turns(survey)
    assert sorted(i for turn in turns for i in turn.test) == list(range(60))
    for turn in turns:
        assert not set(turn.pool) & set(turn.test) and len(turn.pool) + len(turn.test) == 60
        assert all(
            not set(train) & set(held) and set(train) | set(held) == set(turn.pool) for train, held in turn.choice
        )
    # Features that say nothing: whoever had seen a picture would name it.
    noise = Known(torch.randn(60, 200, generator=torch.Generator().manual_seed(1)), known.labels, 3)
    assert probe.probe(survey, noise, None, 5, 0).outcome.accuracy < 60


def test_few_labels_are_drawn_several_times():
    survey, known = made(noise=3.0)
    found = probe.probe(split(survey), known, 2, 5, 0)
    assert len(found.few) == 5 and len(set(found.few)) > 1
    more = probe.probe(survey, known, 20, 3, 0)
    assert sum(more.few) / 3 > sum(found.few) / 5
    again = probe.probe(survey, known, 2, 5, 0)
    assert again.few == found.few and probe.probe(survey, known, 2, 5, 9).few != found.few


def test_the_penalty_is_chosen_by_validation_pictures():
    _, known = made(noise=0.1)
    places = list(range(120))
    assert probe.chosen_penalty(known, [(places[:60], places[60:])]) == min(probe.PENALTIES)
    wrong = Known(known.features, torch.randint(3, (120,), generator=torch.Generator().manual_seed(0)), 3)
    assert probe.chosen_penalty(wrong, [(places[:60], places[60:])]) == max(probe.PENALTIES)
    assert probe.chosen_penalty(known, []) == pytest.approx(probe.PENALTY)
