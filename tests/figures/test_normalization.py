"""The normalization page: its worked numbers, what its live experiments claim, its published and measured figures."""

from __future__ import annotations

import inspect
from itertools import pairwise
from statistics import mean

import pytest
import torch
from torch.nn import functional as F

from bitdoc import figures
from bitdoc.figures import style
from bitdoc.figures.normalization import blocks, circle, compare, explorer, live, measured, offsets, weights
from bitdoc.figures.normalization import published as published_figures
from bitdoc.literature import published
from bitdoc.network import norms
from bitdoc.records import runs
from bitdoc.studies.normalization import batch_size, equal_updates

KINDS = [norm.key for norm in blocks.NORMS]


# ---- The block ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "by_hand"), [("batch", 1 / 3), ("layer", 1 / 5), ("instance", 1), ("group", 5 / 3)])
def test_the_followed_value_is_what_the_hand_finds(kind, by_hand):
    assert blocks.apply(kind, blocks.BLOCK.double(), groups=2, eps=0)[blocks.FOLLOWED].item() == by_hand


@pytest.mark.parametrize("kind", KINDS)
def test_every_mean_and_spread_of_the_example_is_whole(kind):
    n, c, _, _ = blocks.BLOCK.shape
    for place in [(i, j) for i in range(n) for j in range(c)]:
        values = blocks.BLOCK[blocks.same_set(kind, tuple(blocks.BLOCK.shape), place, 2)].double()
        mean, spread = values.mean().item(), values.std(correction=0).item()
        assert mean == round(mean)
        assert spread == round(spread) > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", [(0, 0), (1, 3), (2, 5)])
