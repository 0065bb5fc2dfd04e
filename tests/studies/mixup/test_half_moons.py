"""The half-moon experiment: its data, its reproducibility, and what its confidence means."""

from __future__ import annotations

import pytest
import torch

from bitdoc.studies.mixup.half_moons import confidence, fresh_accuracy, half_moons, probability, train

STEPS = 60


def test_the_moons_are_two_half_circles():
    points, classes = half_moons(200, 0.0, torch.Generator().manual_seed(0))
    assert classes.bincount().tolist() == [100, 100]
    upper, lower = points[classes == 0], points[classes == 1]
    torch.testing.assert_close(upper.norm(dim=1), torch.ones(100))
    assert (upper[:, 1] >= 0).all()
    torch.testing.assert_close((lower - torch.tensor([1.0, 0.5])).norm(dim=1), torch.ones(100))
    assert (lower[:, 1] <= 0.5).all()


def test_an_odd_number_of_points_is_refused():
    with pytest.raises(ValueError, match="got 7 points; give an even number"):
        half_moons(7, 0.1, torch.Generator())


def test_training_repeats_itself_and_alpha_changes_only_the_mixing():
    first, again, mixed = train(0.0, 0, STEPS), train.__wrapped__(0.0, 0, STEPS), train(1.0, 0, STEPS)
    torch.testing.assert_close(probability(first, first.points), probability(again, first.points), rtol=0, atol=0)
    assert torch.equal(first.points, mixed.points)
    assert not torch.equal(probability(first, first.points), probability(mixed, first.points))


def test_confidence_at_the_ends_is_that_at_the_points():
    trained = train(0.4, 1, STEPS)
    p = probability(trained, trained.points)
    sure = torch.maximum(p, 1 - p)
    expected = torch.stack([sure[trained.classes == 0].mean(), sure[trained.classes == 1].mean()])
    torch.testing.assert_close(confidence(trained, torch.tensor([0.0, 1.0])), expected)


def test_the_network_learns():
    assert fresh_accuracy(train(0.0, 0, STEPS), 0) > 0.95
