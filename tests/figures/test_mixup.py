"""The MixUp page's figures show what mixing does, and its prose repeats what was published and found."""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from bitdoc import figures
from bitdoc.data import datasets
from bitdoc.figures.mixup import batch, beta, shrink
from bitdoc.figures.mixup import pictures as mixup_pictures
from bitdoc.literature import published
from bitdoc.training import hyperrule
from bitdoc.training.mixup import mix

PAGE = Path(__file__).parents[2] / "docs" / "mixup.md"
IDS = {
    "mixup-overfit", "mixup-mixer", "mixup-samples", "mixup-beta", "mixup-shrink", "mixup-moons", "mixup-moons-curves",
    "mixup-memorize", "mixup-middle", "mixup-reliability", "mixup-batch",
}  # fmt: skip


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    pytest.importorskip("skimage", reason="the photographs ship with scikit-image")
    return mixup_pictures.pictures()


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """A computer without CIFAR-10."""
    monkeypatch.setenv("BITDOC_DATA", str(tmp_path / "data"))
    return tmp_path


def test_the_page_shows_every_figure_of_its_module():
    shown = set(re.findall(r"```\{bit-figure\} (mixup-\S+)", PAGE.read_text(encoding="utf-8")))
    assert shown == IDS == {id for id in figures.registry() if id.startswith("mixup-")}


# ---- Pictures ------------------------------------------------------------------------------------------------------


def test_samples_show_pictures_and_labels_mixed_alike(pictures):
    fig = figures.draw("mixup-samples")
    images = [ax for ax in fig.axes if ax.images]
    bars = [ax for ax in fig.axes if ax.patches]
    assert len(images) == len(bars) == 6
    for above, below in zip(images[:3] + images[3:], bars[:3] + bars[3:], strict=True):
        lam = float(above.get_title(loc="left").split("=")[1])
        expected = mix(pictures, lam, torch.tensor([1, 0]))[0].permute(1, 2, 0).numpy()
        assert np.abs(above.images[0].get_array() - expected).max() <= 0.5
        shares = [bar.get_width() for bar in below.patches][1::2]
        assert shares == pytest.approx([lam, 1 - lam])


def test_the_mixer_holds_its_pictures_and_names_its_controls(pictures):
    html = str(mixup_pictures.mixer())
    assert "http" not in html
    soup = BeautifulSoup(html, "html.parser")
    for index, image in enumerate(soup.find_all("img")):
        kind, data = image["src"].split(",")
        assert kind == "data:image/png;base64"
        pixels = np.array(Image.open(io.BytesIO(base64.b64decode(data))))
        assert np.array_equal(pixels, pictures[index].permute(1, 2, 0).numpy())
    assert all(slider.find_parent("label").get_text(strip=True) for slider in soup.find_all("input"))
    assert all(button.get_text(strip=True) for button in soup.find_all("button"))
    alphas = soup.find(class_="mixer")["data-alphas"].split()
    slider = soup.find(attrs={"data-part": "alpha"})
    assert alphas[int(slider["value"])] == "0.1"
    assert int(slider["max"]) == len(alphas) - 1


def test_the_mixer_is_one_sentence_where_html_cannot_be_shown(pictures):
    assert repr(mixup_pictures.mixer()) == "The mixer runs in a browser; the figure below shows it still."


def test_without_scikit_image_the_error_says_what_to_install(monkeypatch):
    mixup_pictures.pictures.cache_clear()
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(ImportError, match="pip install scikit-image"):
        mixup_pictures.pictures()


# ---- The Beta distribution -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "share"), [(0.1, 0.8128), (0.2, 0.6734), (0.4, 0.4795), (1.0, 0.2)])
def test_nearly_pure_shares_are_those_of_the_distribution(alpha, share):
    assert beta.nearly_pure(alpha) == pytest.approx(share, abs=5e-5)
    lam = beta.draws(alpha)
    assert np.mean(np.minimum(lam, 1 - lam) < beta.PURE) == pytest.approx(share, abs=0.015)


def test_the_density_is_a_density():
    grid = (np.arange(100_000) + 0.5) / 100_000
    for alpha in (0.4, 1.0, 4.0):
        assert beta.density(alpha, grid).mean() == pytest.approx(1, abs=0.01)


def test_the_histograms_hold_all_draws():
    for ax in figures.draw("mixup-beta").axes:
        assert sum(bar.get_height() * bar.get_width() for bar in ax.patches) == pytest.approx(1)


# ---- Why it regularizes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", beta.ALPHAS)
def test_the_factor_is_the_mean_weight_of_the_heavier_image(alpha):
    lam = beta.draws(alpha)
    assert beta.shrinkage(alpha) == pytest.approx(np.maximum(lam, 1 - lam).mean(), abs=0.006)


