"""The transfer page: its figures against the rule and the published numbers, its runs, its length and its citations."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from bitdoc import figures
from bitdoc.figures import style
from bitdoc.figures.transfer import idea, measured
from bitdoc.literature.published import VTAB_START
from bitdoc.network.resnet import OFFICIAL
from bitdoc.records import runs
from bitdoc.studies.fewshot.make_runs import EXPERIMENT as FEW_SHOT
from bitdoc.studies.transfer.feature_map import EXPERIMENT as FEATURE_MAP
from bitdoc.studies.transfer.feature_map import WHEN
from bitdoc.training import hyperrule
from bitdoc.training.recipe import Recipe

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "transfer-learning.md").read_text(encoding="utf-8")
IDS = {
    "transfer-idea", "transfer-when", "rule-path", "transfer-layers", "transfer-low-data", "transfer-ways",
    "transfer-features",
}  # fmt: skip


@pytest.fixture
def no_runs(monkeypatch, tmp_path) -> Path:
    """An empty folder of results."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    return tmp_path


def texts(fig) -> str:
    parts = [text.get_text() for ax in fig.axes for text in ax.texts]
    return " ".join(parts + [ax.get_title(loc="left") for ax in fig.axes])


def line_of(ax, colour: str) -> np.ndarray:
    """Points of the one line in a data colour, ``(N, 2)``."""
    wanted = to_hex(style.COLOURS[colour])
    lines = [line for line in ax.lines if to_hex(line.get_color()) == wanted and len(line.get_xdata()) > 1]
    return np.array(lines[0].get_xydata())


def test_the_page_shows_every_figure_of_its_modules():
    shown = set(re.findall(r"```\{bit-figure\} (\S+)", PAGE))
    known = {id for id in figures.registry() if id.startswith(("transfer-", "rule-"))}
    assert shown == IDS == known - {"rule-staircase"}  # which the page's widget draws, and an example


# ---- The rule ------------------------------------------------------------------------------------------------------


def test_the_path_shows_what_the_rule_says():
    told = texts(figures.draw("rule-path"))
    for number in ("96 × 96", "160²", "128²", "512²", "480²", "< 20,000", "< 500,000", "500 steps", "10,000 steps"):
        assert number in told, number
    assert told.count("no MixUp") == 1 and told.count("MixUp α = 0.1") == 2


def test_the_path_follows_the_rule_when_it_changes(monkeypatch):
    monkeypatch.setattr(hyperrule, "get_schedule", lambda examples, source="code": (1, 2, 3, 4, 777))
    monkeypatch.setattr(hyperrule, "SMALL", 12_345)
    told = texts(figures.draw("rule-path"))
    assert told.count("777 steps") == 3 and "< 12,345" in told


def test_the_staircase_is_the_learning_rate_of_every_step():
    top, bottom = figures.draw("rule-staircase").axes
    cases = ((top, "blue", 100, "code"), (top, "orange", 100, "paper"))
    cases += ((bottom, "orange", 50_000, "code"), (bottom, "green", 10**6, "code"))
    for ax, colour, examples, source in cases:
        line = line_of(ax, colour)
        assert len(line) == hyperrule.get_schedule(examples, source)[-1]
        for step, rate in line[[1, 50, 150, 201, 301, 451, -1]]:
            assert rate == pytest.approx(hyperrule.get_lr(int(step), examples, source=source))


def test_the_rule_in_words():
    """The prose gives the rule's limits and steps, which are those of the code and, for the crop, of the paper too."""
    flat = " ".join(PAGE.split())
    small, medium, large = (hyperrule.get_schedule(examples)[-1] for examples in (100, 50_000, 10**6))
    below, paper, largest = (
        hyperrule.get_resolution((32, 32)),
        hyperrule.get_resolution((224, 224), "paper", "R50x1"),
        hyperrule.get_resolution((224, 224), "paper", "R152x4"),
    )
    assert {hyperrule.get_resolution((224, 224), "code", arch) for arch in OFFICIAL} == {largest}
    for says in (
        f"96 × 96 pixels are enlarged to {below.resize} and cropped to {below.crop}",
        f"Larger ones are resized to {largest.resize} and cropped to {largest.crop}. (The paper gives "
        f"{paper.resize} and {paper.crop} except for R152x4.)",
        f"Fewer than {hyperrule.SMALL:,} get {small} steps",
        f"Fewer than {hyperrule.MEDIUM:,} get {medium:,}, more get {large:,}",
        "SGD with momentum 0.9, learning rate 0.003 with three tenfold drops, 512 images a step",
    ):
        assert says in flat, says
    assert inspect.signature(hyperrule.get_lr).parameters["base_lr"].default == 0.003
    assert Recipe.batch == 512


