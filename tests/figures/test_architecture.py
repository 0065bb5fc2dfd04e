"""The architecture page: diagrams follow the modules, counts agree with other people's, small experiments hold."""

import inspect
import linecache
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from matplotlib.patches import FancyBboxPatch
from torch import nn
from torch.nn import functional as F

from bitdoc import figures
from bitdoc.figures.architecture import changes as architecture
from bitdoc.figures.architecture import diagram, gradients, live
from bitdoc.figures.architecture import sizes as architecture_sizes
from bitdoc.literature.published import FIG5, GN_BATCH_SIZE, RESNET_V2, TABLE4, TABLE5, TIMM_PARAMETERS
from bitdoc.network import resnet
from bitdoc.network.resnet import OFFICIAL, PreActBottleneck, ResNetV1, Root, build, conv, norm

DOCS = Path(__file__).parents[2] / "docs"
BRANCH_V1 = ["1×1 conv", "batch norm", "ReLU", "3×3 conv", "batch norm", "ReLU", "1×1 conv", "batch norm"]
BRANCH_V2 = ["batch norm", "ReLU", "1×1 conv", "batch norm", "ReLU", "3×3 conv", "batch norm", "ReLU", "1×1 conv"]


def walked(stride: int = 1) -> dict[str, list[diagram.Box]]:
    channels = 256 if stride == 1 else 128
    made = architecture.three_blocks(channels, stride)
    return {name: diagram.walk(block, (channels, 32, 32)) for name, block in made.items()}


def split(boxes: list[diagram.Box]) -> tuple[list[str], list[str]]:
    """Labels on the trunk, and labels off it."""
    main = diagram.trunk(boxes)
    on = {box.name: box.label for box in boxes}
    return [on[name] for name in main], [box.label for box in boxes if box.name not in main]


# ---- Diagrams ------------------------------------------------------------------------------------------------------


def test_what_stands_on_the_shortcut():
    three = walked()
    assert split(three["ResNet v1"]) == (["in", "+", "ReLU", "out"], BRANCH_V1)
    assert split(three["ResNet v2"]) == (["in", "+", "out"], BRANCH_V2)
    bit = [label.replace("batch", "group").replace("conv", "std. conv") for label in BRANCH_V2]
    assert split(three["BiT"]) == (["in", "+", "out"], bit)


def test_where_the_projection_and_the_stride_are():
    three = walked(stride=2)
    assert split(three["ResNet v1"])[0] == ["in", "1×1 conv", "batch norm", "+", "ReLU", "out"]
    assert split(three["ResNet v2"])[0] == ["in", "batch norm", "ReLU", "1×1 conv", "+", "out"]
    strided = {name: [box.name for box in boxes if "/2" in box.detail] for name, boxes in three.items()}
    assert strided == {
        "ResNet v1": ["proj", "conv_a"],
        "ResNet v2": ["proj", "conv_a"],
        "BiT": ["proj", "conv_b"],
    }
    assert all(boxes[-1].shape == (256, 16, 16) for boxes in three.values())


def test_shapes_are_those_of_a_real_run():
    block = PreActBottleneck(64, 128, 2, norm("group"), conv(standardized=True))
    shapes = {}
    for name, layer in block.named_children():
        layer.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    block(torch.randn(1, 64, 12, 12))
    boxes = {box.name: box.shape for box in diagram.walk(block, (64, 12, 12))}
    assert {name: boxes[name] for name in shapes} == shapes


@pytest.mark.parametrize("stride", [1, 2])
def test_every_box_names_the_line_that_makes_it(stride):
    for boxes in walked(stride).values():
        for box in boxes[1:-1]:
            line = linecache.getline(inspect.getsourcefile(resnet), box.line)
            sign = {"ReLU": "F.relu(", "+": "+"}.get(box.label, f"self.{box.name}(")
            assert sign in line, f"{box} against {line!r}"


def test_the_picture_follows_the_module():
    block = PreActBottleneck(256, 256, 1, norm("group"), conv(standardized=True))
    before = diagram.walk(block, (256, 32, 32))
    block.conv_b = nn.Conv2d(64, 64, 5, padding=2, bias=False)
    after = diagram.walk(block, (256, 32, 32))
    assert diagram.differences(before, after) == (set(), {"conv_b"})
    assert {box.name: box.label for box in after}["conv_b"] == "5×5 conv"
    assert "5×5 conv" in texts(diagram.block_diagram({"changed": block}, (256, 32, 32)))


