"""The models page: the table against a list transcribed from the paper, and the figures against the detector."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bitdoc import figures
from bitdoc.figures.models import anchors as models_anchors
from bitdoc.figures.models import focal, pyramid, scoring, semi
from bitdoc.literature import published
from bitdoc.literature.catalog import FAMILIES, models
from bitdoc.literature.rivals import DATA_SETS
from bitdoc.network import detector, resnet
from bitdoc.records import runs
from bitdoc.studies.models import rectangles

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "models.md").read_text(encoding="utf-8")
MODELS = {model.name: model for model in models()}

#: Reads "Tables 2, 6; Figs. 4–6, 10".
WHERE = re.compile(r"(Table|Fig)s?\.? ([\d, –]*\d)")
#: Every model that a table or figure of the paper names: how its row begins, the tables (T) and figures (F) in which it
#: stands, and its numbers there, in the order of the columns.
IN_THE_PAPER = [
    ("BiT-S R152x4", "T2 T6 F4 F5 F6 F10 F14", "81.30 97.51 86.21 93.97 89.89 66.87 57.0"),
    ("BiT-M R152x4", "T2 T6 F4 F5 F6 F10 F14", "85.39 98.91 92.17 94.46 99.30 70.64 69.0"),
    (
        "BiT-L R152x4",
        "T1 T6 T7 F1 F2 F3 F4 F5 F6 F8 F9 F10 F12 F13 F14 F15",
        "87.54 99.37 93.51 96.62 99.63 76.29 80.0",
    ),
    ("BiT-S R50x1", "T6 F4 F5 F6 F10 F14", "76.8 82.4 93.1 51.8"),
    ("BiT-S R101x1", "T6 F4 F5 F6 F10 F14", "78.0 83.5 93.8 54.2"),
    ("BiT-S R50x3", "T6 F4 F5 F6 F10 F14", "80.0 85.1 93.7 54.7"),
    ("BiT-S R101x3", "T6 T7 F4 F5 F6 F10 F14", "80.3 85.3 93.7 56.4"),
    ("BiT-M R50x1", "T6 F4 F5 F6 F10 F14", "80.0 86.9 92.6 56.4"),
    ("BiT-M R101x1", "T6 F4 F5 F6 F10 F14", "82.3 88.7 93.6 61.3"),
    ("BiT-M R50x3", "T6 F4 F5 F6 F10 F14", "84.1 90.2 94.1 62.4"),
    ("BiT-M R101x3", "T6 T7 F4 F5 F6 F10 F14", "84.5 91.3 94.6 66.4"),
    ("BiT-L R50x1", "T6 F4 F5 F6 F10 F14", "79.0 86.1 93.9 59.5"),
    ("BiT-L R101x1", "T6 F4 F5 F6 F10 F14", "81.6 88.5 95.0 65.21"),
    ("BiT-L R50x3", "T6 F4 F5 F6 F10 F14", "84.9 91.3 96.2 71.1"),
    ("BiT-L R101x3", "T6 F4 F5 F6 F7 F10 F14", "86.3 92.5 96.3 75.6"),
    ("FixRes", "T1 F1", "86.4"),
    ("GPipe", "T1 F1", "99.0 95.9"),
    ("EfficientNet", "T1 F1", "91.7 98.8"),
    ("VIVI-Ex-100%", "T1 F3", "70.5"),
    ("Noisy Student", "T1", "88.4"),
    ("Domain-adaptive transfer", "T1", "97.1 97.7"),
    ("Sup-Rotation-100%", "F3", "67.50"),
    ("Sup-Exemplar-100%", "F3", "67.00"),
    ("CPC v2", "F2", "76.7"),
    ("S4L MOAM", "F2", "73.21"),
    ("MT+fSWA", "F2", "94.2 72.0"),
    ("Π+fSWA", "F2", "94.5 65.75"),
    ("MixMatch", "F2", "74.12"),
    ("ReMixMatch", "F2", "94.86"),
    ("ResNet-152", "F4 F10", "49.3"),
    ("Inception-v4", "F4 F10", "51.3"),
    ("NASNet-A", "F4 F10", "56.4"),
    ("PNASNet-5L", "F4 F10", "55.1"),
    ("RetinaNet on BiT-S R101x3", "T3", "41.7"),
    ("RetinaNet on BiT-M R101x3", "T3", "43.2"),
    ("RetinaNet on BiT-L R101x3", "T3", "43.8"),
    ("RetinaNet (literature)", "T3", "40.8"),
    ("ResNet-50, batch norm, plain convolutions", "T4 T5", "75.6 67.72"),
    ("ResNet-50, batch norm, weight standardization", "T4 T5", "75.8 66.78"),
    ("ResNet-50, group norm, plain convolutions", "T4 T5", "70.2 68.77"),
    ("ResNet-50, group norm, weight standardization", "T4 T5", "76.0 70.39"),
    ("Baseline (ILSVRC-2012)", "F1 F4 F10", "76.70 96.28 82.22 93.26 91.31 46.2"),
    ("IN-R50, INet-R50", "F14 F15", ""),
]
#: Where Fig. 2 has few labels: how many of each class in the points with the most.
LABELS = {
    "CPC v2": [256],
    "S4L MOAM": [128],
    "MT+fSWA": [400, 100],
    "Π+fSWA": [400, 100],
    "MixMatch": [100],
    "ReMixMatch": [400],
}


@pytest.fixture
def no_runs(monkeypatch, tmp_path) -> Path:
    """An empty folder of results."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def small_record() -> runs.RunRecord:
    """A detector trained for two steps."""
    pytest.importorskip("torchvision")
    return rectangles.measure(steps=2)


