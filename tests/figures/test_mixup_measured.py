"""What the MixUp page says it measured, against the records; and its figures on a computer that has none."""

from __future__ import annotations

import io
import re
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
from bs4 import BeautifulSoup

from bitdoc import figures
from bitdoc.figures.mixup import common, measured, memorize, middle, moons, moons_slider
from bitdoc.records import runs
from bitdoc.studies.mixup import half_moons, study
from bitdoc.studies.mixup import memorize as memorizing

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "mixup.md"
MEASURED = {
    "mixup-overfit": "memorize", "mixup-memorize": "memorize", "mixup-moons": "half_moons",
    "mixup-moons-curves": "half_moons", "mixup-reliability": "study", "mixup-middle": "middle",
}  # fmt: skip


@pytest.fixture
def no_runs(monkeypatch, tmp_path):
    """A computer without runs."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))


def prose(path: Path) -> str:
    return " ".join(path.read_text(encoding="utf-8").split())


def texts(fig) -> str:
    return " ".join(text.get_text() for ax in fig.axes for text in ax.texts)


# ---- Intervals -----------------------------------------------------------------------------------------------------


def test_the_interval_is_students():
    assert common.interval([1.0, 2.0, 3.0]) == pytest.approx(4.303 / 3**0.5, abs=0.01)
    assert common.interval([1.0]) is None
    assert common.gain([1.0, 2.0, 3.0]) == "+2.0 ± 2.5"
    assert common.gain([-1.25]) == "−1.2"
    assert common.gain([]) == "not measured"


def clear(points: list[float]) -> bool:
    """Whether a mean difference is larger than the half of its interval."""
    half = common.interval(points)
    assert half is not None
    return abs(mean(points)) > half


# ---- What the page says ---------------------------------------------------------------------------------------------


def test_the_network_without_mixup_memorizes_what_it_is_given():
    for noise in memorizing.NOISE:
        assert all(fit > 99 for fit in common.by_seed(memorize.records(noise, 0.0), "train").values())


def test_half_moons_gain_with_wrong_labels_by_more_than_the_interval():
    for alpha in half_moons.ALPHAS[1:]:
        assert mean(moons.gains(alpha)) > 0
        assert clear(moons.gains(alpha))
    fits = [moons.average(alpha, "train") for alpha in half_moons.ALPHAS]
    assert fits == sorted(fits, reverse=True)


@pytest.mark.parametrize("noise", memorizing.NOISE)
def test_images_learned_by_heart_gain_by_more_than_the_interval(noise):
    points = memorize.gains(noise, 1.0)
    assert mean(points) > 0
    assert clear(points)


def test_strong_mixup_keeps_wrong_labels_from_being_learned():
    mild, strong = memorize.gains(0.4, 1.0), memorize.gains(0.4, 8.0)
    assert mean(strong) > 2 * mean(mild) and clear(strong)
    wrong = [memorize.average(0.4, alpha, "wrong_fitted") for alpha in (0.0, 1.0, 8.0)]
    assert wrong[0] == 100 and wrong[1] > 95 and wrong[2] < 50
    assert memorize.average(0.4, 8.0) > memorize.peak(0.4, 0.0) + 5, "better than to stop the plain network in time"


@pytest.mark.parametrize("noise", memorizing.NOISE)
def test_the_stronger_mixup_the_less_is_learned_by_heart_and_the_more_is_right(noise):
    alphas = memorizing.ALPHAS + memorizing.STRONG
    assert memorize._made(noise) == list(alphas)
    fits = [memorize.average(noise, alpha, "train") for alpha in alphas]
    assert fits == sorted(fits, reverse=True)
    ends = [memorize.average(noise, alpha) for alpha in alphas[1:]]
    assert ends == sorted(ends) and clear(memorize.gains(noise, 8.0))


def test_with_a_past_and_a_hundred_passes_mixup_adds_little():
    assert all(fit > 95 for fit in common.by_seed(middle.records(0.0), "train").values()), "learned by heart"
    for alpha in (0.1, 1.0):
        assert len(middle.gains(alpha)) == 3
        assert -1 < mean(middle.gains(alpha)) < mean(memorize.gains(0.0, 1.0)) / 2, "less than without a past"


def test_images_learned_by_heart_gain_at_the_rate_that_is_best_without_mixup_too():
    points = memorize.repeated()
    assert mean(points) > 0
    assert clear(points)


def test_confidence_on_training_images_is_the_one_foreseen():
    """The page: within a few points."""
    for row in figures.tables()["mixup-foreseen"].function()[1:]:
        predicted, clean, noisy = (float(cell) for cell in row[1:])
        assert clean == pytest.approx(predicted, abs=5)
        assert noisy == pytest.approx(predicted, abs=8)


def test_few_shots_gain_nothing():
    for shots, noise in ((10, 0.0), (100, 0.0), (1000, 0.0), (100, 0.5)):
        for alpha in (0.1, 1.0):
            points = measured.gains(shots, alpha, noise=noise)
            assert mean(points) < 0 or not clear(points)
    assert mean(measured.gains(1000, 1.0)) < 0 and clear(measured.gains(1000, 1.0))


def test_mixup_lowers_confidence_where_it_was_too_high_and_where_it_was_not():
    for _, found in measured.panels():
        sure = [measured.overconfidence(chosen) for chosen in found.values()]
        assert sure == sorted(sure, reverse=True)
    (_, memorizing_runs), (_, few_passes) = measured.panels()
    assert measured.overconfidence(memorizing_runs[0.0]) > 20
    assert measured.overconfidence(few_passes[1.0]) < -10


def test_the_prose_describes_the_runs_as_they_are():
    page = prose(PAGE)
    assert measured.passes(10) == 160 and "even in 160 passes" in page
    assert memorizing.PASSES == 100 and "CIFAR-10 images a hundred times" in page
    assert f"sees {10 * memorizing.PER_CLASS:,} CIFAR-10 images" in page
    assert "a fifth of the points with the wrong label" in page and half_moons.FLIPPED == 1 / 5
    steps = study.plan()[0].recipe.schedule[-1]
    script = prose(ROOT / "examples" / "plot_mixup_study.py")
    assert f"makes the same {steps} steps" in script
    assert f"{study.FACTOR} times shorter" in script


def test_the_table_of_cases_agrees_with_the_records():
    header, *rows = figures.tables()["mixup-when"].function()
    assert len(header) == 7
    for name, _, _, off, on, change, source in rows:
        value = float(re.match(r"[+−][\d.]+", change)[0].replace("−", "-"))
        assert float(on) - float(off) == pytest.approx(value, abs=0.11), name
        assert source in ("own", "[1]", "[2]")


# ---- The slider ------------------------------------------------------------------------------------------------------


def test_the_slider_holds_what_was_measured():
    soup = BeautifulSoup(str(moons_slider()), "html.parser")
    root = soup.find(class_="moons")
    alphas = [float(alpha) for alpha in root["data-alphas"].split()]
    assert tuple(alphas) == half_moons.SLIDER
    for alpha, test, train in zip(alphas, root["data-tests"].split(), root["data-trains"].split(), strict=True):
        assert float(test) == pytest.approx(moons.average(alpha), abs=0.051)
        assert float(train) == pytest.approx(moons.average(alpha, "train"), abs=0.051)
    assert [float(layer["data-layer"]) for layer in soup.find_all(attrs={"data-layer": True})] == alphas
    kept = moons.pictured(0.0)
    assert len(soup.find_all("circle")) == len(kept["across"])
    wrong = sum(one != other for one, other in zip(kept["true"], kept["given"], strict=True))
    assert len(soup.find_all(class_="moons-wrong")) == wrong == 40
    slider = soup.find("input")
    assert slider.find_parent("label").get_text(strip=True)
    assert int(slider["max"]) == len(alphas) - 1
    assert "http" not in str(moons_slider())


def test_boundaries_lie_where_the_map_is_undecided():
    layer = BeautifulSoup(str(moons_slider()), "html.parser").find(attrs={"data-layer": "1"})
    p = moons.grid(moons.pictured(1.0))
    across, up = half_moons.ACROSS.numpy(), half_moons.UP.numpy()
    points = [pair.split() for line in layer.find("path")["d"][1:].split("M") for pair in line.split("L")]
    near = [p[np.abs(up + float(y) / 100).argmin(), np.abs(across - float(x) / 100).argmin()] for x, y in points]
    assert np.mean(np.abs(np.array(near) - 0.5)) < 0.2


# ---- Without runs, and with made-up ones ---------------------------------------------------------------------------


@pytest.mark.parametrize("id", MEASURED)
def test_without_runs_a_measured_figure_is_an_empty_place_with_its_command(no_runs, id):
    assert f"examples/plot_mixup_{MEASURED[id]}.py --run" in texts(figures.draw(id))
    entry = figures.registry()[id]
    assert "Not measured yet" in entry.measured
    assert entry.alt == common.NOTHING


def test_without_runs_values_and_tables_say_so(no_runs):
    values = figures.values()
    for name in values:
        if name.startswith(("memorize-", "middle-", "moons-", "mixup-gain", "mixup-too-sure")):
            assert values[name]() == "not measured", name
    assert {row[-1] for row in figures.tables()["mixup-when"].function()[1:]} == {"not measured", "[1]", "[2]"}
    assert {cell for row in figures.tables()["mixup-few-shot"].function()[1:] for cell in row[2:]} == {
        "–",
        "not measured",
    }
    assert {cell for row in figures.tables()["mixup-foreseen"].function()[1:] for cell in row[2:]} == {"–"}
    assert str(moons_slider()) == ""


def fabricate(run: study.Run, top1: float, **setting) -> None:
    """Write a record as a run would leave it."""
    bins = {"bin_count": [5, 15], "bin_confidence": [0.3, 0.8], "bin_accuracy": [0.4, 0.6]}
    settings = {"random_labels": run.noise, "longer": run.longer, "examples_per_class": run.shots, "mixup": run.alpha}
    settings |= {"seed": run.seed, "batch": 64} | setting
    runs.write(runs.RunRecord(study.EXPERIMENT, run.name, study.MODEL, settings, {"top1": top1, "ece": 17.5} | bins))


def test_gains_compare_runs_of_the_same_seed(no_runs):
    for seed, (without, with_mixup) in enumerate([(50.0, 51.0), (40.0, 44.0)]):
        fabricate(study.Run(10, 0.0, seed), without)
        fabricate(study.Run(10, 0.1, seed), with_mixup)
    fabricate(study.Run(10, 0.1, 2), 99.0)  # its partner without MixUp has not been made yet
    assert measured.gains(10, 0.1) == pytest.approx([1.0, 4.0])
    row = figures.tables()["mixup-few-shot"].function()[1]
    assert row == ["10", "160", "45.0", "+2.5 ± 19.1", "not measured"]


def test_a_seed_counts_when_it_has_a_run_for_each_alpha(no_runs):
    setting = {"random_labels": 0.0, "base_lr": 0.1, "model": memorizing.MODEL}
    for run in (memorizing.Run(alpha, 0.0, seed) for seed in (0, 1) for alpha in memorizing.ALPHAS[: 4 - seed]):
        made = setting | {"mixup": run.alpha, "seed": run.seed}
        runs.write(runs.RunRecord(run.experiment, run.name, memorizing.MODEL, made, {"top1": 50.0, "train": 100.0}))
    assert {record.setting["seed"] for record in memorize.everything()} == {0}
    assert len(memorize.everything()) == len(memorizing.ALPHAS)


def test_pooled_reliability_weights_seeds_by_their_predictions(no_runs):
    for seed in (0, 1):
        fabricate(study.Run(100, 1.0, seed), 55.0)
    count, confidence, accuracy = measured.pooled(measured.records(100, 1.0))
    assert count.tolist() == [10, 30]
    assert confidence == pytest.approx([0.3, 0.8])
    assert accuracy == pytest.approx([0.4, 0.6])
    assert measured.overconfidence(measured.records(100, 1.0)) == pytest.approx(12.5)


def test_runs_made_differently_are_not_joined(no_runs):
    fabricate(study.Run(10, 0.0, 0), 50.0)
    fabricate(study.Run(10, 0.0, 1), 50.0, batch=512)
    with pytest.raises(runs.RecordError, match="batch is"):
        measured.records(10, 0.0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("id", MEASURED)
def test_measured_figures_draw_the_kept_runs(id, theme):
    fig = figures.draw(id, theme)
    fig.savefig(io.BytesIO(), format="svg")
    assert "No runs yet" not in texts(fig)
    assert figures.registry()[id].alt != common.NOTHING
