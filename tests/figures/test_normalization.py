"""The normalization page: its worked numbers, what its live experiments claim, its published and measured figures."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from bitdoc import figures
from bitdoc.figures import style
from bitdoc.figures.normalization import blocks, live, measured, weights
from bitdoc.literature import published
from bitdoc.network import norms
from bitdoc.records import runs
from bitdoc.studies.normalization import batch_size, transfer

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
    moved = blocks.movement(kind, groups=4)
    assert (moved[1] > 0.1).all()
    assert (moved[[0, 2]].abs().max() > 0.01) == (kind == "batch")
    if kind != "batch":
        assert (moved[[0, 2]] == 0).all()


# ---- Live experiments -----------------------------------------------------------------------------------------------


def test_scale_without_and_with_norm():
    ends = {start: live.scales(start, None)[-1] for start in live.STARTS}
    assert ends["1.5 × He"] > 500
    assert 0.1 < ends["He"] < 10
    assert ends["PyTorch's default"] < 1e-7
    for kind in ("batch", "group"):
        for start in live.STARTS:
            assert all(0.5 < scale < 1.5 for scale in live.scales(start, kind))


def test_pytorch_starts_where_the_figure_says():
    """PyTorch's default spread is sqrt(1/6) of He's."""
    weight = torch.nn.Conv2d(64, 256, 3).weight
    he = (2 / (64 * 9)) ** 0.5
    assert weight.std().item() / he == pytest.approx(live.STARTS["PyTorch's default"], rel=0.01)


@pytest.mark.parametrize("batch", live.BATCHES)
def test_means_scatter_by_the_root_of_the_batch(batch):
    means, _ = live.batch_means(batch)
    assert means.std().item() == pytest.approx(batch**-0.5, rel=0.15)


def test_the_spread_of_two_values_is_too_small():
    assert live.batch_means(2)[1].mean().item() == pytest.approx(torch.pi**-0.5, rel=0.1)


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


def test_the_length_of_a_filter_does_not_matter():
    (output, gradient), (output_10, gradient_10) = weights.rescaled(1), weights.rescaled(10)
    assert torch.allclose(output, output_10, atol=1e-4)
    assert gradient / gradient_10 == pytest.approx(10, rel=1e-3)


def test_the_example_filter_of_the_page():
    hat = norms.standardize(torch.tensor([2.0, 0.0, 8.0, 2.0]).reshape(1, 4, 1, 1)).flatten()
    assert hat.tolist() == pytest.approx([-1 / 3, -1, 5 / 3, -1 / 3], abs=1e-6)


def test_standardized_filters_let_longer_steps_go_downhill():
    plain, standardized = (weights.landscape(kind)[0].median(0).values for kind in (False, True))
    assert plain.shape == (len(weights.STRIDES),)
    assert plain[0] == standardized[0] == 0
    at = weights.STRIDES.index(0.05)
    assert standardized[at] < 0 < plain[at]


def test_looking_along_the_gradient_leaves_the_network_as_it_was():
    net = weights.network(True, seed=0)
    before = [w.detach().clone() for w in weights.filters(net)]
    weights.loss_along_gradient(net, *weights.stripes(8, torch.Generator().manual_seed(0)))
    for now, was in zip(weights.filters(net), before, strict=True):
        assert torch.allclose(now, was, atol=1e-12)


# ---- Published ------------------------------------------------------------------------------------------------------


def test_numbers_that_the_page_types_are_the_published_ones():
    bn, gn = (published.GN_BATCH_SIZE.values[norm] for norm in ("batch norm", "group norm"))
    assert (bn[2], bn[32], gn[32]) == (34.7, 23.6, 24.1)
    assert bn[2] - bn[32] == pytest.approx(11.1)
    assert (min(gn.values()), max(gn.values())) == (24.0, 24.2)
    groups = published.GN_GROUPS.values["groups"]
    assert min(groups, key=groups.get) == 32
    assert groups[1] == published.GN_NORMS.values["layer norm"] == 25.3
    assert published.GN_GROUPS.values["channels per group"][1] == published.GN_NORMS.values["instance norm"] == 28.4
    assert figures.values()["norm-gn-gap"]() == "5.4"
    assert figures.values()["norm-transfer-gain"]() == "2.7"


# ---- Measured -------------------------------------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty folder of results, and a function that puts a made-up run in it."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))

    def add(experiment: str, variant: str, top1: float, **setting: object) -> None:
        norm_kind, standardized = batch_size.VARIANTS[variant]
        setting |= {"norm_kind": norm_kind, "standardized": standardized}
        name = batch_size.slug(norm_kind, standardized) + "".join(f"_{k}{v}" for k, v in setting.items())
        runs.write(runs.RunRecord(experiment, name, "R14x0.125", setting, {"top1": top1}, date="2026-01-01"))

    return add


@pytest.mark.parametrize("id", ["norm-batch-size-measured", "norm-transfer-measured"])
def test_without_runs_the_place_is_empty_and_names_the_command(results, id):
    text = " ".join(text.get_text() for ax in figures.draw(id).axes for text in ax.texts)
    assert "--run" in text
    assert "not been made" in text
    assert "not been made" in figures.registry()[id].alt
    assert "No runs yet" in figures.registry()[id].caption
    assert figures.values()["norm-gap-2"]() == figures.values()["norm-down-gap"]() == "(not measured)"


def test_the_batch_size_figure_shows_every_run(results):
    for variant, start in zip(batch_size.VARIANTS, (40, 42, 44, 46), strict=True):
        for batch in batch_size.BATCHES:
            for seed in (0, 1):
                results(batch_size.BATCH_SIZE, variant, start + seed, batch=batch, seed=seed)
    (ax,) = figures.draw("norm-batch-size-measured").axes
    dots = sum(len(line.get_ydata()) for line in ax.lines if line.get_marker() == "o")
    assert dots == 4 * 2 * len(batch_size.BATCHES)
    assert {text.get_text() for text in ax.texts} == set(batch_size.VARIANTS)
    assert "BN: 40 at 2" in figures.registry()["norm-batch-size-measured"].alt
    assert figures.values()["norm-gap-2"]() == "+4.0"
    assert figures.values()["norm-ws-gain-256"]() == "+2.0"


def test_transfer_is_compared_pair_by_pair(results):
    for variant, lead in (("BN", 0.0), ("BN + WS", -1.0), ("GN", 1.0), ("GN + WS", 3.0)):
        results(transfer.UPSTREAM, variant, 20 + lead, seed=0)
        for subset, level in enumerate((30.0, 50.0)):
            results(transfer.TRANSFER, variant, level + lead, upstream_seed=0, subset_seed=subset)
    assert figures.values()["norm-down-gap"]() == "+3.0 ± 0.0"  # subsets differ by 20 points, pairs do not
    assert figures.values()["norm-down-ws-gain"]() == "+2.0 ± 0.0"
    left, right = figures.draw("norm-transfer-measured").axes
    assert [text.get_text() for text in left.texts] == ["20.0", "19.0", "21.0", "23.0"]
    assert [text.get_text() for text in right.texts] == ["40.0", "39.0", "41.0", "43.0"]


@pytest.mark.parametrize("id", [id for id in figures.registry() if id.startswith("norm-")])
def test_figures_draw_in_both_themes(id, results):
    for theme in ("light", "dark"):
        figures.draw(id, theme)
    entry = figures.registry()[id]
    assert len(entry.caption) > 60
    assert len(entry.alt) > 40
    assert style.ink("paper") == "#FFFFFF"  # the theme is back


def test_label_heights_stay_apart():
    _, ax = style.new()
    ax.set_ylim(0, 100)
    measured._label_apart(ax, [(50.0, 1.0, "a", "k"), (51.0, 1.0, "b", "k"), (90.0, 1.0, "c", "k")], gap=0.06)
    assert sorted(text.xy[1] for text in ax.texts) == [50, 56, 90]