def texts(fig) -> str:
    return " ".join(text.get_text() for ax in fig.axes for text in ax.texts)


def test_the_page_shows_every_figure_and_table_of_its_modules():
    pages = {}
    for kind, entries in (("figure", figures.registry()), ("table", figures.tables())):
        shown = set(re.findall(rf"```\{{bit-{kind}\}} (\S+)", PAGE))
        mine = {id for id, entry in entries.items() if entry.function.__module__.startswith("bitdoc.figures.models")}
        pages[kind] = shown, mine
    assert all(shown == mine for shown, mine in pages.values()), pages


# ---- The table -----------------------------------------------------------------------------------------------------


def places(where: str) -> set[str]:
    """T2, F4, F5 for "Table 2; Figs. 4, 5"."""
    found = set()
    for kind, numbers in WHERE.findall(where):
        for part in numbers.split(", "):
            first, _, last = part.partition("–")
            found |= {f"{kind[0]}{number}" for number in range(int(first), int(last or first) + 1)}
    return found


@pytest.mark.parametrize(("name", "where", "numbers"), IN_THE_PAPER)
def test_no_model_of_the_paper_is_missing(name, where, numbers):
    (model,) = [model for title, model in MODELS.items() if title.startswith(name)]
    assert places(model.where) == set(where.split())
    assert [model.scores[data] for data in DATA_SETS if data in model.scores] == [float(n) for n in numbers.split()]
    assert list(model.labels.values()) == LABELS.get(name, [])


def test_the_table_names_nothing_else():
    listed = {name for name, _, _ in IN_THE_PAPER} | {"FixMatch"}
    assert [name for name in MODELS if not name.startswith(tuple(listed))] == []
    assert not places(MODELS["FixMatch"].where) and "without a name" in MODELS["FixMatch"].where
    assert len(MODELS) == len(models()) == len(listed), "no name twice"


def test_rows_stand_by_family_and_their_sources_are_known():
    known = set(re.findall(r"@\w+\{([^,]+),", (DOCS / "references.bib").read_text(encoding="utf-8")))
    head, *rows = figures.tables()["models-all"].function()
    families = [row for row in rows if row[0].startswith("**")]
    assert [row[0] for row in families][:2] == ["**BiT** (15)", "**generalist** (4)"] and len(families) == len(FAMILIES)
    assert all(row[1] and not any(row[2:]) for row in families)
    lines = [row for row in rows if row not in families]
    assert [row[0] for row in lines] == [model.name for model in models()]
    assert len(lines) == int(figures.values()["models-count"]())
    assert all(cell.strip() for row in lines for cell in row)
    column = {name: index for index, name in enumerate(head)}
    by_name = {row[0]: row for row in lines}
    assert by_name["BiT-L R152x4"][column["VTAB-1k"]] == "76.29"
    assert by_name["BiT-L R152x4"][column["ObjectNet top-5"]] == "80.0"
    assert by_name["MT+fSWA"][column["CIFAR-100"]] == "72.0 (100)"
    assert by_name["RetinaNet (literature)"][column["COCO AP"]] == "40.8"
    for model in models():
        assert model.cite and set(model.cite) <= known, model.name


@pytest.mark.parametrize("arch", ["R50x1", "R101x1", "R50x3", "R101x3", "R152x4"])
def test_sizes_of_bit_leave_the_head_out(arch):
    assert MODELS[f"BiT-M {arch}"].millions == pytest.approx(resnet.count_parameters(arch, 0) / 1e6)


