"""The norms against ``torch.nn``'s, and weight standardization against its definition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck

from bitdoc.network.norms import (
    WS_EPS,
    Norm2d,
    StdConv2d,
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    normalize,
    standardize,
    standardize_fused,
    standardized_once,
)

KINDS = ("batch", "layer", "instance", "group")
CHANNELS, GROUPS = 6, 3


def reference(kind: str, channels: int = CHANNELS, groups: int = GROUPS) -> nn.Module:
    """PyTorch's own layer; layer norm over (C, H, W) with a scale per channel is group norm with one group."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.GroupNorm(1 if kind == "layer" else groups, channels)


def pair(kind: str, channels: int = CHANNELS, groups: int = GROUPS) -> tuple[Norm2d, nn.Module]:
    ours, theirs = Norm2d(kind, channels, groups), reference(kind, channels, groups)
    with torch.no_grad():
        for mine, other in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
            mine.copy_(other.normal_())
    return ours, theirs


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape) * 3 + 2


@pytest.mark.parametrize("kind", KINDS)
def test_layers_equal_torch_in_values_and_gradients(kind):
    ours, theirs = pair(kind)
    x = images(4, CHANNELS, 5, 7).requires_grad_()
    y = x.detach().clone().requires_grad_()
    out, expected = ours(x), theirs(y)
    torch.testing.assert_close(out, expected, rtol=1e-6, atol=1e-6)
    weights = torch.randn_like(out)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, rtol=1e-5, atol=1e-5)


def test_batch_norm_running_statistics_and_evaluation():
    ours, theirs = pair("batch")
    for _ in range(3):
        x = images(4, CHANNELS, 3, 3)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=1e-6, atol=1e-6)
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-6, atol=1e-6)
    one = x[:1]
    torch.testing.assert_close(ours(one), ours(x)[:1])  # in evaluation an image does not depend on its batch


def test_batch_norm_alone_ties_an_image_to_its_batch():
    x = images(4, CHANNELS, 3, 3)
    for kind in KINDS:
        layer = Norm2d(kind, CHANNELS, GROUPS)
        assert torch.allclose(layer(x)[:1], layer(x[:1]), atol=1e-6) == (kind != "batch")


@given(
    n=st.integers(1, 4),
    groups=st.integers(1, 5),
    per_group=st.integers(1, 4),
    h=st.integers(1, 6),
    w=st.integers(1, 6),
    seed=st.integers(0, 2**31),
)
def test_functions_equal_torch_for_any_shape(n, groups, per_group, h, w, seed):
    assume(n * h * w > 1)  # torch refuses a single value, whose variance is 0
    channels = groups * per_group
    # Double precision: with a single value, or two near ones, in a group the variance is all rounding in single.
    x = torch.randn(n, channels, h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    functional = nn.functional
    ours_and_theirs = [
        (batch_norm(x), functional.batch_norm(x, None, None, training=True)),
        (layer_norm(x), functional.layer_norm(x, x.shape[1:])),
        (instance_norm(x), functional.group_norm(x, channels)),
        (group_norm(x, groups), functional.group_norm(x, groups)),
    ]
    for ours, theirs in ours_and_theirs:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@given(shape=st.tuples(*[st.integers(1, 4)] * 4), axes=st.sets(st.integers(0, 3), min_size=1))
def test_normalize_gives_mean_0_and_variance_1_over_its_axes(shape, axes):
    axes = tuple(sorted(axes))
    assume(any(shape[axis] > 1 for axis in axes))  # one value has no spread: 0 / 0
    out = normalize(torch.randn(shape, dtype=torch.float64), axes, eps=0)
    mean, var = out.mean(axes), out.var(axes, correction=0)
    torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-9)
    torch.testing.assert_close(var, torch.ones_like(var))


def test_a_constant_input_gives_zeros():
    x = torch.full((2, CHANNELS, 3, 3), 7.0)
    for out in (batch_norm(x), layer_norm(x), instance_norm(x), group_norm(x, GROUPS)):
        torch.testing.assert_close(out, torch.zeros_like(x))


def test_group_norm_ends_in_layer_and_instance_norm():
    x = images(2, CHANNELS, 4, 4)
    torch.testing.assert_close(group_norm(x, 1), layer_norm(x))
    torch.testing.assert_close(group_norm(x, CHANNELS), instance_norm(x))


