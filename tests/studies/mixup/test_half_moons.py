"""The half-moon experiment: its data, its reproducibility, and what its records hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bitdoc.records import runs
from bitdoc.studies.mixup import half_moons as moons
from bitdoc.studies.mixup.half_moons import FLIPPED, Run

STEPS = 60


def test_the_moons_are_two_half_circles():
    points, classes = moons.half_moons(200, 0.0, torch.Generator().manual_seed(0))
    assert classes.bincount().tolist() == [100, 100]
    upper, lower = points[classes == 0], points[classes == 1]
    torch.testing.assert_close(upper.norm(dim=1), torch.ones(100))
    assert (upper[:, 1] >= 0).all()
    torch.testing.assert_close((lower - torch.tensor([1.0, 0.5])).norm(dim=1), torch.ones(100))
    assert (lower[:, 1] <= 0.5).all()


def test_an_odd_number_of_points_is_refused():
    with pytest.raises(ValueError, match="got 7 points; give an even number"):
        moons.half_moons(7, 0.1, torch.Generator())


def test_the_plan_pairs_every_run_with_one_without_mixup():
    plan = moons.plan()
    assert len({run.name for run in plan}) == len(plan)
    assert all(replace(run, alpha=0.0) in plan for run in plan)
    assert set(moons.ALPHAS) <= set(moons.SLIDER)


def test_training_repeats_itself_and_alpha_changes_only_the_mixing():
    first, again, mixed = (moons.train(Run(alpha, FLIPPED, 0), STEPS) for alpha in (0.0, 0.0, 1.0))
    torch.testing.assert_close(*(moons.probability(t, first.points) for t in (first, again)), rtol=0, atol=0)
    assert torch.equal(first.points, mixed.points)
    assert torch.equal(first.given, mixed.given)
    assert not torch.equal(moons.probability(first, first.points), moons.probability(mixed, first.points))


def test_a_fifth_of_the_labels_is_flipped_and_the_points_stay():
    flipped, clean = moons.train(Run(0.0, FLIPPED, 3), 1), moons.train(Run(0.0, 0.0, 3), 1)
    assert (flipped.given != flipped.classes).sum() == 40
    assert torch.equal(clean.given, clean.classes)
    assert torch.equal(flipped.points, clean.points)


def test_the_network_learns_true_labels():
    trained = moons.train(Run(0.0, 0.0, 0), STEPS)
    assert moons.right(trained, *moons.fresh_points(0)) > 95
    assert 0.5 < moons.halfway_confidence(trained) < 1


def test_a_record_can_be_drawn_and_agrees_with_itself():
    record = moons.make(Run(0.4, FLIPPED, 0), measured=(5, 10))
    assert record.curve["step"] == [5, 10]
    assert record.result["top1"] == record.curve["test"][-1]
    kept = record.result
    assert len(kept["map"]) == len(moons.ACROSS) * len(moons.UP)
    assert 0 <= min(kept["map"]) <= max(kept["map"]) <= 100
    assert sum(one != other for one, other in zip(kept["true"], kept["given"], strict=True)) == 40
    trained = moons.train(Run(0.4, FLIPPED, 0), 10)
    corner = torch.tensor([moons.ACROSS[-1], moons.UP[0]])  # the map's first row lies at the bottom
    assert kept["map"][len(moons.ACROSS) - 1] == round(100 * moons.probability(trained, corner).item())
    assert kept["across"][7] == round(100 * trained.points[7, 0].item())
    assert "map" not in moons.make(Run(0.4, 0.0, 1), measured=(5,)).result


def test_every_planned_run_has_its_record():
    kept = {record.name for record in runs.load(moons.EXPERIMENT)}
    assert kept == {run.name for run in moons.plan()}
