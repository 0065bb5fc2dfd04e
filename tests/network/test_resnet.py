"""BiT's network against timm's with the same weights, its parameter counts, and its parts by hand."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bitdoc.network import weights
from bitdoc.network.norms import StdConv2d, standardize
from bitdoc.network.resnet import (
    DEPTHS,
    OFFICIAL,
    BottleneckV1,
    Copy,
    PreActBottleneck,
    ResNetV1,
    Root,
    architecture,
    build,
    conv,
    count_parameters,
    norm,
)

GROUP, STD = norm("group", 4), conv(standardized=True)

#: Parameters without a head, and with one of 1,000 classes, in millions, as timm's table prints them.
COUNTS = {
    "R50x1": (23_500_352, 25.55),
    "R50x3": (211_174_080, 217.32),
    "R101x1": (42_492_480, 44.54),
    "R101x3": (381_789_888, 387.93),
    "R152x2": (232_238_208, 236.34),
    "R152x4": (928_340_224, 936.53),
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_parameter_counts(name):
    body, with_head = COUNTS[name]
    assert count_parameters(name, 0) == body
    assert count_parameters(name, 1000) / 1e6 == pytest.approx(with_head, abs=0.005)


def test_parameter_counts_of_the_largest_network_with_its_upstream_heads():
    assert count_parameters("R152x4", 1000) == 936_533_224
    assert count_parameters("R152x4", 21_843) == 1_107_299_923
    assert count_parameters("R152x4", 18_291) == 1_078_198_387


_LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in ("R50x3", "R152x2")]


@pytest.mark.parametrize("name", ["R50x1", "R101x1", *_LARGE])
def test_logits_equal_timm(name, tmp_path, randomize):
    """One file of random weights, two implementations: timm's WS epsilon is 1e-8, ours the official 1e-10."""
    timm = pytest.importorskip("timm")
    path = tmp_path / f"BiT-M-{name}.npz"
    with torch.device("meta"):  # the initial weights are not used: spare the time to draw them
        source = build(name, classes=7)
        theirs = timm.create_model(f"resnetv2_{name[1:]}_bit", pretrained=False, num_classes=7).eval()
    weights.save(randomize(source.to_empty(device="cpu")), path)
    del source
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        theirs.to_empty(device="cpu").load_pretrained(str(path))
        expected = theirs(x)
        del theirs
        logits = weights.load(f"BiT-M-{name}", directory=tmp_path)(x)
    path.unlink()  # up to a gigabyte
    assert expected.std() > 0.1
    assert (logits - expected).abs().max() < 1e-4 * expected.abs().max()


def test_names():
    small = architecture("R26x0.5")
    assert (small.blocks, small.width, small.groups, small.channels(64)) == ((2, 2, 2, 2), 0.5, 16, 32)
    assert architecture("R152x4").blocks == DEPTHS[152] == (3, 8, 36, 3)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("R51x1", "expected a depth of R14, R26, R50"),
        ("ResNet50", "unknown architecture 'ResNet50'"),
        ("R50", "such as R50x3"),
        ("R50x0", "below 1 must be a multiple of 1/32"),
        ("R50x0.3", "below 1 must be a multiple of 1/32"),
        ("R50x9000000", r"x9e\+06 fits into no memory"),
        ("R50x33", "a width of x33 fits into no memory; choose one up to x32"),
        ("R50x" + "9" * 300, "fits into no memory"),
        ("R50x" + "9" * 400, "above 1 of 1/2"),  # infinite
        ("R" + "9" * 5000 + "x1", "expected a depth of R14, R26, R50"),
        ("R050x1", "write R50x1"),
        ("R50x01", "write R50x1"),
        ("R50x1.0", "write R50x1"),
        ("R26x0.50", "write R26x0.5"),
        ("R\u0665\u0660x1", "expected a depth of R14, R26, R50"),
        ("R50x1.3", "above 1 of 1/2"),
        ("R50x-1", "unknown architecture"),
    ],
)
def test_wrong_names_say_what_is_expected(name, part):
    with pytest.raises(ValueError, match=part):
        architecture(name)


@pytest.mark.parametrize("width", ["0.03125", "0.125", "0.25", "0.5", "0.75", "1", "1.5", "2"])
def test_every_width_that_is_accepted_builds_and_runs(width):
    model = build(f"R14x{width}", classes=3)
    assert model(torch.randn(1, 3, 32, 32)).shape == (1, 3)
    assert model.features(torch.randn(1, 3, 32, 32)).shape == (1, int(2048 * float(width)))


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="unknown norm 'layer'"):
        build("R14x1", 3, norm_kind="layer")