# ---- Published -----------------------------------------------------------------------------------------------------


def test_results_are_those_of_tables_1_and_2():
    rows = {
        row[0]: [cell.replace("\u00a0", " ") for cell in row[1:]]
        for row in figures.tables()["transfer-results"].function()
    }
    assert rows["ILSVRC-2012"] == ["81.30", "85.39", "87.54 ± 0.02", "86.4 FixRes", "88.4 Noisy Student"]
    assert rows["CIFAR-10"] == ["97.51", "98.91", "99.37 ± 0.06", "99.0 GPipe", "–"]
    assert rows["CIFAR-100"] == ["86.21", "92.17", "93.51 ± 0.08", "91.7 EfficientNet", "–"]
    assert rows["Pets"] == ["93.97", "94.46", "96.62 ± 0.23", "95.9 GPipe", "97.1 Domain-adaptive transfer"]
    assert rows["Flowers"] == ["89.89", "99.30", "99.63 ± 0.03", "98.8 EfficientNet", "97.7 Domain-adaptive transfer"]
    assert rows["VTAB-1k"] == ["66.87", "70.64", "76.29 ± 1.70", "70.5 VIVI-Ex", "–"]


def test_duplicates_are_those_of_table_7():
    rows = figures.tables()["transfer-duplicates"].function()[1:]
    assert rows == [
        ["ILSVRC-2012", "87.8", "87.9", "6,470"],
        ["CIFAR-10", "99.4", "99.3", "435"],
        ["CIFAR-100", "93.6", "93.4", "491"],
        ["Pets", "96.8", "96.4", "600"],
        ["Flowers", "99.7", "99.7", "412"],
    ]
    largest = max(abs(float(everything) - float(clean)) for _, everything, clean, _ in rows)
    assert f"differs by {largest:.1f} points at most" in " ".join(PAGE.split())


def test_few_labels_are_those_of_fig_2():
    (ax,) = figures.draw("transfer-low-data").axes
    expected = {"blue": (66.31, 94.03, 97.41, 97.66, 98.23), "orange": (40.07, 78.15, 83.99, 87.10, 90.71)}
    expected["green"] = (50.18, 72.32, 76.82, 81.20, 84.13)
    for colour, accuracies in expected.items():
        line = line_of(ax, colour)
        assert line[:, 0].tolist() == [1, 5, 10, 25, 100]
        assert tuple(line[:, 1]) == accuracies
    (ring,) = [line for line in ax.lines if len(line.get_xdata()) == 1]
    assert ring.get_xydata().tolist() == [[10, 97.41]] and "97%" in texts(ax.figure)


def test_layers_are_those_of_the_logs():
    (ax,) = figures.draw("transfer-layers").axes
    assert line_of(ax, "grey")[:, 1].tolist() == [0.35, 0.03, -0.21, -1.85, -2.97, -0.45, 0.0]
    assert line_of(ax, "blue")[:, 1].tolist() == [0.3, -0.1, -0.6, -2.5, -4.7, -4.5, -8.3]
    assert line_of(ax, "orange")[:, 1] == pytest.approx([0.2, -1.6, -3.6, -7.5, -12.7, -16.3, -24.6])


def test_when_to_transfer_is_the_authors_table():
    """Group means, taken from the table of results a second time: rows From-Scratch and Sup-100%."""
    means = {
        ("natural", "few"): (27.91, 73.46),
        ("natural", "all"): (53.58, 86.41),
        ("specialized", "few"): (68.94, 82.49),
        ("specialized", "all"): (85.25, 89.32),
        ("structured", "few"): (43.57, 52.10),
        ("structured", "all"): (89.62, 92.87),
    }
    for (group, amount), expected in means.items():
        got = tuple(idea.group_mean(start, amount, group) for start in ("random", "ImageNet"))
        assert got == pytest.approx(expected, abs=0.01)
    fig = figures.draw("transfer-when")
    told = [" ".join(text.get_text() for text in ax.texts) for ax in fig.axes]
    panels = (("27.9", "73.5"), ("43.6", "52.1"), ("53.6", "86.4"), ("89.6", "92.9"))
    for text, (start, end) in zip(told, panels, strict=True):
        gain = f"+{float(end) - float(start):.1f}"
        assert [word for word in text.split() if re.fullmatch(r"\+?\d+\.\d", word)] == [start, end, gain], text


