"""Growing a network leaves its function alone, and fails exactly where the docstring says."""

import pytest
import torch
from torch import nn

from bitdoc.network.resnet import DEPTHS, build
from bitdoc.network.widen import deepen, likeness, perturb, widen

LIMIT = 1e-5


def trained_like(name: str, **options) -> nn.Module:
    """Build a network whose norms and head are random, as after training.

    Made ``.double()`` where exactness is tested: what is left there is the epsilon of the norms, and not the rounding
    of many layers, which differs from one processor to the next.
    """
    torch.manual_seed(0)
    model = build(name, 5, zero_head=False, **options).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.GroupNorm | nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
    return model


def difference(a: nn.Module, b: nn.Module) -> float:
    """Largest difference of the logits, relative to their spread."""
    x = torch.rand(2, 3, 33, 33, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        first, second = (model(x.to(model.head.weight)) for model in (a, b))
    return ((first - second).abs().max() / first.std()).item()


@pytest.mark.parametrize("depth", [pytest.param(d, marks=pytest.mark.slow) if d > 50 else d for d in DEPTHS])
def test_exact_for_every_depth(depth):
    model = trained_like(f"R{depth}x1").double()
    wide = widen(model, 2)
    assert wide.arch.name == f"R{depth}x2"
    assert difference(model, wide) < LIMIT


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_exact_for_every_factor(factor):
    model = trained_like("R14x1").double()
    assert difference(model, widen(model, factor)) < LIMIT


def test_from_a_wide_network():
    model = trained_like("R14x1.5").double()
    wide = widen(model, 2)
    assert wide.arch.name == "R14x3"
    assert difference(model, wide) < LIMIT


def test_features_are_copies_scaled_once():
    model = trained_like("R14x1")
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            widen(model, 3).features(x), model.features(x).repeat_interleave(3, 1), rtol=1e-4, atol=1e-5
        )


def test_is_an_ordinary_network_of_that_width_and_leaves_the_old_one_alone():
    model = trained_like("R14x1")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    wide = widen(model.train(), 2)
    expected = build("R14x2", 5)
    assert {n: p.shape for n, p in wide.named_parameters()} == {n: p.shape for n, p in expected.named_parameters()}
    assert all(p.requires_grad and p.is_leaf and p.device.type == "cpu" for p in wide.parameters())
    assert wide.training and not widen(model.eval(), 2).training
    perturb(wide, 0.1, seed=0)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    "options", [{"standardized": False}, {"norm_kind": "batch"}], ids=["group norm, plain", "batch norm"]
)
def test_other_norms_that_look_at_the_activations_are_exact_too(options):
    # Weight standardization is not what makes widening exact, and batch norm in training mode removes the factor
    # channel by channel; only the epsilon keeps the two from being equal to the last bit.
    model = trained_like("R14x1", **options).train()
    assert difference(model, widen(model, 3)) < 1e-4


def test_not_exact_for_batch_norm_in_evaluation_mode():
    # The copied running statistics describe sums three times too small.
    model = trained_like("R14x1", norm_kind="batch").train()
    with torch.no_grad():
        model(torch.randn(4, 3, 64, 64))
    wide = widen(model, 3)
    assert difference(model.eval(), wide.eval()) > 0.1


@pytest.mark.parametrize("standardized", [True, False])
def test_not_exact_without_norms(standardized):
    model = trained_like("R14x1", norm_kind="none", standardized=standardized)
    assert difference(model, widen(model, 3)) > 1


def test_dividing_the_filters_as_net2net_does_changes_nothing_under_weight_standardization():
    model = trained_like("R14x1")
    divided = widen(model, 2)
    with torch.no_grad():
        for module in divided.modules():
            if isinstance(module, nn.Conv2d):
                module.weight /= 2
    assert difference(model, divided) < LIMIT