def test_the_coloured_set_is_the_set_that_the_norm_uses(kind, place):
    """An output depends on an input exactly where the figure colours it."""
    x = torch.randn(3, 6, 2, 2, dtype=torch.double, requires_grad=True)
    (slope,) = torch.autograd.grad(blocks.apply(kind, x, groups=3)[(*place, 0, 1)], x)
    assert torch.equal((slope != 0).all((2, 3)), blocks.same_set(kind, (3, 6, 2, 2), place, 3))
    assert torch.equal((slope != 0).any((2, 3)), blocks.same_set(kind, (3, 6, 2, 2), place, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_only_batch_norm_tells_the_other_images(kind):
    moved = explorer.movement(kind, groups=4)
    assert (moved[1] > 0.1).all()
    assert (moved[[0, 2]].abs().max() > 0.01) == (kind == "batch")
    if kind != "batch":
        assert (moved[[0, 2]] == 0).all()


def test_a_batch_of_one_is_instance_norm_to_batch_norm_and_nothing_new_to_the_others():
    for kind, groups in (("batch", 1), ("layer", 1), ("instance", 8), ("group", 4)):
        alone = explorer.movement(kind, groups, changed=False, members=(0,))
        assert (alone[0].max() > 0.1) == (kind == "batch")
        assert torch.isnan(alone[1:]).all()
        assert torch.equal(alone[0], explorer.movement(kind, groups, changed=False, micro=True)[0])


def test_in_evaluation_no_image_moves_another():
    for kind, groups in (("batch", 1), ("layer", 1), ("instance", 8), ("group", 4)):
        moved = explorer.movement(kind, groups, evaluation=True)
        assert moved[[0, 2]].max() < 1e-6
        assert moved[1].min() > 0.1


# ---- Live experiments -----------------------------------------------------------------------------------------------


def test_scale_without_and_with_norm():
    for start, factor in live.STARTS.items():
        assert live.expected_scale(start, live.LAYERS) == pytest.approx(factor**20)
        squares = [live.scales(start, None, seed)[-1] ** 2 for seed in range(60)]
        ratio = (sum(squares) / len(squares)) ** 0.5 / live.expected_scale(start, live.LAYERS)
        assert 0.5 < ratio < 2
        for kind in ("batch", "group"):
            assert all(0.5 < scale < 1.5 for scale in live.scales(start, kind))
    assert figures.values()["norm-depth-grow"]() == "3,325"  # 1.5 to the power of 20
    assert figures.values()["norm-depth-shrink"]() == "60 million"  # the root of 6 to the power of 20


def test_pytorch_starts_where_the_figure_says():
    """PyTorch's default spread is sqrt(1/6) of He's."""
    weight = torch.nn.Conv2d(64, 256, 3).weight
    he = (2 / (64 * 9)) ** 0.5
    assert weight.std().item() / he == pytest.approx(live.STARTS["PyTorch's default"], rel=0.01)


@pytest.mark.parametrize("batch", live.BATCHES)
def test_the_exact_statistics_are_those_of_many_batches(batch):
    drawn = live.batch_means(batch, draws=40_000)
    for dots, (center, spread) in zip(drawn, live.exact_statistics(batch), strict=True):
        assert dots.mean().item() == pytest.approx(center, abs=0.015)
        assert dots.std().item() == pytest.approx(spread, abs=0.015)


def test_numbers_of_small_batches_that_the_page_types():
    assert live.exact_statistics(2)[0][1] == pytest.approx(0.71, abs=0.005)
    assert live.exact_statistics(32)[0][1] == pytest.approx(0.18, abs=0.005)
    assert live.exact_statistics(2)[1][0] == pytest.approx(torch.pi**-0.5)
    assert figures.values()["norm-batch2-spread"]() == "0.56"


def test_running_mean_lags_after_the_move():
    means, track = live.running()
    assert track[live.MOVE - 1] == pytest.approx(1.0, abs=0.25)
    assert track[live.MOVE + 3] < 2.0 < sum(means[live.MOVE :]) / len(means[live.MOVE :])
    assert track[-1] == pytest.approx(2.5, abs=0.4)


def test_company_matters_to_batch_norm_only():
    assert live.company("batch").std(0).max() > 0.1
    assert torch.allclose(live.company("group"), live.company("group")[:1].expand(8, -1), atol=1e-6)


@pytest.mark.parametrize("standardized", [False, True])
def test_micro_batches_are_exact_under_group_norm(standardized):
    assert live.micro_batch_gap("group", standardized=standardized) < 1e-12
    assert live.micro_batch_gap("batch", standardized=standardized) > 0.5


# ---- Offsets of channels --------------------------------------------------------------------------------------------


def test_group_norm_leaves_offsets_and_standardization_takes_them():
    last = {name: offsets.over_seeds(name, "offset")[:, -1] for name in offsets.TRIALS}
    assert last["BN"].max() < 1e-6
    assert last["GN"].min() > 0.4
    assert last["GN + WS"].max() < 0.1
    stuck = {name: offsets.over_seeds(name, "stuck") for name in offsets.TRIALS}
    assert stuck["BN"].max() == stuck["GN + WS"].max() == 0
    assert stuck["GN"][:, -1].mean() > 0.03


def test_a_channel_is_pushed_by_the_sum_of_its_filter():
    plain, standardized = offsets.forward("GN"), offsets.forward("GN + WS")
    assert torch.allclose(plain.push, plain.mean, atol=0.15)
    assert torch.corrcoef(torch.stack([plain.push, plain.mean]))[0, 1] > 0.99
    assert standardized.push.abs().max() < 1e-4
    assert standardized.mean.abs().max() < 0.15


def test_a_constant_added_to_all_inputs_changes_nothing_but_at_padded_borders():
    filters = norms.standardize(torch.randn(4, 3, 3, 3, dtype=torch.double))
    x = torch.randn(2, 3, 8, 8, dtype=torch.double)
    change = (F.conv2d(x + 5, filters, padding=1) - F.conv2d(x, filters, padding=1)).abs()
    assert change[:, :, 1:-1, 1:-1].max() < 1e-9
    assert change.max() > 1


def test_a_bias_before_group_norm_is_what_beta_adds():
    """A bias in front of group norm leaves a constant for each channel and image: nothing that a map's shape shows."""
    x, bias = torch.randn(3, 6, 4, 4, dtype=torch.double), torch.randn(6, dtype=torch.double)
    assert torch.allclose(norms.batch_norm(x + bias[:, None, None]), norms.batch_norm(x))
    shifted, plain = norms.group_norm(x + bias[:, None, None], 3), norms.group_norm(x, 3)
    assert not torch.allclose(shifted, plain)
    scale = shifted.std((2, 3), keepdim=True) / plain.std((2, 3), keepdim=True)
    rest = shifted - scale * plain
    assert torch.allclose(rest, rest.mean((2, 3), keepdim=True).expand_as(rest))


# ---- A filter on a circle -------------------------------------------------------------------------------------------


def test_growth_and_decay_of_a_filter_balance_where_the_page_says():
    for rate, decay in ((0.1, 0.05), (0.2, 0.02), (0.5, 0.1)):
        angles = circle.walk(rate, decay, True, steps=3000).angles[-1500:]
        measured_angle = (sum(angle**2 for angle in angles) / len(angles)) ** 0.5
        assert measured_angle == pytest.approx(circle.balance(rate, decay), rel=0.15)


def test_without_decay_a_filter_only_lengthens_and_turns_less():
    walk = circle.walk(0.1, 0, True)
    lengths = [(x * x + y * y) ** 0.5 for x, y in walk.tips]
    assert all(after >= before for before, after in pairwise(lengths))
    even = circle.smoothed(walk.angles)
    assert even[-1] < even[40] / 2


# ---- Comparison -----------------------------------------------------------------------------------------------------


def test_the_picture_and_the_table_of_the_comparison_say_the_same():
    rows = figures.tables()["norm-compare"].function()
    alt = figures.registry()["norm-compare"].alt
    drawn = " ".join(" ".join(text.get_text().split()) for text in figures.draw("norm-compare").axes[0].texts)
    assert rows[0] == ["", "BN", "GN", "WS", "GN + WS"]
    assert all(len(method.told) == len(compare.ROWS) for method in compare.METHODS)
    for method in compare.METHODS:
        for cell in method.told:
            assert cell in alt and cell in drawn
    assert "CC BY 4.0" in drawn and "bitdoc authors" in drawn


def test_no_cell_of_the_comparison_runs_into_the_next():
    fig = figures.draw("norm-compare")
    fig.canvas.draw()
    (ax,) = fig.axes
    boxes = [text.get_window_extent() for text in ax.texts[:-1]]
    assert not [(a, b) for n, a in enumerate(boxes) for b in boxes[n + 1 :] if a.overlaps(b)]
    assert all(box.x1 < fig.bbox.x1 for box in boxes)


# ---- Weights --------------------------------------------------------------------------------------------------------


def test_the_gradient_formula_of_the_page():
    """eq-ws-gradient, for each filter of a small convolution."""
    raw = torch.randn(5, 3, 3, 3, dtype=torch.double, requires_grad=True)
    hat = norms.standardize(raw, eps=0)
    loss = F.conv2d(torch.randn(2, 3, 8, 8, dtype=torch.double), hat).tanh().square().sum()
    to_raw, to_hat = torch.autograd.grad(loss, (raw, hat))
    g, v, size = to_hat.flatten(1), hat.flatten(1), 27
    spread = raw.detach().flatten(1).std(1, correction=0)
    expected = (g.square().sum(1) - (v * g).sum(1) ** 2 / size - g.sum(1) ** 2 / size) / spread**2
    assert torch.allclose(to_raw.flatten(1).square().sum(1), expected)


def test_times_its_spread_the_raw_gradient_is_never_longer_and_by_itself_it_is():
    raw = ((2 / 27) ** 0.5 * torch.randn(5, 3, 3, 3, dtype=torch.double)).requires_grad_()
    hat = norms.standardize(raw, eps=0)
    loss = F.conv2d(torch.randn(2, 3, 8, 8, dtype=torch.double), hat).tanh().square().sum()
    to_raw, to_hat = (gradient.flatten(1).norm(dim=1) for gradient in torch.autograd.grad(loss, (raw, hat)))
    spread = raw.detach().flatten(1).std(1, correction=0)
    assert (spread * to_raw <= to_hat).all()
    assert (to_raw > to_hat).any()
    assert figures.values()["norm-gradient-longer"]() == "17"  # 1 over the root of 2 / 576


def test_the_length_of_a_filter_does_not_matter():
    (output, gradient, cosine), (output_10, gradient_10, cosine_10) = weights.rescaled(1), weights.rescaled(10)
    assert torch.allclose(output, output_10, atol=1e-6)
    assert gradient / gradient_10 == pytest.approx(10, rel=1e-5)
    assert max(cosine, cosine_10) < 1e-8  # a right angle


def test_the_example_filter_of_the_page():
    hat = norms.standardize(torch.tensor([2.0, 0.0, 8.0, 2.0]).reshape(1, 4, 1, 1)).flatten()
    assert hat.tolist() == pytest.approx([-1 / 3, -1, 5 / 3, -1 / 3], abs=1e-6)


@pytest.mark.slow
def test_batch_norm_and_standardized_filters_let_longer_steps_go_downhill():
    at = weights.STRIDES.index(0.05)
    changes = {name: weights.landscape(name)[0].median(0).values for name in weights.TRIALS}
    assert all(change.shape == (len(weights.STRIDES),) and change[0] == 0 for change in changes.values())
    assert changes["BN"][at] < 0 and changes["GN + WS"][at] < 0 < changes["GN"][at]


def test_looking_along_the_gradient_leaves_the_network_as_it_was():
    net = weights.network("GN + WS", seed=0)
    before = [w.detach().clone() for w in weights.filters(net)]
    weights.loss_along_gradient(net, *weights.stripes(8, torch.Generator().manual_seed(0)))
    for now, was in zip(weights.filters(net), before, strict=True):
        assert torch.allclose(now, was, atol=1e-12)


# ---- Published ------------------------------------------------------------------------------------------------------


def test_numbers_that_the_page_types_are_the_published_ones():
    rows = {name: published_figures.accuracies(row) for name, row in published.GN_BATCH_SIZE.values.items()}
    bn, gn = rows["batch norm"], rows["group norm"]
    assert (bn[32], bn[2], gn[32]) == (76.4, 65.3, 75.9)
    assert bn[32] - bn[2] == pytest.approx(11.1)
    assert (min(gn.values()), max(gn.values())) == (75.8, 76.0)
    groups = published_figures.accuracies(published.GN_GROUPS.values["groups"])
    assert max(groups, key=groups.get) == 32
    assert published.GN_GROUPS.values["groups"][1] == published.GN_NORMS.values["layer norm"]
    assert published.GN_GROUPS.values["channels per group"][1] == published.GN_NORMS.values["instance norm"]
    assert published.TABLE4.values["group norm"] == {"plain": 70.2, "standardized": 76.0}
    assert published.TABLE4.values["batch norm"] == {"plain": 75.6, "standardized": 75.8}
    steps = published.BN_STEPS.values
    assert round(steps["Inception"] / steps["batch norm"], 1) == 2.3
    assert int(steps["Inception"] / steps["batch norm and more"]) == 14
    assert published.BN_UNFROZEN.values == 6
    assert figures.values()["norm-gn-gap"]() == "5.4"
    assert figures.values()["norm-transfer-gain"]() == "2.7"


# ---- Measured -------------------------------------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty folder of results, and a function that puts a made-up run in it."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))

    def add(experiment: str, name: str, seed: int, top1: float, **setting: object) -> None:
        norm_kind, standardized = batch_size.VARIANTS[name]
        setting |= {"norm_kind": norm_kind, "standardized": standardized, "seed": seed}
        curve = {"offset": [0.1, 0.3], "stuck": [0.0, 0.25]}
        run = "_".join(f"{value}" for value in setting.values())
        result = {"top1": top1, "held_out": top1}
        runs.write(runs.RunRecord(experiment, run, "R14x0.125", setting, result, curve, date="2026-01-01"))

    return add


@pytest.mark.parametrize("id", ["norm-batch-size-measured", "norm-offset-trained"])
def test_without_runs_the_place_is_empty_and_names_the_command(results, id):
    text = " ".join(text.get_text() for ax in figures.draw(id).axes for text in ax.texts)
    assert "--run" in text
    assert "not been made" in text
    assert "not been made" in figures.registry()[id].alt
    assert "No runs yet" in figures.registry()[id].measured
    assert figures.values()["norm-gain-ws-32"]() == figures.values()["norm-equal-gain-ws-128"]() == "(not measured)"
    assert figures.values()["norm-trained-offset-gn"]() == "(not measured)"
    assert {cell for row in figures.tables()["norm-gains"].function()[1:] for cell in row[2:]} == {"–"}


def test_the_figures_show_every_run(results):
    for name, start in zip(batch_size.VARIANTS, (40, 42, 44, 46), strict=True):
        for seed in (0, 1, 2):
            top1 = start + seed + (seed == 2) * (name == "GN")
            for batch in batch_size.BATCHES:
                results(batch_size.BATCH_SIZE, name, seed, top1, batch=batch)
            for batch in equal_updates.BATCHES if name in equal_updates.VARIANTS else ():
                results(equal_updates.EXPERIMENT, name, seed, top1, lr=0.1, batch=batch)
    left, right = figures.draw("norm-batch-size-measured").axes
    dots = [sum(len(line.get_ydata()) for line in ax.lines if line.get_marker() == "o") for ax in (left, right)]
    assert dots == [4 * 3 * len(batch_size.BATCHES), 3 * 3 * len(equal_updates.BATCHES)]
    assert {text.get_text() for text in left.texts} == set(batch_size.VARIANTS)
    assert "BN: 41 at 2" in figures.registry()["norm-batch-size-measured"].alt
    header, *rows = figures.tables()["norm-gains"].function()
    assert header[2:] == ["GN over BN", "GN + WS over GN", "GN + WS over BN"]
    assert [row[1] for row in rows] == [f"{batch}" for batch in batch_size.BATCHES + equal_updates.BATCHES]
    # Differences of 2, 2 and 1: mean 1.67, standard error a third, 4.30 standard errors to either side.
    assert all(row[3:] == ["+1.7 ± 1.4", "+6.0 ± 0.0"] for row in rows)
    assert figures.values()["norm-gain-ws-32"]() == figures.values()["norm-equal-gain-ws-128"]() == "1.7 points"
    assert figures.values()["norm-trained-offset-gn"]() == "0.20"
    left, right = figures.draw("norm-offset-trained").axes
    assert [line.get_ydata()[-1] for line in left.lines] == pytest.approx([0.3] * 12)
    assert [line.get_ydata()[-1] for line in right.lines] == pytest.approx([25] * 12)


def test_standardized_filters_lift_batch_norm_too():
    """So the page says that offsets, which batch norm removes by itself, are not the whole reason."""
    lead, half = measured.gain(measured.swept("BN + WS", 8), measured.swept("BN", 8))
    assert lead > half and figures.values()["norm-gain-ws-bn-8"]() == f"{lead:.1f} points"


@pytest.mark.parametrize("id", [id for id in figures.registry() if id.startswith("norm-")])
def test_figures_draw_in_both_themes(id, results):
    for theme in ("light", "dark"):
        figures.draw(id, theme)
    entry = figures.registry()[id]
    assert len(entry.caption) > 60
    assert len(entry.alt) > 40
    assert style.ink("paper") == "#FFFFFF"  # the theme is back


@pytest.mark.parametrize("id", [id for id in figures.values() if id.startswith("norm-")])
def test_a_number_knows_the_file_that_computes_it(id):
    """The site is built anew where that file changes."""
    assert inspect.getsourcefile(figures.values()[id])


def test_label_heights_stay_apart():
    _, ax = style.new()
    ax.set_ylim(0, 100)
    measured._label_apart(ax, [(50.0, 1.0, "a", "k"), (51.0, 1.0, "b", "k"), (90.0, 1.0, "c", "k")], gap=0.06)
    assert sorted(text.xy[1] for text in ax.texts) == [50, 56, 90]


def test_batch_norm_with_standardized_filters_is_best_from_8_images_on_as_the_page_says():
    kinds = runs.group(
        runs.load("norm-batch-size"), lambda r: (r.setting["batch"], r.setting["norm_kind"], r.setting["standardized"])
    )
    means = {key: mean(r.result["top1"] for r in group) for key, group in kinds.items()}
    best = {n: max((key for key in means if key[0] == n), key=means.get)[1:] for n in (2, 4, 8, 16, 32)}
    assert best == {2: ("group", True), 4: ("group", True)} | dict.fromkeys((8, 16, 32), ("batch", True))


def test_the_offset_grows_with_the_group_from_none_at_instance_norm():
    rows = figures.tables()["norm-offset-groups"].function()[1:]
    offsets_by_size = [float(row[1]) for row in rows]
    stuck = [int(row[2].rstrip("%")) for row in rows]
    assert offsets_by_size[0] == stuck[0] == 0
    assert offsets_by_size == sorted(offsets_by_size) and stuck == sorted(stuck)
    assert rows[2][1] == figures.values()["norm-offset-gn"](), "8 channels a group are the figure's"