def test_differences_of_the_three_blocks():
    three = walked()
    gone, new = diagram.differences(three["ResNet v1"], three["ResNet v2"])
    assert gone == {"norm_c", "relu_2"}
    assert new == {"norm_a", "relu"}
    gone, new = diagram.differences(three["ResNet v2"], three["BiT"])
    assert gone == set()
    assert new == {"norm_a", "norm_b", "norm_c", "conv_a", "conv_b", "conv_c"}


def texts(fig) -> list[str]:
    return [text.get_text() for ax in fig.axes for text in ax.texts]


def test_a_diagram_holds_every_box_and_marks_the_new_ones():
    fig = architecture.draw_blocks()
    shown = texts(fig)
    for ax, boxes in zip(fig.axes, walked().values(), strict=True):
        assert len([p for p in ax.patches if isinstance(p, FancyBboxPatch)]) == len(boxes) - 2
        assert all(any(f":{box.line}" in text for text in shown) for box in boxes[1:-1])
    thick = [sum(patch.get_linewidth() > 2 for patch in ax.patches) for ax in fig.axes]
    assert thick == [0, 2, 6]


def test_any_block_can_be_drawn():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.SiLU())

        def forward(self, x):
            return torch.sigmoid(self.body(x)) * x

    labels = [box.label for box in diagram.walk(Odd(), (8, 4, 4))]
    assert labels == ["in", "3×3 conv", "SiLU", "sigmoid", "mul", "out"]
    many = {
        "whole v1 root": resnet.RootV1(64, norm("batch"), conv(standardized=False)),
        "no norm": resnet.BottleneckV1(128, 128, 1, norm("none"), conv(standardized=False)),
        "two blocks": nn.Sequential(*(PreActBottleneck(128, 128, 1, norm("group"), conv(True)) for _ in range(2))),
    }
    for title, block in many.items():
        shape = (3, 32, 32) if "root" in title else (128, 32, 32)
        assert texts(diagram.block_diagram({title: block}, shape))


def test_an_identity_is_no_box():
    block = resnet.BottleneckV1(64, 64, 1, norm("none"), conv(standardized=False))
    labels = [box.label for box in diagram.walk(block, (64, 8, 8))]
    assert labels == ["in", "1×1 conv", "ReLU", "3×3 conv", "ReLU", "1×1 conv", "+", "ReLU", "out"]


def test_walking_leaves_the_block_as_it_was():
    block = PreActBottleneck(128, 128, 1, norm("group"), conv(standardized=True))
    diagram.walk(block, (128, 8, 8))
    assert all(p.device.type == "cpu" for p in block.parameters())


def test_a_block_that_cannot_be_walked_says_why():
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ValueError, match=r"cannot walk Branching with an input of shape \(3, 8, 8\)"):
        diagram.walk(Branching(), (3, 8, 8))
    with pytest.raises(ValueError, match="cannot walk Root"):
        diagram.walk(Root(64, conv(standardized=True)), (5, 8, 8))


# ---- Networks ------------------------------------------------------------------------------------------------------


def test_resnet_v1_is_torchvisions_with_the_stride_moved():
    torchvision = pytest.importorskip("torchvision")
    theirs, ours = torchvision.models.resnet50(), ResNetV1(resnet.architecture("R50x1"), 1000)
    for module in theirs.modules():
        if hasattr(module, "conv3"):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
    assert [tuple(p.shape) for p in ours.stages[0][1].parameters()] == [
        tuple(p.shape) for p in theirs.layer1[1].parameters()
    ]

    def state(model):  # both list conv, norm; conv, norm; ... and the projection last
        return [t for name, t in model.state_dict().items() if "num_batches" not in name]

    with torch.no_grad():
        for mine, other in zip(state(ours), state(theirs), strict=True):
            if mine.dim() == 1:
                other.uniform_(0.5, 1.5)
            mine.copy_(other.reshape(mine.shape))
        x = torch.randn(2, 3, 64, 64)
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OFFICIAL)
def test_parameters_agree_with_published_counts(name):
    assert round(resnet.count_parameters(name, 1000) / 1e6, 2) == TIMM_PARAMETERS.values[name]


@pytest.mark.parametrize("name", OFFICIAL)
def test_parameters_agree_with_timms_modules(name):
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        theirs = timm.create_model(f"resnetv2_{name[1:]}_bit", num_classes=1000)
    assert resnet.count_parameters(name, 1000) == sum(p.numel() for p in theirs.parameters())