def test_copies_that_do_not_stay_in_their_group_are_not_exact():
    model = trained_like("R14x1")
    wide = widen(model, 2)
    with torch.no_grad():  # the same copies, but one whole set behind the other
        for module in wide.modules():
            if isinstance(module, nn.GroupNorm):
                for parameter in (module.weight, module.bias):
                    parameter.copy_(parameter[::2].repeat(2))
            elif isinstance(module, nn.Conv2d):
                weight = module.weight[::2].repeat(2, 1, 1, 1)
                module.weight.copy_(weight if weight.shape[1] == 3 else weight[:, ::2].repeat(1, 2, 1, 1))
        wide.head.weight.copy_(wide.head.weight[:, ::2].repeat(1, 2))
    assert difference(model, wide) > 1e-2


@pytest.mark.parametrize("factor", [1, 0, -2, 1.5])
def test_wrong_factor(factor):
    with pytest.raises(ValueError, match=f"widen got factor {factor}"):
        widen(build("R14x1", 2), factor)


@pytest.mark.parametrize(
    ("name", "factor", "wide_name"),
    [("R14x0.5", 2, "R14x1"), ("R14x0.5", 6, "R14x3"), ("R26x0.25", 4, "R26x1"), ("R14x0.25", 2, "R14x0.5")],
)
def test_exact_for_narrow_networks_whose_groups_become_more(name, factor, wide_name):
    model = trained_like(name).double()
    wide = widen(model, factor)
    assert wide.arch.name == wide_name and wide.norm.num_groups == wide.arch.groups
    assert difference(model, wide) < LIMIT


def test_copies_of_a_narrow_network_laid_as_neighbors_are_not_exact():
    model = trained_like("R14x0.5").double()
    wide = widen(model, 2)
    shapes = {name: tensor.shape for name, tensor in wide.state_dict().items()}
    neighbors = {name: _neighbors(tensor, shapes[name]) for name, tensor in model.state_dict().items()}
    neighbors["head.weight"] /= 2
    wide.load_state_dict(neighbors)
    assert difference(model, wide) > 1e-2


def _neighbors(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    for dim, length in enumerate(shape):
        tensor = tensor.repeat_interleave(length // tensor.shape[dim], dim)
    return tensor.clone()


def test_a_factor_that_would_cut_groups_is_refused():
    with pytest.raises(ValueError, match=r"R14x1.5 \(32 groups\) of R14x0.5 \(16 groups\).*choose another factor"):
        widen(build("R14x0.5", 2), 3)


@pytest.mark.parametrize(("name", "depth"), [("R14x0.5", 26), ("R26x0.5", 50), ("R14x0.25", 101), ("R50x0.125", 200)])
@pytest.mark.parametrize("norm_kind", ["group", "batch"])
def test_deepening_changes_no_bit(name, depth, norm_kind):
    model = trained_like(name, norm_kind=norm_kind)
    deep = deepen(model, depth)
    assert deep.arch.blocks == DEPTHS[depth] and deep.arch.width == model.arch.width
    assert difference(model, deep) == 0


def test_a_deeper_and_wider_network_still_computes_the_same():
    model = trained_like("R14x0.5").double()
    grown = widen(deepen(model, 26), 6)
    assert grown.arch.name == "R26x3"
    assert difference(model, grown) < LIMIT


def test_a_new_block_learns_only_once_it_is_open():
    def gradient(network: nn.Module) -> float:
        x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        nn.functional.cross_entropy(network(x), torch.tensor([0, 1])).backward()
        block = network.stages[0][1]
        return sum(p.grad.abs().max().item() for p in block.parameters())

    model = trained_like("R14x0.5")
    closed, opened = deepen(model, 26), deepen(model, 26)
    perturb(opened, 0.1, seed=0)
    assert gradient(closed) == 0
    assert gradient(opened) > 1e-6
    assert torch.equal(opened.stages[0][0].norm_c.weight, model.stages[0][0].norm_c.weight), "an open norm stays"


@pytest.mark.parametrize(("name", "depth"), [("R50x0.25", 26), ("R26x0.25", 26), ("R26x0.25", 51)])
def test_networks_that_cannot_be_deepened_so(name, depth):
    with pytest.raises(ValueError, match=f"deepen cannot make {depth} layers of {name}; choose one of "):
        deepen(build(name, 2), depth)


def test_without_norms_nothing_can_close_a_block():
    with pytest.raises(ValueError, match="deepen needs norms"):
        deepen(build("R14x0.25", 2, norm_kind="none"), 26)


def test_noise_is_relative_to_each_filter():
    model = trained_like("R14x1")
    with torch.no_grad():
        model.root.conv.weight[0] *= 100
    before = model.root.conv.weight.detach().clone()
    perturb(model, 0.05, seed=0)
    noise = (model.root.conv.weight.detach() - before).std((1, 2, 3)) / before.std((1, 2, 3))
    torch.testing.assert_close(noise, torch.full_like(noise, 0.05), rtol=0.3, atol=0)


def test_noise_is_repeatable_and_spares_everything_else():
    one, two, other = (widen(trained_like("R14x1"), 2) for _ in range(3))
    untouched = {n: p.clone() for n, p in one.named_parameters() if "norm" in n or "head" in n}
    perturb(one, 0.01, seed=3)
    perturb(two, 0.01, seed=3)
    perturb(other, 0.01, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.root.conv.weight, other.root.conv.weight)
    assert all(torch.equal(dict(one.named_parameters())[n], p) for n, p in untouched.items())
    with pytest.raises(ValueError, match="perturb got scale -1"):
        perturb(one, -1, seed=0)


def _gap_between_the_gradients_of_copies(model: nn.Module) -> float:
    x, y = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3])
    nn.functional.cross_entropy(model(x), y).backward()
    gradient = model.stages[1][0].conv_b.weight.grad
    return ((gradient[::2] - gradient[1::2]).abs().max() / gradient.std()).item()