def test_the_factor_at_1_is_three_quarters_and_falls_with_alpha():
    factors = [beta.shrinkage(alpha) for alpha in (1e-4, 0.1, 0.4, 1.0, 100.0)]
    assert factors == sorted(factors, reverse=True)
    assert factors[3] == pytest.approx(0.75)
    assert figures.values()["mixup-own-share-1"]() == "78%"  # 0.75 + 0.25 / 10


def test_blends_average_to_the_shrunk_data():
    """The equation of the page, on 40 examples: the mean of many blends against factor and mean."""
    values = torch.rand(40, 3, generator=torch.Generator().manual_seed(1))
    blends = torch.stack([shrink.mixed_once(values, 1.0, seed) for seed in range(400)])
    torch.testing.assert_close(blends.mean(0), shrink.drawn_to_the_mean(values, 1.0), rtol=0, atol=0.05)


def test_the_picture_of_shrinking_has_its_three_stages():
    spread = [np.ptp(ax.collections[0].get_offsets()[:, 0]) for ax in figures.draw("mixup-shrink").axes]
    assert spread[1] == pytest.approx(beta.shrinkage(shrink.ALPHA) * spread[0])
    labels = [ax.collections[0].get_array() for ax in figures.draw("mixup-shrink").axes]
    assert set(labels[0]) == {0.0, 1.0}
    assert sorted({round(float(label), 3) for label in labels[1]}) == [0.125, 0.875]


# ---- Published -----------------------------------------------------------------------------------------------------


def test_the_prose_repeats_published_numbers():
    prose = " ".join(PAGE.read_text(encoding="utf-8").split())
    white, black = (published.MIXUP_ADVERSARIAL.values[box] for box in ("white", "black"))
    cutmix, decay = published.CUTMIX_ILSVRC.values, published.MIXUP_CIFAR_CODE.values

    def right(error: float, digits: int = 1) -> str:
        """The accuracy that an error leaves."""
        return f"{100 - error:.{digits}f}"

    assert (
        "leaves it {}% of right answers after ten steps, with MixUp {}%".format(*map(right, black["I-FGSM"])) in prose
    )
    assert "who sees it leaves {} and {}%: no protection".format(*map(right, white["I-FGSM"])) in prose
    for method in ("baseline", "mixup", "CutMix"):
        assert f"{right(cutmix[method], 2)}%" in prose
    small, large = (right(decay[size][1], 2) for size in (1e-4, 5e-4))
    assert f"reaches {small}% on CIFAR-10, with five times as much {large}%" in prose
    assert decay[5e-4][0] < decay[1e-4][0]  # without MixUp more decay is better
    off, on = published.MIXUP_ILSVRC.values["ResNet-50"][200]
    assert f"gains {off - on:.1f} points in 200 passes" in prose


# ---- A real batch --------------------------------------------------------------------------------------------------


def test_the_kept_batch_is_mixed_with_a_permutation_of_itself():
    fig = figures.draw("mixup-batch")
    shown = np.array([ax.images[0].get_array() for ax in fig.axes], dtype=float).reshape(3, 4, 32, 32, 3)
    assert sorted(batch.PARTNER) == [0, 1, 2, 3]
    np.testing.assert_array_equal(shown[1], shown[0][list(batch.PARTNER)])
    np.testing.assert_allclose(shown[2], 0.7 * shown[0] + 0.3 * shown[1], atol=0.51)
    assert fig.axes[8].get_xlabel() == "0.7 airplane\n0.3 cat"
    assert "CIFAR-10 test images" in figures.registry()["mixup-batch"].measured


def test_the_batch_can_be_made_anew(no_data, monkeypatch):
    monkeypatch.setattr(datasets, "_unlike", lambda *_: "")  # ten images are enough here
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in batch.data.CIFAR10_CLASSES:
            folder = no_data / "data" / "cifar10-jpeg" / split / name
            folder.mkdir(parents=True)
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / "0.png")
    batch.make(path=no_data / "made.png")
    made, source = batch.pictures(no_data / "made.png")
    with Image.open(no_data / "data" / "cifar10-jpeg" / "test" / "airplane" / "0.png") as first:
        np.testing.assert_array_equal(made[0, 0], np.asarray(first))
    np.testing.assert_array_equal(made[1, 0], made[0, batch.PARTNER[0]])
    assert source.startswith("CIFAR-10 test images 0, 1, 3, 8")


def test_the_rules_passes_are_those_that_the_page_tells():
    passes = {n: hyperrule.get_schedule(n)[-1] * 512 / n for n in (1000, 50_000)}
    assert (passes[1000], round(passes[50_000])) == (256, 102)
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert "1,000 images are seen 256 times" in page and "a hundred passes over CIFAR-10's 50,000 images" in page