def by_hand(model: nn.Module, side: int) -> int:
    """Multiply-adds from the sizes: every output needs one for each weight of its filter."""
    total = 0

    def count(layer, _, out):
        nonlocal total
        total += out[0].numel() * layer.weight[0].numel()

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    model(torch.empty(1, 3, side, side, device="meta"))
    return total


@pytest.mark.parametrize("name", ["R50x1", "R101x3"])
def test_operations_agree_with_a_count_by_hand(name):
    with torch.device("meta"):
        model = build(name, 1000)
    assert architecture_sizes.size(name, 128) == by_hand(model, 128)


def test_v1s_published_operations():
    # He et al. (2016), Table 1: 3.8 billion for 50 layers.
    assert int(architecture._r50("v1")[1] / 1e8) == 38


def test_parts_of_the_strip_make_up_the_network():
    rows = architecture_sizes.parts("R50x3", 128, 10)
    assert sum(row.parameters for row in rows) == resnet.count_parameters("R50x3", 10)
    with torch.device("meta"):
        assert sum(row.operations for row in rows) == architecture_sizes.multiply_adds(build("R50x3", 10), 128)[""]
    assert [row.blocks for row in rows] == [0, 0, 3, 4, 6, 3, 0]
    assert [row.shape for row in rows][-2:] == [(6144, 4, 4), (10,)]


def test_alt_text_of_the_strip_holds():
    rows = architecture_sizes.parts("R50x3", 128, 10)
    parameters, operations = [row.parameters for row in rows], [row.operations for row in rows]
    assert sum(parameters[4:6]) > 0.9 * sum(parameters) and parameters[5] > 0.5 * sum(parameters)
    assert operations.index(max(operations)) == 4


# ---- Tables --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sizes_table_prints_the_published_accuracies():
    header, *rows = architecture_sizes.sizes_table()
    table = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert list(table) == list(OFFICIAL)
    for name, published in FIG5.values["ILSVRC-2012"].items():
        assert {data: float(table[name][f"BiT-{data}"]) for data in "SML"} == published
    assert [table["R152x2"][f"BiT-{data}"] for data in "SML"] == ["–", "85.15", "–"]
    assert {name: float(row["With head"]) for name, row in table.items()} == TIMM_PARAMETERS.values


def test_cost_of_each_change():
    rows = {row[0]: row[1:] for row in architecture.costs_table()}
    assert rows["Stride on the 3×3"] == ["+0", "+6%", "about +0.5"]
    assert rows["Width ×3"][:2] == ["×8.5", "×8.8"]
    # v2 has a final norm of 2048 channels, and its norms before the first convolutions are as wide as the trunk.
    arch = resnet.architecture("R50x1")
    with torch.device("meta"):
        v1, v2 = ResNetV1(arch, 1000), build("R50x1", 1000, norm_kind="batch", standardized=False)
    change = sum(p.numel() for p in v2.parameters()) - sum(p.numel() for p in v1.parameters())
    assert rows["Order, and root without norm (v2 for CIFAR)"] == [f"−{-change:,d}", "+0%", "not measured at 50 layers"]


def test_the_table_of_changes_is_what_the_modules_do():
    header, *rows = architecture.changes_table()
    assert header == ["", "v1", "v2, CIFAR code", "v2, ImageNet code", "BiT"]
    cells = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    three = walked(stride=2)
    for ours, column in (("ResNet v1", "v1"), ("ResNet v2", "v2, CIFAR code"), ("BiT", "BiT")):
        strided = {box.name: box.label for box in three[ours] if "/2" in box.detail and box.name != "proj"}
        (where,) = strided
        assert cells["Stride 2"][column] == {"conv_a": "first 1×1", "conv_b": "as ImageNet"}[where]
        before = split(three[ours])[0][1:3] == ["in", "1×1 conv"] or split(three[ours])[0][1] == "1×1 conv"
        told = cells["Projection"][column]
        assert before == told.startswith("from the input"), told
    assert cells["Stride 2"]["v2, ImageNet code"] == "3×3"
    assert cells["Norm and ReLU in the root"]["BiT"] == "no" and cells["Norm and ReLU in the root"]["v1"] == "yes"