def test_only_noise_lets_the_copies_part():
    assert _gap_between_the_gradients_of_copies(widen(trained_like("R14x1"), 2)) < 1e-3
    noisy = widen(trained_like("R14x1"), 2)
    perturb(noisy, 0.01, seed=0)
    assert _gap_between_the_gradients_of_copies(noisy) > 0.01


def test_each_weight_keeps_a_ninth_of_its_gradient():
    # Of the factor 9, one 3 is the copies' shares of a channel's effect, the other what the next norm divides away.
    model = trained_like("R14x1").double()
    wide = widen(model, 3)
    x = torch.randn(2, 3, 33, 33, generator=torch.Generator().manual_seed(1)).double()
    for network in (model, wide):
        nn.functional.cross_entropy(network(x), torch.tensor([0, 3])).backward()
    for name in ("stages.0.0.conv_b.weight", "stages.3.0.conv_c.weight"):
        small, large = (network.get_parameter(name).grad for network in (model, wide))
        repeated = small.repeat_interleave(3, 0).repeat_interleave(3, 1)
        torch.testing.assert_close(9 * large, repeated, rtol=1e-4, atol=1e-4 * repeated.abs().max().item())
    small, large = (network.head.weight.grad for network in (model, wide))
    torch.testing.assert_close(large, small.repeat_interleave(3, 1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("start", "factor"), [("R14x1", 2), ("R14x0.5", 2), ("R14x0.5", 6), ("R14x0.25", 4)])
def test_copies_are_alike_at_birth_and_part_with_noise(start, factor):
    wide = widen(trained_like(start), factor)
    assert likeness(wide, factor) == pytest.approx(1, abs=1e-4)
    perturb(wide, 1.0, seed=0)
    # Noise as long as the filter: two copies share half of their square.
    assert likeness(wide, factor) == pytest.approx(0.5, abs=0.02)


def test_unrelated_filters_are_not_alike():
    assert likeness(trained_like("R14x2"), 2) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("factor", [0, 1])
def test_likeness_refuses_factors_that_copy_nothing(factor):
    with pytest.raises(ValueError, match="factor"):
        likeness(trained_like("R14x1"), factor)