def test_medical_images_gain_little_even_where_they_are_few():
    """Patch Camelyon and Diabetic Retinopathy, taken from the authors' table a second time."""
    values = figures.values()
    assert values["vtab-gain-camelyon"]() == f"{80.612 - 75.620:.1f}"
    assert values["vtab-gain-retinopathy"]() == f"{73.198 - 72.572:.1f}"
    assert "gain 5.0 and 0.6 points" in figures.registry()["transfer-when"].measured


# ---- Measured ------------------------------------------------------------------------------------------------------


def write_ways(base: dict[str, float]) -> None:
    """Five runs of each way and number of examples, whose median is ``base + examples``."""
    for label, model, method, _ in measured.WAYS:
        if label not in base:
            continue
        for shots in (1, 2, 5, 10):
            for seed, offset in enumerate((-4.0, -1.0, 0.0, 1.0, 2.0)):
                setting = {"method": method, "examples_per_class": shots, "subset_seed": seed, "encoding": "made up"}
                result = {"top1": base[label] + shots + offset}
                runs.write(runs.RunRecord(FEW_SHOT, f"{model}_{method}_{shots}_{seed}", model, setting, result))


def test_without_runs_the_place_is_empty_and_names_the_commands(no_runs):
    told = texts(figures.draw("transfer-ways"))
    flat = re.sub(r"\s+", " ", told)
    assert "not measured yet" in flat
    for _, model, _, _ in measured.WAYS:
        assert f"plot_few_shot_cifar10.py --run --model {model}" in flat
    assert "empty place" in figures.registry()["transfer-ways"].alt
    assert "No runs yet." in figures.registry()["transfer-ways"].measured
    assert figures.values()["ways-fine-tune"]() == "(not measured yet)"
    assert "bitdoc.studies.transfer.feature_map" in texts(figures.draw("transfer-features"))


def test_runs_are_drawn_as_medians_and_ranges(no_runs):
    write_ways({"fine-tuned": 40.0, "linear probe": 35.0, "from scratch": 20.0})
    (ax,) = figures.draw("transfer-ways").axes
    assert line_of(ax, "blue").tolist() == [[1, 41], [2, 42], [5, 45], [10, 50]]
    assert line_of(ax, "grey").tolist() == [[1, 21], [2, 22], [5, 25], [10, 30]]
    band = ax.collections[0].get_paths()[0].vertices
    at_ten = band[band[:, 0] == 10][:, 1]
    assert (at_ten.min(), at_ten.max()) == (46, 52)
    assert figures.values()["ways-linear-probe"]() == "45.0%"
    assert "fine-tuned 41 percent with 1 and 50 with 10" in figures.registry()["transfer-ways"].alt
    assert "60 runs" in figures.registry()["transfer-ways"].measured


def test_a_missing_series_is_named(no_runs):
    write_ways({"fine-tuned": 40.0, "from scratch": 20.0})
    told = texts(figures.draw("transfer-ways"))
    assert "Not measured yet: linear probe" in told and "fine-tuned" in told
    assert "--method linear-probe" in figures.registry()["transfer-ways"].caption


def write_map(shots: int, agreement: tuple[float, ...]) -> dict[str, list]:
    """A record of ten classes with 20 images each on the map, another map at each time."""
    labels = [label for label in range(10) for _ in range(20)]
    maps = {
        when: [[10 * turn + label + 0.1 * image, label - 0.1 * image] for label in range(10) for image in range(20)]
        for turn, when in enumerate(WHEN)
    }
    result = {"labels": labels, "agreement": dict(zip(WHEN, agreement, strict=True)), **maps}
    setting = {"classes": [f"kind{label}" for label in range(10)], "drawn": 20, "judged": 100, "test_images": 1000}
    setting |= {"examples_per_class": shots}
    model = measured.MODEL
    runs.write(runs.RunRecord(FEATURE_MAP, f"{model}_{shots}", model, setting, result))
    return maps


def test_the_feature_maps_show_every_image_and_the_share_of_like_neighbors(no_runs):
    maps = write_map(1000, (17.2, 46.4, 71.0))
    write_map(10, (17.2, 46.4, 48.6))
    fig = figures.draw("transfer-features")
    assert len(fig.axes) == 3
    for ax, (when, points) in zip(fig.axes, maps.items(), strict=True):
        drawn = np.concatenate([line.get_xydata() for line in ax.lines])
        assert sorted(map(tuple, drawn)) == sorted(map(tuple, points))
        assert ax.get_title(loc="left").startswith(f"{when.capitalize()}: ")
    (legend,) = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"kind{label}" for label in range(10)]
    assert "17, 46 and 71 percent" in figures.registry()["transfer-features"].alt
    assert "1,000 other images" in figures.registry()["transfer-features"].measured
    assert "2 runs" in figures.registry()["transfer-features"].measured
    quoted = [
        figures.values()[f"features-{name}"]() for name in ("random", "pre-trained", "fine-tuned", "fine-tuned-few")
    ]
    assert quoted == ["17%", "46%", "71%", "49%"]