def test_the_table_of_changes_tells_the_two_ends_of_the_network():
    """What stands between the last block and the average, and what the root's pool sees beyond the border."""
    _, *rows = architecture.changes_table()
    cells = {row[0]: row[1:] for row in rows}
    v1, bit = ResNetV1(resnet.architecture("R14x0.25"), 5), build("R14x0.25", 5)
    last = torch.randn(2, bit.head.in_features, 3, 3) * 7 - 2
    v1.root, v1.stages, v1.head = nn.Identity(), nn.Identity(), nn.Identity()
    bit.root, bit.stages = nn.Identity(), nn.Identity()
    torch.testing.assert_close(v1(last), last.mean((2, 3)))
    torch.testing.assert_close(bit.features(last), F.relu(bit.norm(last)).mean((2, 3)))
    assert cells["After the last block"] == ["nothing", *["norm, ReLU"] * 3]
    conv = nn.Conv2d(3, 4, 7, 2, padding=3)
    below = torch.full((4,), -5.0)
    with torch.no_grad():
        conv.weight.zero_()
        conv.bias.copy_(below)
    pooled = resnet.Root(4, lambda *_: conv)(torch.zeros(1, 3, 16, 16))
    assert pooled[..., 0].eq(0).all() and pooled[..., 0, :].eq(0).all() and pooled[..., 1:, 1:].eq(-5).all()
    ring = cells["Ring of zeros before that pool"]
    assert [cell.startswith("**yes") for cell in ring] == [False, False, False, True]


def test_width_and_depth_are_set_against_each_other_both_ways():
    _, *rows = architecture_sizes.width_depth_table()
    assert [row[3:] for row in rows] == [
        ["×1.9", "+1.2", "+2.3", "+2.6"],
        ["×8.8", "+3.2", "+4.1", "+5.9"],
        ["×1.9", "+0.3", "+0.4", "+1.4"],
        ["×8.9", "+2.3", "+2.2", "+4.7"],
    ]
    # What the page says of them: width gains more at over four times the cost, and either less after the other.
    (deep, wide, deep_after, wide_after) = ([float(cell.strip("×+")) for cell in row[3:]] for row in rows)
    assert wide[0] > 4 * deep[0] and wide_after[0] > 4 * deep_after[0]
    for first, second in ((wide, deep), (wide_after, deep_after), (deep, deep_after), (wide, wide_after)):
        assert all(more > less for more, less in zip(first[1:], second[1:], strict=True))


# ---- Prose ---------------------------------------------------------------------------------------------------------


def error_change(name: str) -> float:
    """Points that v2 gains over v1 on ILSVRC-2012."""
    v1, v2 = RESNET_V2.values["ILSVRC-2012"][name]
    return v1 - v2


def test_published_numbers_of_the_prose():
    page = " ".join((DOCS / "architecture.md").read_text(encoding="utf-8").split())
    bn, gn = (GN_BATCH_SIZE.values[kind] for kind in ("batch norm", "group norm"))
    cifar = RESNET_V2.values["CIFAR-10"]
    fig5 = FIG5.values["ILSVRC-2012"]
    batch, group = TABLE4.values["batch norm"], TABLE4.values["group norm"]
    for says in (
        f"With 8 images a GPU instead of 32, batch norm's error grows by {bn[8] - bn[32]:.1f} points",
        f"to 2 group norm's error stays within {max(gn.values()) - min(gn.values()):.1f} points, batch norm's grows by "
        f"{bn[2] - bn[32]:.1f}",
        f"its error changes by at most {max(gn.values()) - min(gn.values()):.1f}",
        f"On VTAB-1k a ResNet-50 has {TABLE5.values['batch norm']['plain']}% with batch norm, "
        f"{TABLE5.values['group norm']['plain']}% with group norm, and "
        f"{TABLE5.values['group norm']['standardized']}% with BiT's pair",
        f"batch norm reaches {batch['plain']}% and group norm {group['plain']}%",
        f"The pair reaches {group['standardized']}%",
        f"with group norm {group['standardized']}% on ILSVRC-2012, without {group['plain']}%",
        f"v1's error rises by {cifar['R1001'][0] - cifar['R164'][0]:.1f} points and v2's falls by "
        f"{cifar['R164'][1] - cifar['R1001'][1]:.1f}",
        f"by {error_change('R200'):.1f} points at 200 layers. At 152, BiT's most, it gains {error_change('R152'):.1f}",
        f"on ILSVRC-2012 {error_change('R200'):.1f} points at 200 layers, {error_change('R152'):.1f} at 152;",
        f"R50x3 gains {fig5['R50x3']['L'] - fig5['R50x3']['M']:.1f} points, R152x4 "
        f"{fig5['R152x4']['L'] - fig5['R152x4']['M']:.1f}",
        f"R50x3 gains {fig5['R50x3']['L'] - fig5['R50x3']['M']:.1f} points, R50x1 loses one",
    ):
        assert says in page, says
    assert fig5["R50x1"]["M"] - fig5["R50x1"]["L"] == pytest.approx(1)  # "a point worse"


