"""MixUp against its definition, and the draws of its weight against the Beta distribution."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from bitdoc.training.mixup import draw_lambda, mix, mixed_cross_entropy

weights = st.floats(0, 1)


def test_mix_by_hand():
    x = torch.tensor([[0.0, 8.0], [4.0, 0.0], [8.0, 4.0]])
    partner = torch.tensor([1, 2, 0])
    expected = torch.tensor([[3.0, 2.0], [7.0, 3.0], [2.0, 7.0]])
    torch.testing.assert_close(mix(x, 0.25, partner), expected)


def test_the_ends_are_the_batch_and_its_partners():
    x, partner = torch.randn(4, 3, 5, 5), torch.tensor([2, 3, 1, 0])
    assert mix(x, 1.0, partner) is x
    torch.testing.assert_close(mix(x, 0.0, partner), x[partner])


def test_mix_does_not_change_its_input():
    x = torch.randn(4, 3)
    before = x.clone()
    mix(x, 0.3, torch.randperm(4))
    torch.testing.assert_close(x, before)


@given(n=st.integers(1, 9), classes=st.integers(1, 6), lam=weights)
def test_mixed_targets_keep_their_mass(n, classes, lam):
    targets = F.one_hot(torch.randint(classes, (n,)), classes).double()
    mixed = mix(targets, lam, torch.randperm(n))
    torch.testing.assert_close(mixed.sum(1), torch.ones(n, dtype=torch.float64))
    torch.testing.assert_close(mixed.sum(0), targets.sum(0))  # and, over a permutation, each class its share
    assert mixed.min() >= 0


@given(n=st.integers(1, 9), classes=st.integers(2, 6), lam=weights, seed=st.integers(0, 2**31))
def test_mixed_loss_is_the_loss_of_mixed_targets(n, classes, lam, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 5 * torch.randn(n, classes, generator=generator, dtype=torch.float64)
    target = torch.randint(classes, (n,), generator=generator)
    partner = torch.randperm(n, generator=generator)
    one_hot = F.one_hot(target, classes).double()
    loss = F.cross_entropy(logits, mix(one_hot, lam, partner))
    torch.testing.assert_close(mixed_cross_entropy(logits, target, lam, partner), loss, rtol=0, atol=1e-6)
    torch.testing.assert_close(mixed_cross_entropy(logits, one_hot, lam, partner), loss, rtol=0, atol=1e-6)


def test_soft_labels_mix_too():
    logits = torch.randn(3, 4)
    soft = torch.softmax(torch.randn(3, 4), 1)
    partner = torch.tensor([1, 2, 0])
    expected = F.cross_entropy(logits, mix(soft, 0.3, partner))
    torch.testing.assert_close(mixed_cross_entropy(logits, soft, 0.3, partner), expected)


def test_a_batch_of_one_is_its_own_partner():
    x, partner = torch.randn(1, 3, 4, 4), torch.tensor([0])
    torch.testing.assert_close(mix(x, 0.3, partner), x)
    logits, target = torch.randn(1, 4), torch.tensor([2])
    torch.testing.assert_close(mixed_cross_entropy(logits, target, 0.3, partner), F.cross_entropy(logits, target))


def draws(alpha: float, count: int = 4000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.tensor([draw_lambda(alpha, generator) for _ in range(count)], dtype=torch.float64)


def test_most_draws_at_alpha_a_tenth_hardly_mix():
    """Under Beta(0.1, 0.1) the lesser weight is below 0.1 in about four draws of five; under Beta(1, 1) in one."""
    lam = draws(0.1)
    assert torch.minimum(lam, 1 - lam).lt(0.1).double().mean().item() == pytest.approx(0.807, abs=0.02)
    uniform = draws(1.0)
    assert torch.minimum(uniform, 1 - uniform).lt(0.1).double().mean().item() == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 8.0])
def test_draws_follow_the_beta_distribution(alpha):
    stats = pytest.importorskip("scipy.stats")
    assert stats.kstest(draws(alpha).numpy(), stats.beta(alpha, alpha).cdf).pvalue > 0.001
    assert draws(alpha).mean().item() == pytest.approx(0.5, abs=0.03)  # not folded to one half


def test_tiny_alpha_gives_weights_and_not_nan():
    lam = draws(1e-4, 200)
    assert ((lam >= 0) & (lam <= 1)).all()
    assert torch.minimum(lam, 1 - lam).max() < 0.5


def test_a_generator_repeats_its_draws_and_spares_the_global_state():
    state = torch.random.get_rng_state()
    first, second = (draw_lambda(0.1, torch.Generator().manual_seed(3)) for _ in range(2))
    assert first == second != draw_lambda(0.1, torch.Generator().manual_seed(4))
    assert torch.equal(state, torch.random.get_rng_state())


def test_alpha_0_is_no_mixing_and_draws_nothing():
    generator = torch.Generator().manual_seed(3)
    state = generator.get_state()
    assert draw_lambda(0, generator) == 1.0
    assert torch.equal(state, generator.get_state())


@pytest.mark.parametrize("alpha", [-0.1, math.inf, math.nan])
def test_an_alpha_that_is_no_strength_is_named(alpha):
    with pytest.raises(ValueError, match=rf"alpha = {alpha}; alpha must be 0 \(off\) or a positive number"):
        draw_lambda(alpha)


@pytest.mark.parametrize(
    "numbers", [torch.tensor([3, 5]), torch.zeros(2, 3, dtype=torch.uint8), torch.tensor([True, False])]
)
@pytest.mark.parametrize("lam", [0.5, 1.0])
def test_class_numbers_are_not_averaged(numbers, lam):
    with pytest.raises(ValueError, match="numbers to mix; give images as floating-point numbers, and labels as prob"):
        mix(numbers, lam, torch.tensor([1, 0]))


WRONG = [
    (-0.01, torch.tensor([1, 0]), r"lambda = -0\.01; the weight of an example lies between 0 and 1"),
    (1.5, torch.tensor([1, 0]), r"lambda = 1\.5"),
    (math.nan, torch.tensor([1, 0]), "lambda = nan"),
    (0.5, torch.tensor([0, 1, 1]), r"2 examples and partners of shape \(3,\); expected one each"),
    (0.5, torch.tensor([True, True]), "partners of type bool; expected integer indices"),
    (0.5, torch.tensor([1, 0], dtype=torch.uint8), "partners of type uint8"),
    (0.5, torch.tensor([1.0, 0.0]), "partners of type float32"),
]


@pytest.mark.parametrize(("lam", "partner", "message"), WRONG)
def test_a_wrong_weight_or_partner_is_named_by_both_functions(lam, partner, message):
    with pytest.raises(ValueError, match=message):
        mix(torch.zeros(2, 2), lam, partner)
    with pytest.raises(ValueError, match=message):
        mixed_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), lam, partner)


def test_indices_of_either_integer_type_are_partners():
    x = torch.randn(3, 2)
    wide, narrow = (mix(x, 0.3, torch.tensor([2, 0, 1], dtype=kind)) for kind in (torch.int64, torch.int32))
    assert torch.equal(wide, narrow)


_DEVICES = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}


@pytest.mark.parametrize("device", [name for name, there in _DEVICES.items() if there])
def test_every_device_here_mixes_alike(device):
    rng = torch.Generator().manual_seed(3)  # on the CPU, whatever the device
    lam, partner = draw_lambda(0.4, rng), torch.randperm(6, generator=rng)
    x, logits, labels = torch.randn(6, 3, 4, 4), torch.randn(6, 5), torch.arange(6) % 5
    here = [t.to(device) for t in (x, logits, labels, partner)]
    expected = lam * x + (1 - lam) * torch.stack([x[i] for i in partner.tolist()])
    torch.testing.assert_close(mix(here[0], lam, here[3]).cpu(), expected)
    one_hot = lam * torch.eye(5)[labels] + (1 - lam) * torch.eye(5)[labels[partner]]
    by_hand = -(one_hot * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(mixed_cross_entropy(here[1], here[2], lam, here[3]).cpu(), by_hand)
