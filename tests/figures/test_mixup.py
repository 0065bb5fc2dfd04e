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
from bitdoc.figures.mixup import batch, beta, measured, moons
from bitdoc.figures.mixup import pictures as mixup_pictures
from bitdoc.literature import published
from bitdoc.records import runs
from bitdoc.studies.mixup import study
from bitdoc.training import hyperrule
from bitdoc.training.mixup import mix

PAGE = Path(__file__).parents[2] / "docs" / "mixup.md"
IDS = {
    "mixup-mixer", "mixup-samples", "mixup-beta", "mixup-moons", "mixup-moons-confidence", "mixup-corrupted",
    "mixup-batch", "mixup-shots", "mixup-reliability", "mixup-noise",
}  # fmt: skip


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    pytest.importorskip("skimage", reason="the photographs ship with scikit-image")
    return mixup_pictures.pictures()


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """A computer without CIFAR-10 and without runs."""
    monkeypatch.setenv("BITDOC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path / "results"))
    return tmp_path


def texts(fig) -> str:
    return " ".join(text.get_text() for ax in fig.axes for text in ax.texts)


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
    assert beta.nearly_pure(alpha) == pytest.approx(share, abs=0.015)


def test_the_density_is_a_density():
    grid = (np.arange(100_000) + 0.5) / 100_000
    for alpha in (0.4, 1.0, 4.0):
        assert beta.density(alpha, grid).mean() == pytest.approx(1, abs=0.01)


def test_the_histograms_hold_all_draws():
    for ax in figures.draw("mixup-beta").axes:
        assert sum(bar.get_height() * bar.get_width() for bar in ax.patches) == pytest.approx(1)


# ---- Half-moons ----------------------------------------------------------------------------------------------------


def test_mixup_lowers_confidence_between_classes_and_alpha_1_costs_accuracy():
    """What the page says of the half-moons."""
    halfway = [moons.halfway(alpha) for alpha in (0.0, 0.1, 0.4, 1.0)]
    assert halfway == sorted(halfway, reverse=True)
    assert halfway[0] - halfway[-1] > 0.15
    assert moons.accuracies(1.0).max() < moons.accuracies(0.0).min()


# ---- Published -----------------------------------------------------------------------------------------------------


def test_the_table_of_claims_computes_its_changes():
    header, *rows = figures.tables()["mixup-claims"].function()
    assert len(header) == 4
    for _, off, on, change in rows:
        assert float(on) - float(off) == pytest.approx(float(change.replace("−", "-")), abs=1e-9)
    changes = {row[0]: row[3] for row in rows}
    assert changes["Speech commands, LeNet"] == "+1.0"  # worse
    assert changes["Attacked, white box, ten steps (I-FGSM)"] == "−0.3"  # no protection


def test_the_prose_repeats_published_numbers():
    prose = PAGE.read_text(encoding="utf-8")
    half = published.MIXUP_CORRUPTED.values[50]
    white = published.MIXUP_ADVERSARIAL.values["white"]
    cutmix = published.CUTMIX_ILSVRC.values
    quoted = [half["plain"][1], half["mixup"][1], *white["FGSM"], *white["I-FGSM"], *cutmix.values()]
    for number in quoted:
        assert re.search(rf"\b{re.escape(f'{number:.2f}' if number in cutmix.values() else str(number))}%", prose), (
            number
        )
    off, on = published.MIXUP_ILSVRC.values["ResNet-50"][200]
    assert f"{off - on:.1f} points in 200" in " ".join(prose.split())


def test_corrupted_labels_are_drawn_where_they_were_published():
    ax = figures.draw("mixup-corrupted").axes[0]
    segments = [tuple(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2]
    assert segments == [errors for methods in published.MIXUP_CORRUPTED.values.values() for errors in methods.values()]


# ---- A real batch --------------------------------------------------------------------------------------------------


def test_the_kept_batch_is_mixed_with_a_permutation_of_itself():
    fig = figures.draw("mixup-batch")
    shown = np.array([ax.images[0].get_array() for ax in fig.axes], dtype=float).reshape(3, 4, 32, 32, 3)
    assert sorted(batch.PARTNER) == [0, 1, 2, 3]
    np.testing.assert_array_equal(shown[1], shown[0][list(batch.PARTNER)])
    np.testing.assert_allclose(shown[2], 0.7 * shown[0] + 0.3 * shown[1], atol=0.51)
    assert fig.axes[8].get_xlabel() == "0.7 airplane\n0.3 cat"
    assert "CIFAR-10 test images" in figures.registry()["mixup-batch"].caption


def test_the_batch_can_be_made_anew(no_data):
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


# ---- Measured ------------------------------------------------------------------------------------------------------


def test_the_prose_describes_the_runs_as_they_are():
    recipe = study.plan()[0].recipe
    steps, images = recipe.schedule[-1], recipe.schedule[-1] * recipe.batch
    prose = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"makes {steps} steps of {recipe.batch} images at {recipe.crop} pixels" in prose
    assert f"{study.FACTOR} times shorter" in prose
    longer = f"longer ones at 1,000 images per class {study.LONGER * images:,}"
    assert f"These runs see {images:,} images each, {longer}" in prose
    assert f"BiT's shortest fine-tuning with MixUp sees {hyperrule.get_schedule(20_000)[-1] * 512:,}" in prose
    script = " ".join((PAGE.parents[1] / "examples" / "plot_mixup_study.py").read_text(encoding="utf-8").split())
    assert f"makes the same {steps} steps" in script
    assert f"{study.FACTOR} times shorter" in script


@pytest.mark.parametrize("id", ["mixup-shots", "mixup-reliability", "mixup-noise"])
def test_without_runs_a_measured_figure_is_an_empty_place_with_its_command(no_data, id):
    assert "examples/plot_mixup_study.py --run" in texts(figures.draw(id))
    entry = figures.registry()[id]
    assert "Not measured yet" in entry.caption
    assert entry.alt.startswith("An empty place")


def test_without_runs_values_say_so(no_data):
    values = figures.values()
    assert values["mixup-gain-10-0.1"]() == values["mixup-ece-100-0"]() == "not measured"
    assert {cell for row in figures.tables()["mixup-measured"].function()[1:] for cell in row[1:]} == {"–"}


def fabricate(run: study.Run, top1: float, **setting) -> None:
    """Write a record as a run would leave it."""
    bins = {"bin_count": [5, 15], "bin_confidence": [0.3, 0.8], "bin_accuracy": [0.4, 0.6]}
    settings = {"random_labels": run.noise, "longer": run.longer, "examples_per_class": run.shots, "mixup": run.alpha}
    runs.write(
        runs.RunRecord(
            study.EXPERIMENT,
            run.name,
            study.MODEL,
            settings | {"seed": run.seed, "batch": 64} | setting,
            {"top1": top1, "ece": 17.5} | bins,
        )
    )


def test_gains_compare_runs_of_the_same_seed(no_data):
    for seed, (without, with_mixup) in enumerate([(50.0, 51.0), (40.0, 44.0)]):
        fabricate(study.Run(10, 0.0, seed), without)
        fabricate(study.Run(10, 0.1, seed), with_mixup)
    fabricate(study.Run(10, 0.1, 2), 99.0)  # its partner without MixUp has not been made yet
    assert measured.gains(10, 0.1) == pytest.approx([1.0, 4.0])
    assert figures.values()["mixup-gain-10-0.1"]() == "+2.5"
    assert figures.tables()["mixup-measured"].function()[1][1] == "45.0 (40.0–50.0)"


def test_pooled_reliability_weights_seeds_by_their_predictions(no_data):
    for seed in (0, 1):
        fabricate(study.Run(100, 1.0, seed), 55.0)
    count, confidence, accuracy = measured.pooled(100, 1.0)
    assert count.tolist() == [10, 30]
    assert confidence == pytest.approx([0.3, 0.8])
    assert accuracy == pytest.approx([0.4, 0.6])


def test_runs_made_differently_are_not_joined(no_data):
    fabricate(study.Run(10, 0.0, 0), 50.0)
    fabricate(study.Run(10, 0.1, 0), 50.0, batch=512)
    with pytest.raises(runs.RecordError, match="batch is"):
        measured.records()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_measured_figures_draw_a_full_set_of_runs(no_data, theme):
    for number, run in enumerate(study.plan()):
        fabricate(run, 50 + number % 7)
    for id in ("mixup-shots", "mixup-reliability", "mixup-noise"):
        fig = figures.draw(id, theme)
        fig.savefig(io.BytesIO(), format="svg")
        assert "No runs yet" not in texts(fig)
        assert not figures.registry()[id].alt.startswith("An empty place")