@pytest.mark.parametrize(
    "function",
    [batch_norm, layer_norm, instance_norm, lambda x: group_norm(x, 2), standardize],
    ids=["batch", "layer", "instance", "group", "standardize"],
)
def test_gradients_pass_gradcheck(function):
    x = torch.randn(2, 4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(function, x)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_pass_gradcheck(kind):
    layer = Norm2d(kind, 4, groups=2, momentum=0.0).double()
    x = torch.randn(2, 4, 3, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x, weight, bias: layer(x), (x, layer.weight, layer.bias))


def test_std_conv_passes_gradcheck():
    conv = StdConv2d(3, 2, 3, padding=1).double()
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x, weight, bias: conv(x), (x, conv.weight, conv.bias))


@given(out=st.integers(1, 5), cin=st.integers(1, 5), kernel=st.sampled_from([1, 3, 7]))
def test_standardized_filters_have_mean_0_and_deviation_1(out, cin, kernel):
    assume(cin * kernel > 1)  # a filter of one weight has no spread
    raw = torch.randn(out, cin, kernel, kernel, dtype=torch.float64) + 0.5
    weight = standardize(raw)
    mean, std = weight.mean((1, 2, 3)), weight.std((1, 2, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-9)
    torch.testing.assert_close(std, torch.ones_like(std), rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_fused_standardization_gives_the_same_filters_and_gradients(layout):
    raw = (1 + 3 * torch.randn(6, 4, 3, 3, dtype=torch.float64)).contiguous(memory_format=layout)
    towards = torch.randn_like(raw)
    filters, gradients = [], []
    for function in (standardize, standardize_fused):
        weight = raw.clone().requires_grad_()
        filters.append(function(weight))
        filters[-1].backward(towards)
        gradients.append(weight.grad)
    torch.testing.assert_close(*filters, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)
    half = raw.to(torch.bfloat16)
    torch.testing.assert_close(standardize_fused(half), standardize(half), rtol=1e-2, atol=1e-2)
    constant = torch.full((2, 3, 1, 1), 0.7)
    assert standardize_fused(constant).abs().max() < 1e-2


def test_standardize_is_the_official_formula_to_the_last_epsilon():
    """Population variance, 1e-10 inside the root: visible for filters as small as these."""
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64) * 1e-5
    flat = weight.reshape(3, -1)
    centred = flat - flat.mean(1, keepdim=True)
    root = (centred.square().sum(1, keepdim=True) / 18 + 1e-10).sqrt()
    torch.testing.assert_close(standardize(weight).reshape(3, -1), centred / root, rtol=1e-12, atol=0)
    assert WS_EPS == 1e-10


@given(scale=st.floats(0.05, 100), shift=st.floats(-5, 5))
def test_std_conv_ignores_scale_and_shift_of_its_filters(scale, shift):
    conv = StdConv2d(4, 3, 3, bias=False).double()
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64)
    before = conv(x)
    with torch.no_grad():
        conv.weight.mul_(scale).add_(shift)
    torch.testing.assert_close(conv(x), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_filters_are_standardized_in_single_precision(dtype):
    """In float16 an epsilon of 1e-10 is 0, and a constant filter would become 0 / 0."""
    constant = torch.full((2, 3, 3, 3), 0.25, dtype=dtype)
    assert torch.equal(standardize(constant), torch.zeros_like(constant))
    weight = torch.randn(2, 3, 3, 3).to(dtype)
    assert standardize(weight).dtype == dtype
    torch.testing.assert_close(standardize(weight), standardize(weight.float()).to(dtype))


def test_std_conv_is_a_convolution_with_standardized_filters():
    conv = StdConv2d(4, 6, 3, stride=2, padding=1, groups=2)
    x = images(2, 4, 7, 7)
    expected = nn.functional.conv2d(x, standardize(conv.weight), conv.bias, 2, 1, 1, 2)
    torch.testing.assert_close(conv(x), expected)


def small_net() -> nn.Sequential:
    return nn.Sequential(
        StdConv2d(3, 4, 3, bias=False),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        StdConv2d(4, 2, 3),
        nn.Flatten(),
        nn.LazyLinear(3),
    ).double()


def test_standardized_once_gives_the_same_outputs_and_gradients():
    model = small_net()
    batches = [torch.randn(2, 3, 8, 8, dtype=torch.float64) for _ in range(3)]
    model(batches[0])  # makes the lazy layer

    def run() -> list[torch.Tensor]:
        model.zero_grad()
        outputs = [model(x) for x in batches]
        for out in outputs:
            out.square().sum().backward()
        return outputs

    outputs = run()
    gradients = [p.grad.clone() for p in model.parameters()]
    with standardized_once(model):
        shared = run()
    for ours, theirs in zip(shared + [p.grad for p in model.parameters()], outputs + gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_standardized_once_adds_to_gradients_that_are_there():
    model = small_net()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    model(x).sum().backward()
    once = [p.grad.clone() for p in model.parameters()]
    with standardized_once(model):
        model(x).sum().backward()
    for p, grad in zip(model.parameters(), once, strict=True):
        torch.testing.assert_close(p.grad, 2 * grad, rtol=1e-10, atol=1e-10)


def test_standardized_once_standardizes_once(monkeypatch):
    calls = []
    monkeypatch.setattr("bitdoc.network.norms.standardize_fused", lambda w: calls.append(w) or standardize(w))
    model = small_net()
    with standardized_once(model), torch.no_grad():
        for _ in range(3):
            model(torch.randn(1, 3, 8, 8, dtype=torch.float64))
    assert len(calls) == 2
    model(torch.randn(1, 3, 8, 8, dtype=torch.float64))
    assert len(calls) == 4


def test_standardized_once_leaves_the_model_as_it_was_after_an_error():
    model = small_net()
    with pytest.raises(RuntimeError, match="stop"), standardized_once(model):
        raise RuntimeError("stop")
    assert all(m.shared is None for m in model.modules() if isinstance(m, StdConv2d))


def test_standardized_once_with_frozen_filters():
    model = small_net()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    model(x)
    for m in model.modules():
        if isinstance(m, StdConv2d):
            m.weight.requires_grad_(False)
    with standardized_once(model):
        model(x).sum().backward()
    assert model[0].weight.grad is None
    assert model[-1].weight.grad is not None


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="6 channels and 4 groups"):
        group_norm(torch.zeros(1, 6, 2, 2), 4)
    with pytest.raises(ValueError, match="unknown norm 'weight'"):
        Norm2d("weight", 4)


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (0, 4, 3, 3), (2, 4, 0, 1), (1, 4, 0, 0)])
def test_batch_norm_refuses_fewer_than_two_values_as_torch_does(shape):
    """Their running variance would be NaN, and stay so however many good batches follow."""
    layer = Norm2d("batch", 4)
    with pytest.raises(ValueError, match=f"got {shape[0] * shape[2] * shape[3]} values a channel in training"):
        layer(torch.zeros(shape))
    assert torch.equal(layer.running_var, torch.ones(4)) and torch.equal(layer.running_mean, torch.zeros(4))
    if shape == (1, 4, 1, 1):
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            nn.BatchNorm2d(4)(torch.zeros(shape))
    layer.eval()
    assert torch.isfinite(layer(torch.ones(shape))).all(), "in evaluation one value is enough"