# ---- Experiments ---------------------------------------------------------------------------------------------------


def test_gradients_are_repeatable_and_one_for_each_block():
    v2 = gradients.block_gradients("v2", 50, seed=0)
    assert len(v2) == sum(resnet.DEPTHS[50]) and v2[-1] == 1
    assert gradients.block_gradients("v2", 50, seed=0) == v2 != gradients.block_gradients("v2", 50, 1)


def by_stage(run: list[float], depth: int) -> list[list[float]]:
    stages, start = [], 0
    for count in resnet.DEPTHS[depth]:
        stages.append(run[start : start + count])
        start += count
    return stages


@pytest.mark.slow
@pytest.mark.parametrize("depth", gradients._DEPTHS)
def test_along_shortcuts_v2_is_level_in_a_stage_and_v1_falls_at_every_block(depth):
    for run in gradients._gradients(True)["v2", depth]:
        for inside in by_stage(run, depth):
            assert max(inside) / min(inside) == pytest.approx(1, abs=1e-5)
    for run in gradients._gradients(True)["v1", depth]:
        assert all(earlier < later for earlier, later in pairwise(run))


@pytest.mark.slow
@pytest.mark.parametrize("depth", gradients._DEPTHS)
def test_alt_text_of_the_gradients_holds_at_every_depth(depth):
    for v1, v2 in zip(*(gradients._gradients(True)[version, depth] for version in ("v1", "v2")), strict=True):
        assert v1[0] < v2[0] < 1
        stages = by_stage(v2, depth)
        assert [later[0] > earlier[0] for earlier, later in pairwise(stages)] == [True] * 3
    told = figures.registry()["arch-gradients"].alt
    for version in ("v1", "v2"):
        assert f"{gradients._times(version, depth)} in {version}" in told


def test_the_whole_gradient_grows_with_depth_and_faster_in_v1():
    at_first = {key: [run[0] for run in runs] for key, runs in gradients._gradients(False).items()}
    for version in ("v1", "v2"):
        assert max(at_first[version, 50]) < min(at_first[version, 101]) < min(at_first[version, 200])
    for depth in gradients._DEPTHS:
        assert min(at_first["v1", depth]) > 1.3 * max(at_first["v2", depth])
    assert min(at_first["v1", 200]) > 4 * max(at_first["v2", 200])


def test_a_late_branch_is_a_smaller_part_of_v2s_trunk():
    for seed in (0, 1, 2):
        assert gradients.branch_share("v2", seed) < 0.75 * gradients.branch_share("v1", seed) < 0.3


def test_the_wrong_padding_touches_the_first_row_and_column_only():
    differs, changes = live._padding_effect(64)
    assert differs[0].max() > 0 and differs[:, 0].max() > 0
    assert differs[1:, 1:].max() == 0
    assert min(changes) > 0.01


def test_both_paddings_agree_after_a_relu():
    root = resnet.RootV1(16, norm("batch"), conv(standardized=False))
    x = live.clouds(2, 32, seed=0)
    rectified = F.relu(root.norm(root.conv(x)))
    with_zeros = F.max_pool2d(F.pad(rectified, (1, 1, 1, 1)), kernel_size=3, stride=2)
    torch.testing.assert_close(with_zeros, F.max_pool2d(rectified, 3, 2, padding=1), rtol=0, atol=0)


def test_a_zero_head_lets_no_gradient_through_at_the_first_step():
    model = build("R14x0.25", 5)
    loss = F.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.tensor([0, 1, 2, 3]))
    assert loss.item() == pytest.approx(torch.log(torch.tensor(5.0)).item())
    loss.backward()
    body = [p.grad.abs().max() for name, p in model.named_parameters() if "head" not in name]
    assert max(body) == 0 and model.head.weight.grad.abs().max() > 0


@pytest.mark.parametrize("id", [id for id in figures.registry() if id.startswith("arch-")])
def test_figures_draw_in_both_themes(id):
    for theme in ("light", "dark"):
        fig = figures.draw(id, theme)
        assert fig.axes and fig.get_figwidth() <= 7.2
        sizes = [text.get_fontsize() for ax in fig.axes for text in ax.texts if text.get_text()]
        assert min(sizes, default=9) >= 9
    entry = figures.registry()[id]
    assert len(entry.caption) > 60 and len(entry.alt) > 60 and entry.alt not in entry.caption