def test_the_largest_has_the_size_of_the_paper():
    assert round(MODELS["BiT-L R152x4"].millions) == 928


@pytest.mark.parametrize(
    ("name", "arch"), [("VIVI-Ex-100%", "R50x3"), ("Sup-Rotation-100%", "R50x1"), ("S4L MOAM", "R50x4")]
)
def test_sizes_of_other_resnets_count_the_head(name, arch):
    assert MODELS[name].millions == pytest.approx(resnet.count_parameters(arch, 1000) / 1e6, abs=0.06)


@pytest.mark.parametrize(
    ("name", "timm_name"),
    [
        ("ResNet-152", "resnet152"),
        ("Inception-v4", "inception_v4"),
        ("NASNet-A", "nasnetalarge"),
        ("PNASNet-5L", "pnasnet5large"),
    ],
)
def test_sizes_of_the_objectnet_networks_are_timms(name, timm_name):
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        count = sum(p.numel() for p in timm.create_model(timm_name).parameters())
    assert MODELS[name].millions == pytest.approx(count / 1e6, abs=0.06)


@pytest.mark.parametrize(("name", "filters", "classes"), [("ReMixMatch", 32, 10), ("MixMatch", 135, 100)])
def test_sizes_of_the_wide_resnets(name, filters, classes):
    """WRN-28: three groups of four blocks of two 3x3 convolutions; two numbers of batch norm for each channel."""
    count, cin = 3 * 16 * 9, 16
    for group in range(3):
        cout = filters * 2**group
        for _ in range(4):
            count += 9 * cin * cout + 9 * cout**2 + (cin * cout if cin != cout else 0) + 2 * cin + 2 * cout
            cin = cout
    count += 2 * cin + (cin + 1) * classes
    assert MODELS[name].millions == pytest.approx(count / 1e6, abs=0.03)


# ---- RetinaNet -----------------------------------------------------------------------------------------------------