@pytest.mark.parametrize(
    ("side", "sides"),
    [(128, [32, 16, 8, 4]), (224, [56, 28, 14, 7]), (384, [96, 48, 24, 12]), (480, [120, 60, 30, 15])],
)
def test_sides_of_the_stages(side, sides):
    with torch.device("meta"):
        model = build("R14x0.125", classes=3)
        x = model.root(torch.empty(1, 3, side, side))
        found = []
        for stage in model.stages:
            x = stage(x)
            found.append(x.shape[-1])
    assert found == sides


def test_zero_head_predicts_uniformly():
    model = build("R14x0.25", classes=4)
    x = torch.randn(3, 3, 32, 32)
    assert torch.equal(model(x), torch.zeros(3, 4))
    model(x).logsumexp(1).sum().backward()
    assert model.head.bias.grad.abs().max() > 0  # zero, but it learns
    assert build("R14x0.25", classes=4, zero_head=False)(x).abs().max() > 0


def test_a_network_without_a_head_returns_its_features():
    model = build("R14x0.25", classes=0)
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(model(x), model.features(x))


def test_the_head_is_not_standardized_and_nothing_else_has_a_bias():
    model = build("R14x0.25", classes=4)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert all(type(m) is StdConv2d and m.bias is None for m in convs)
    assert type(model.head) is nn.Linear
    assert model.head.bias is not None


@pytest.mark.parametrize(("kind", "layer"), [("group", nn.GroupNorm), ("batch", nn.BatchNorm2d), ("none", Copy)])
def test_norm_and_convolution_can_be_exchanged(kind, layer):
    model = build("R14x0.25", 3, norm_kind=kind, standardized=False)
    assert type(model.norm) is layer
    assert type(model.root.conv) is nn.Conv2d
    assert torch.isfinite(model(torch.randn(2, 3, 32, 32))).all()


def test_groups_and_epsilon_of_group_norm():
    layer = build("R50x1", 0).norm
    assert (layer.num_groups, layer.eps) == (32, 1e-5)


class TestRoot:
    """The ring of zeros takes part in the maximum."""

    def test_a_negative_border_becomes_zero(self):
        root = Root(2, STD)
        root.conv = nn.Identity()
        negative = -torch.rand(1, 2, 8, 8) - 1
        ours, padded = root(negative), F.max_pool2d(negative, 3, 2, padding=1)
        assert (ours[..., 0, :] == 0).all()
        assert (ours[..., :, 0] == 0).all()
        assert (padded < 0).all()
        torch.testing.assert_close(ours[..., 1:, 1:], padded[..., 1:, 1:])

    def test_forward_is_convolution_then_zeros_then_pool(self):
        root = Root(8, STD)
        x = torch.randn(2, 3, 32, 32) - 1
        out = F.conv2d(x, standardize(root.conv.weight), stride=2, padding=3)
        ringed = torch.zeros(2, 8, 18, 18)
        ringed[:, :, 1:-1, 1:-1] = out
        windows = ringed.unfold(2, 3, 2).unfold(3, 3, 2)
        torch.testing.assert_close(root(x), windows.amax((4, 5)))
        assert not torch.equal(root(x), F.max_pool2d(out, 3, 2, padding=1))