def test_the_shipped_maps_bear_the_text_out():
    """Neighbors agree more often with every step, and ten images a class move them less than 1,000."""
    many, few = (measured._map_record(shots).result["agreement"] for shots in (1000, 10))
    assert many["random"] < many["pre-trained"] < many["fine-tuned"]
    assert (many["random"], many["pre-trained"]) == (few["random"], few["pre-trained"])
    assert few["fine-tuned"] - few["pre-trained"] < 0.5 * (many["fine-tuned"] - many["pre-trained"])


# ---- Prose ---------------------------------------------------------------------------------------------------------


def prose() -> str:
    """The page without front matter, headings, directives (figures, tables, code, folded answers) and tables."""
    text = re.sub(r"\A---.*?\n---\n", "", PAGE, flags=re.S)
    text = re.sub(r"(?ms)^(`{3,}|:{3,}).*?^\1\s*$", "", text)
    text = re.sub(r"(?s)\$\$.*?\$\$.*?\n", "", text)
    text = re.sub(r"(?m)^(#|\|).*$", "", text)
    text = re.sub(r"\{cite:p\}`[^`]*`", "", text)
    return re.sub(r"\{[\w:-]+\}`[^`]*`", "X", text)


def test_the_page_is_two_pages_long():
    assert 800 <= len(re.findall(r"[\w’'%$-]+(?:[.,]\d+)*", prose())) <= 1000


def test_every_work_the_page_rests_on_is_cited():
    cited = {key for keys in re.findall(r"\{cite:\w+\}`([^`]*)`", PAGE) for key in keys.split(",")}
    needed = {
        "pan2010survey", "kolesnikov2020bit", "yosinski2014transferable", "raghu2019transfusion", "neyshabur2020what",
        "mccloskey1989catastrophic", "kornblith2019better", "he2019rethinking", "dosovitskiy2021image",
        "beyer2022patient", "he2022mae", "chen2020simclr", "razavian2014shelf", "houlsby2019adapters", "hu2022lora",
        "howard2018ulmfit", "frankle2021batchnorm", "devlin2019bert",
    }  # fmt: skip
    assert needed <= cited
    known = set(re.findall(r"@\w+\{([^,]+),", (DOCS / "references.bib").read_text(encoding="utf-8")))
    assert cited <= known


@pytest.mark.parametrize(
    "number",
    [
        "lifted the mean by 2.4 points",
        "varies by 1.70 (one standard deviation)",
        "88.55%",
        "87.54%",
        "82.3%",
        "78.4%",
        "0.96",
        "25.9 against 26.0",
        "at most 5.4 against 9.9",
        "80.0%",
        "79.0%",
    ],
)
def test_published_numbers_in_the_prose(number):
    """Transcribed a second time from the papers, so that a slip of the pen shows."""
    assert number in " ".join(PAGE.split())


def test_the_shipped_runs_bear_the_text_out():
    """Most of the gain comes from the features as they are, and fine-tuning mostly leads the probe."""
    flat = " ".join(PAGE.split())
    medians = {
        label: {shots: np.median(values) for shots, values in measured._accuracies(measured._records(*way)).items()}
        for label, *way, _ in measured.WAYS
    }
    scratch, probe, tuned = (medians[label] for label in ("from scratch", "linear probe", "fine-tuned"))
    assert "most of the gain comes from the upstream features as they are" in flat
    assert probe[10] - scratch[10] > 0.5 * (tuned[10] - scratch[10])
    assert "fine-tuning mostly leads" in flat
    assert sum(tuned[shots] >= probe[shots] for shots in tuned) > len(tuned) / 2


def test_transfer_harms_the_one_task_that_the_page_names():
    def of(start, amount):
        return [accuracy for group in VTAB_START.values.values() for accuracy in group[start, amount]]

    few, many = (np.subtract(of("random", amount), of("ImageNet", amount)) for amount in ("few", "all"))
    assert len(few) == 19 and list(np.flatnonzero(few > 0)) == [18]
    assert (of("random", "few")[18], of("ImageNet", "few")[18]) == (37.61, 35.44)  # small NORB, elevation
    assert 0 < many.max() < 0.1