def test_the_pyramid_has_the_shapes_of_the_arithmetic():
    pytest.importorskip("torchvision")
    shapes = pyramid.shapes()
    for level, channels in ((3, 512 * 3), (4, 1024 * 3), (5, 2048 * 3)):
        assert shapes[f"C{level}"] == (channels, 1024 // 2**level, 1024 // 2**level)
    for level in range(3, 8):
        assert shapes[f"P{level}"] == (256, 1024 // 2**level, 1024 // 2**level)
    anchors = 9 * sum((1024 // 2**level) ** 2 for level in range(3, 8))
    assert shapes["cls_logits"] == (anchors, 80) and shapes["bbox_regression"] == (anchors, 4)
    assert figures.values()["retinanet-anchors-total"]() == f"{anchors:,}" == "196,416"
    told = texts(figures.draw("retinanet-pyramid"))
    assert "6,144 × 32 × 32" in told and "256 × 8 × 8" in told


def test_the_tables_of_levels_and_subnets():
    pytest.importorskip("torchvision")
    levels = {row[0]: row for row in figures.tables()["retinanet-levels"].function()}
    assert [levels[f"P{level}"][1] for level in (3, 4, 5)] == ["M3", "M4", "M5"]
    assert levels["P3"][2:] == ["256 × 128 × 128", "8", "32", "147,456"]
    assert levels["P7"][2:] == ["256 × 8 × 8", "128", "512", "576"]
    what, where = figures.tables()["retinanet-subnets"].function()[1:]
    hidden, per_anchor = 4 * (256 * 256 * 9 + 256), 9 * 256 * 9
    assert what[4] == f"{hidden + 80 * (per_anchor + 9):,}"
    assert where[4] == f"{hidden + 4 * (per_anchor + 9):,}"


def test_matched_anchors_fit_and_the_counts_add_up():
    pytest.importorskip("torchvision")
    pytest.importorskip("skimage")
    found, counts = models_anchors.matches()
    everything = sum(len(boxes) for boxes in models_anchors.anchors().values())
    assert sum(counts.values()) == everything
    assert counts["object"] == sum(map(len, found.values())) > 0
    for name, boxes in found.items():
        x1, y1, x2, y2 = models_anchors.TRUTH[name]
        for bx1, by1, bx2, by2 in boxes.tolist():
            inside = max(0, min(x2, bx2) - max(x1, bx1)) * max(0, min(y2, by2) - max(y1, by1))
            union = (x2 - x1) * (y2 - y1) + (bx2 - bx1) * (by2 - by1) - inside
            assert inside / union >= 0.5
    height, width, _ = models_anchors.photograph().shape
    assert all(0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height for x1, y1, x2, y2 in models_anchors.TRUTH.values())


def test_nine_anchors_are_drawn_for_each_of_three_levels():
    pytest.importorskip("skimage")
    top, bottom = figures.draw("retinanet-anchors").axes
    assert len(top.patches) == 27
    assert len(bottom.patches) == len(models_anchors.TRUTH) + models_anchors.matches()[1]["object"]


def test_focal_curves_are_focal_loss():
    top = figures.draw("focal-loss").axes[0]
    for line, gamma in zip(top.lines, focal.GAMMAS, strict=True):
        p, loss = np.array(line.get_xydata()).T
        assert loss == pytest.approx(-((1 - p) ** gamma) * np.log(p), rel=1e-4)


def test_shares_of_the_loss_of_four_sure_answers_and_a_wrong_one(no_runs, small_record):
    """Background: 98 answers with p = 0.99 and 2 with p = 0.1; objects: one with p = 0.5."""
    bins = np.linspace(-rectangles.LOGITS, rectangles.LOGITS, rectangles.BINS + 1)
    middle = 1 / (1 + np.exp(-(bins[:-1] + bins[1:]) / 2))
    sure, wrong, even = (int(np.abs(middle - p).argmin()) for p in (0.99, 0.1, 0.5))
    background, objects = [0] * rectangles.BINS, [0] * rectangles.BINS
    background[sure], background[wrong], objects[even] = 98, 2, 1
    runs.write(replace(small_record, result=small_record.result | {"background": background, "objects": objects}))
    for gamma in focal.GAMMAS:
        loss = {bin: (1 - middle[bin]) ** gamma * -math.log(middle[bin]) for bin in (sure, wrong, even)}
        total = 98 * loss[sure] + 2 * loss[wrong]
        assert focal.hardest(gamma, share=2) == pytest.approx(100 * 2 * loss[wrong] / total, rel=1e-6)
        assert focal.background_share(gamma) == pytest.approx(100 * total / (total + loss[even]), rel=1e-6)
    assert figures.values()["focal-answers"]() == "100"
    _, left, right = figures.draw("focal-loss").axes
    assert len(left.lines) == len(right.lines) == len(focal.GAMMAS) + 1  # and the line at one percent


def test_the_trained_detector_shows_what_the_page_says():
    """Focal loss leaves the background's loss to few answers, and the whole loss to the objects."""
    if not runs.load(rectangles.EXPERIMENT):
        pytest.skip("no run record")
    shares = [focal.hardest(gamma) for gamma in focal.GAMMAS]
    assert shares == sorted(shares) and focal.hardest(2.0) > 3 * focal.hardest(0.0)
    assert focal.background_share(0.0) > 50 > focal.background_share(2.0)


def test_published_tables_of_detection():
    losses = dict(figures.tables()["focal-results"].function()[1:])
    assert [float(ap) for ap in losses.values()] == [30.2, 31.1, 32.9, 33.7, 34.0, 32.2]
    (ax,) = figures.draw("retinanet-table3").axes
    assert [float(line.get_xdata()[0]) for line in ax.lines] == [40.8, 41.7, 43.2, 43.8]


def test_learning_is_empty_without_a_run_and_drawn_with_one(no_runs, small_record):
    assert "examples/plot_retinanet.py --run" in texts(figures.draw("retinanet-learns"))
    assert "empty place" in figures.registry()["retinanet-learns"].alt
    assert "examples/plot_retinanet.py --run" in texts(figures.draw("focal-loss"))
    losses = [3.0] * 10 + [1.0] * 10
    record = replace(
        small_record, curve={"step": list(range(1, 21)), "classification": losses, "bbox_regression": losses}
    )
    runs.write(record)
    fig = figures.draw("retinanet-learns")
    losses, *pictures = fig.axes
    assert losses.lines[0].get_ydata().tolist() == [3.0, 1.0]
    assert len(pictures) == 6
    true = [len(target["labels"]) for target in rectangles.held_out()[1][:6]]
    found = [len(answer["labels"]) for answer in record.result["found"]]
    assert [len(ax.patches) for ax in pictures] == [sum(pair) for pair in zip(true, found, strict=True)]
    assert "1 run on CPU" in figures.registry()["retinanet-learns"].measured


def test_the_code_cell_of_the_page_runs_and_shows_five_levels():
    pytest.importorskip("torchvision")
    (cell,) = re.findall(r"```\{code-cell\}\n(.*?)```", PAGE, flags=re.S)
    *lines, last = cell.strip().splitlines()
    names: dict = {}
    exec("\n".join(lines), names)
    assert list(eval(last, names)) == list(detector.LEVELS)


# ---- Rivals --------------------------------------------------------------------------------------------------------


def test_fig_2_is_drawn_point_by_point():
    fig = figures.draw("semi-supervised")
    for ax, (data, methods) in zip(fig.axes, published.FIG2_SEMI.values.items(), strict=True):
        assert ax.get_title(loc="left") == data
        curve, *marks = ax.lines
        assert dict(curve.get_xydata().tolist()) == published.FIG2_BIT_L.values[data]
        assert [dict(line.get_xydata().tolist()) for line in marks] == list(methods.values())


def test_the_lead_of_bit_with_100_labels_of_each_class():
    """BiT-L against MixMatch on CIFAR-100 and ReMixMatch on CIFAR-10, read off Fig. 2 a second time."""
    assert figures.values()["semi-lead-cifar-100"]() == f"{90.71 - 74.12:.0f}" == "17"
    assert figures.values()["semi-lead-cifar-10"]() == f"{98.23 - 94.27:.0f}" == "4"


def test_unlabeled_points_help_in_the_toy():
    alone, together = (float(figures.values()[id]().rstrip("%")) for id in ("toy-labels-alone", "toy-with-unlabeled"))
    assert together > 98 > alone > 60
    assert len(semi.toy()[2]) == 6


def test_sizes_and_errors_are_at_their_places():
    (ax,) = figures.draw("rivals-size").axes
    points = [tuple(line.get_xydata()[0]) for line in ax.lines if len(line.get_xdata()) == 1]
    assert set(points) == {(829, 86.4), (557, 84.4), (66, 84.3), (480, 88.4)}
    assert [line.get_ydata()[-1] for line in ax.lines if len(line.get_xdata()) == 5] == [81.30, 85.39, 87.54]
    (ax,) = figures.draw("rivals-errors").axes
    drawn = {
        round(float(line.get_xdata()[0]), 2)
        for line in ax.lines
        if len(line.get_xdata()) == 1 and line.get_ydata()[0] >= 0
    }
    assert drawn == {12.46, 13.6, 11.6, 0.63, 1.0, 6.49, 8.3, 3.38, 4.1, 2.9, 0.37, 1.2, 2.3, 23.71, 29.5}


@pytest.mark.parametrize(
    "number",
    ["84.3%", "91.7% and 98.8%", "88.4% to 87.5%", "81.3%", "1.5 points", "0.6 more", "1.47 million", "70.5%", "76.3%"],
)
def test_published_numbers_in_the_prose(number):
    """Transcribed a second time from the papers, so that a slip of the pen shows."""
    assert number in " ".join(PAGE.split())


def test_average_precision_is_cocos_on_the_example():
    """COCO's own count: at 101 recalls the best precision at this recall or above, and zero beyond the last."""
    shares = scoring.ranked(scoring.RIGHT, scoring.DOGS)
    assert shares == [(0.25, 1.0), (0.5, 1.0), (0.5, pytest.approx(2 / 3)), (0.75, 0.75)]
    at = [max([p for recall, p in shares if recall >= k / 100], default=0.0) for k in range(101)]
    score = scoring.average_precision(scoring.RIGHT, scoring.DOGS)
    assert score == pytest.approx(sum(at) / 101, abs=0.005) == 0.6875
    assert scoring.average_precision((False, False), 3) == 0 and scoring.average_precision((True,) * 3, 3) == 1
    told = [row[1] for row in figures.tables()["models-average-precision"].function()]
    assert told == ["right?", "yes", "yes", "no", "yes"]


def test_what_the_prose_says_of_vtab_and_objectnet():
    bit, vivi = (published.FIG3.values[name] for name in ("BiT-L", "VIVI-Ex-100%"))
    others = [row for name, row in published.FIG3.values.items() if name != "BiT-L"]
    assert all(bit[group] > row[group] for row in others for group in ("natural", "specialized", "structured"))
    assert 0.4 < bit["structured"] - vivi["structured"] < 0.5 and "VIVI comes within half a point" in " ".join(
        PAGE.split()
    )
    four = [top5 for name, (_, top5) in published.FIG4_BASELINES.values.items() if not name.startswith("Baseline")]
    ours = published.TABLE6.values["top-5, whole image"]["R152x4"]
    flat = " ".join(PAGE.split())
    assert f"(top-5) in {min(four):.0f} to {max(four):.0f}% of the images, BiT-L's in {ours['L']}%" in flat
    assert f"saw the same images as the four, has {ours['S']}%" in flat
