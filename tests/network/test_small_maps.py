"""Where a convolution's output has one position it is a matrix product: the same numbers and gradients."""

import copy

import pytest
import torch
from torch.nn import functional as F

from bitdoc.network.norms import StdConv2d, standardized_once
from bitdoc.network.resnet import build
from bitdoc.network.small_maps import SinglePositionConv2d, product_at_one_position, with_products


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"),
    [(1, 1, 0, 1), (1, 2, 0, 2), (1, 2, 0, 1), (3, 1, 1, 1), (3, 2, 1, 2), (3, 2, 1, 1), (3, 1, 0, 3), (7, 2, 3, 2)],
)
def test_the_product_is_the_convolution(kernel, stride, padding, size):
    torch.manual_seed(0)
    x = torch.randn(4, 5, size, size, dtype=torch.float64)
    weight = torch.randn(6, 5, kernel, kernel, dtype=torch.float64)
    expected = F.conv2d(x, weight, stride=stride, padding=padding)
    assert expected.shape[2:] == (1, 1)
    torch.testing.assert_close(product_at_one_position(x, weight, padding), expected, rtol=1e-12, atol=1e-12)


def test_maps_that_are_not_square():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 1, 2, dtype=torch.float64), torch.randn(4, 3, 3, 3, dtype=torch.float64)
    expected = F.conv2d(x, weight, stride=2, padding=1)
    torch.testing.assert_close(product_at_one_position(x, weight, 1), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("side", [16, 20, 32, 40, 64])
@pytest.mark.parametrize("once", [False, True])
def test_the_network_and_its_gradients_stay_the_same(side, once):
    torch.manual_seed(0)
    plain = build("R26x0.25", 7, zero_head=False).double()
    changed = with_products(copy.deepcopy(plain))
    x = torch.randn(3, 3, side, side, dtype=torch.float64)
    for model in (plain, changed):
        if once:
            with standardized_once(model):
                model(x).square().sum().backward()
        else:
            model(x).square().sum().backward()
    for before, after in zip(plain.parameters(), changed.parameters(), strict=True):
        torch.testing.assert_close(after.grad, before.grad, rtol=1e-9, atol=1e-9)


def test_the_product_is_used_where_it_serves_and_nowhere_else(monkeypatch):
    seen = []
    original = torch.Tensor.flatten
    monkeypatch.setattr(torch.Tensor, "flatten", lambda self, *a: seen.append(self.shape) or original(self, *a))
    model = with_products(build("R14x0.125", 3)).to(memory_format=torch.channels_last)
    model(torch.zeros(1, 3, 64, 64))
    assert not seen, "the smallest map of 64 pixels is 2 x 2"
    model(torch.zeros(1, 3, 32, 32))
    assert len(seen) == 3 * 2, "pixels and taps of the projection, the strided 3x3 and the last 1x1 convolution"


def test_filters_lie_as_the_standardization_reads_them():
    model = build("R14x0.125", 3).to(memory_format=torch.channels_last)
    before = [parameter.clone() for parameter in model.parameters()]
    assert with_products(model) is model
    assert all(m.weight.is_contiguous() for m in model.modules() if isinstance(m, SinglePositionConv2d))
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_other_devices_keep_their_convolutions():
    with torch.device("meta"):
        model = with_products(build("R14x0.125", 3))
    kinds = {type(m) for m in model.modules() if isinstance(m, StdConv2d)}
    assert kinds == {StdConv2d}