class TestPreActivation:
    """BiT's block, written out a second time."""

    @staticmethod
    def by_hand(block: PreActBottleneck, x: torch.Tensor, stride: int) -> torch.Tensor:
        def unit(x, layer, kernel, stride=1):
            x = F.relu(F.group_norm(x, layer.num_groups, layer.weight, layer.bias, layer.eps))
            return x, F.conv2d(x, standardize(kernel.weight), stride=stride, padding=kernel.weight.shape[-1] // 2)

        active, out = unit(x, block.norm_a, block.conv_a)
        shortcut = x if block.proj is None else F.conv2d(active, standardize(block.proj.weight), stride=stride)
        _, out = unit(out, block.norm_b, block.conv_b, stride)
        _, out = unit(out, block.norm_c, block.conv_c)
        return out + shortcut

    @pytest.mark.parametrize(("cin", "stride"), [(16, 1), (8, 1), (16, 2), (8, 2)])
    def test_forward(self, cin, stride):
        block = PreActBottleneck(cin, 16, stride, GROUP, STD)
        x = torch.randn(2, cin, 9, 9)
        torch.testing.assert_close(block(x), self.by_hand(block, x, stride))
        assert (block.proj is None) == (cin == 16 and stride == 1)

    def test_the_projection_sees_the_activated_input(self):
        block = PreActBottleneck(8, 16, 2, GROUP, STD)
        x = torch.randn(2, 8, 9, 9)
        seen = []
        block.proj.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
        block(x)
        torch.testing.assert_close(seen[0], F.relu(block.norm_a(x)))

    def test_the_stride_sits_on_the_3x3(self):
        block = PreActBottleneck(8, 16, 2, GROUP, STD)
        assert [c.stride[0] for c in (block.conv_a, block.conv_b, block.conv_c, block.proj)] == [1, 2, 1, 2]

    def test_or_on_the_first_1x1_as_in_2016(self):
        block = PreActBottleneck(8, 16, 2, GROUP, STD, stride_first=True)
        assert [c.stride[0] for c in (block.conv_a, block.conv_b, block.conv_c, block.proj)] == [2, 1, 1, 2]
        assert block(torch.randn(1, 8, 8, 8)).shape == (1, 16, 4, 4)

    def test_a_negative_sum_passes_the_addition(self):
        block = PreActBottleneck(16, 16, 1, GROUP, STD)
        assert block(torch.randn(2, 16, 8, 8)).min() < 0


class TestV1:
    """The block of 2015 has torchvision's arithmetic; only the place of the stride differs."""

    NAMES = {
        "conv_a": "conv1",
        "conv_b": "conv2",
        "conv_c": "conv3",
        "norm_a": "bn1",
        "norm_b": "bn2",
        "norm_c": "bn3",
        "norm_proj": "downsample.1",
        "proj": "downsample.0",
        "root.conv": "conv1",
        "root.norm": "bn1",
        "head": "fc",
    }

    @classmethod
    def copy_weights(cls, ours: nn.Module, theirs: nn.Module) -> None:
        state = {}
        for key, value in ours.state_dict().items():
            new = re.sub(r"stages\.(\d)", lambda m: f"layer{int(m[1]) + 1}", key)
            for name, other in cls.NAMES.items():
                new = re.sub(rf"(^|\.){re.escape(name)}\.", rf"\g<1>{other}.", new)
            state[new] = value
        theirs.load_state_dict(state)

    @classmethod
    def pair(cls, cin: int, stride: int) -> tuple[BottleneckV1, nn.Module]:
        tv = pytest.importorskip("torchvision.models.resnet")
        ours = BottleneckV1(cin, 16, stride, norm("batch"), conv(standardized=False))
        down = None
        if stride != 1 or cin != 16:
            down = nn.Sequential(nn.Conv2d(cin, 16, 1, stride, bias=False), nn.BatchNorm2d(16))
        theirs = tv.Bottleneck(cin, 4, stride, downsample=down)
        with torch.no_grad():
            for parameter in ours.parameters():
                parameter.normal_(0.5, 0.5)
        cls.copy_weights(ours, theirs)
        return ours, theirs

    def test_the_whole_network_equals_torchvision(self):
        tv = pytest.importorskip("torchvision.models.resnet")
        ours, theirs = ResNetV1(architecture("R50x1"), classes=7).eval(), tv.resnet50(num_classes=7).eval()
        self.copy_weights(ours, theirs)
        for stage in (theirs.layer2, theirs.layer3, theirs.layer4):
            stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
        x = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(("cin", "stride"), [(16, 1), (8, 1), (8, 2)])
    def test_equals_torchvision(self, cin, stride):
        ours, theirs = self.pair(cin, stride)
        if stride == 2:  # torchvision's block is "v1.5": its stride is on the 3x3
            theirs.conv1.stride, theirs.conv2.stride = (2, 2), (1, 1)
        x = torch.randn(2, cin, 8, 8)
        torch.testing.assert_close(ours(x), theirs(x))
        assert ours(x).min() >= 0  # the last ReLU comes after the addition

    def test_the_place_of_the_stride_matters(self):
        ours, theirs = self.pair(8, 2)
        x = torch.randn(2, 8, 8, 8)
        assert ours(x).shape == theirs(x).shape
        assert not torch.allclose(ours(x), theirs(x), atol=1e-2)


def test_the_whole_network_passes_gradients_to_every_parameter(tiny):
    tiny(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in tiny.parameters())


def test_an_image_does_not_depend_on_its_batch(tiny):
    """Group norm: the same logits alone and in company, in training too."""
    x = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(tiny.train()(x)[:1], tiny(x[:1]), rtol=1e-4, atol=1e-5)