@pytest.mark.parametrize("kind", ["layer", "group"])
@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (3, 4, 1, 1), (1, 4, 2, 1)])
def test_the_other_norms_take_one_position(kind, shape):
    ours, theirs = pair(kind, 4, 2)
    x = images(*shape)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("cin", "cout", "kernel", "groups"), [(1, 3, 1, 1), (4, 4, 1, 4), (2, 6, 1, 2), (1, 1, 1, 1), (4, 4, 3, 4)]
)
def test_a_filter_of_one_weight_is_standardized_to_zero(cin, cout, kernel, groups):
    """As the formula says; torch's fused call refuses it. The last row has filters of nine weights."""
    conv = StdConv2d(cin, cout, kernel, groups=groups, bias=True)
    x = images(2, cin, 4, 4)
    expected = nn.functional.conv2d(x, standardize(conv.weight), conv.bias, groups=groups)
    torch.testing.assert_close(conv(x), expected)
    with standardized_once(conv):
        torch.testing.assert_close(conv(x), expected)
        conv(x).sum().backward()
    assert torch.isfinite(conv.weight.grad).all()
    if kernel == 1:
        assert not standardize_fused(conv.weight).any() and not conv.weight.grad.any()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [lambda: StdConv2d(3, 4, 3), lambda: Norm2d("batch", 4), small_net])
def test_scripting_is_refused_in_words_and_exporting_works(make):
    layer = make()
    with pytest.raises(TypeError, match=r"torch.jit.script cannot compile .* use torch.export.export") as error:
        torch.jit.script(layer)
    assert "\n" not in str(error.value)
    layer = StdConv2d(3, 4, 3)
    x = torch.randn(2, 3, 8, 8)
    for compiled in (torch.export.export(layer, (x,)).module(), torch.jit.trace(layer, x)):
        torch.testing.assert_close(compiled(x), layer(x))
