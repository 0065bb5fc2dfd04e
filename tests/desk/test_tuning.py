"""``bitdoc train``: told first, watched by validation pictures, tested once, taken up where it stopped."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal

import pytest
import torch
from folders import make_pictures

import bitdoc
from bitdoc import data
from bitdoc.desk import bundle, choosing, tuning, upright
from bitdoc.main import main
from bitdoc.records import runs
from bitdoc.training import finetune, session
from bitdoc.training.job import Task
from bitdoc.training.loop import generator
from bitdoc.training.recipe import Recipe

SMALL = ["--model", "R14x0.125", "--side", "32", "--steps", "6", "--batch", "8"]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return make_pictures(
        tmp_path_factory.mktemp("shapes") / "shapes", per_class=40, classes=("circle", "cross", "square")
    )


@pytest.fixture(scope="module")
def divided(shapes):
    """A table that sets ten pictures of each class aside as validation pictures, and ten for the test."""
    rows = ["path,label,split"]
    for kind in ("circle", "cross", "square"):
        files = enumerate(sorted((shapes / kind).iterdir()))
        rows += [f"shapes/{kind}/{file.name},{kind},{('train', 'train', 'val', 'test')[i % 4]}" for i, file in files]
    table = shapes.parent / "divided.csv"
    table.write_text("\n".join(rows))
    return table


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path_factory.getbasetemp() / "tuning-cache"))


def test_a_training_from_order_to_run(shapes, tmp_path, capsys):
    assert main(["train", str(shapes), *SMALL, "--out", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"6 steps of 8 pictures at 32 x 32 pixels, R14x0.125 on cpu in float32: about a", err)
    assert out.startswith("accuracy ")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(
        [bundle.NETWORK, bundle.RECORD, bundle.PAGE, bundle.TABLE, "tensorboard"]
    )
    record, classifier = runs.read(tmp_path / "run" / bundle.RECORD), bitdoc.load(tmp_path / "run")
    # Of the 96 pictures that are not tested none are set aside, because so few could not choose.
    assert record.setting["train_images"] == 96 and record.result["images"] == 24
    assert record.result["kept"]["step"] == 6 and "kept     step 6: the last step" in out
    assert record.setting["mirror"] is True and record.setting["schedule"][-1] == 6
    assert classifier.classes == ("circle", "cross", "square") and classifier.passport.recipe["steps"] == 6
    assert "How it learned" in (tmp_path / "run" / bundle.PAGE).read_text()


def test_a_validation_set_chooses_the_step_and_the_run_says_which(divided, tmp_path, capsys):
    assert main(["train", str(divided), *SMALL, "--steps", "30", "--out", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    assert "up to 10 looks at 30 validation pictures: the last is kept" in err and "kept     step " in out
    record, network = runs.read(tmp_path / "run" / bundle.RECORD), bitdoc.load(tmp_path / "run")
    kept = record.result["kept"]
    best = kept["looks"]["step"].index(kept["step"])
    assert kept["step"] == network.passport.recipe["kept_step"]
    rows = [row for row in csv.DictReader((tmp_path / "run" / bundle.TABLE).open()) if row["side"] == "val"]
    assert record.setting["val_images"] == len(rows) == 30
    with torch.no_grad():
        logits = network(network.preprocess.read([divided.parent / row["path"] for row in rows]))
    labels = torch.tensor([network.classes.index(row["class"]) for row in rows])
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    assert loss == pytest.approx(kept["looks"]["loss"][best], abs=1e-4), "the weights are those of that step"
    page = (tmp_path / "run" / bundle.PAGE).read_text()
    assert f"Step {kept['step']} is kept: {kept['why']}" in page and page.count("second-dot") > len(
        kept["looks"]["step"]
    )


def test_the_shipped_network_is_compared_with_a_probe(shapes, tmp_path):
    line = ["train", str(shapes), "--side", "32", "--steps", "2", "--batch", "4", "--out", str(tmp_path / "run")]
    assert main(line) == 0
    page = (tmp_path / "run" / bundle.PAGE).read_text()
    assert "A linear head alone" in page and "more labels help?" in page


def test_labels_of_the_test_set_decide_nothing(shapes, tmp_path):
    """The networks are the same to the last bit, whatever the labels of the test pictures are."""
    networks, scores = [], []
    for name, turn in (("right", 0), ("wrong", 1)):
        kinds, rows = ("circle", "cross", "square"), ["path,label,split"]
        for kind in kinds:
            for number, path in enumerate(sorted((shapes / kind).glob("*.*"))):
                split = ("train", "train", "val", "test")[number % 4]
                label = kinds[(kinds.index(kind) + turn) % 3] if split == "test" else kind
                rows.append(f"{path},{label},{split}")
        (tmp_path / f"{name}.csv").write_text("\n".join(rows))
        assert (
            main(["train", str(tmp_path / f"{name}.csv"), *SMALL, "--steps", "30", "--out", str(tmp_path / name)]) == 0
        )
        networks.append(bitdoc.load(tmp_path / name))
        scores.append(runs.read(tmp_path / name / bundle.RECORD).result["loss"])
    one, two = networks
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert scores[0] != scores[1]


def test_a_dry_run_measures_and_leaves_nothing(shapes, tmp_path, capsys):
    assert main(["train", str(shapes), *SMALL, "--dry-run", "--out", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    assert "6 steps of 8 pictures" in err and not out and not list(tmp_path.iterdir())


def test_few_pictures_are_cross_validated_and_the_last_network_has_seen_all(shapes, tmp_path, capsys):
    for kind in ("circle", "square"):
        (tmp_path / "few" / kind).mkdir(parents=True)
        for path in sorted((shapes / kind).iterdir())[:10]:
            shutil.copy(path, tmp_path / "few" / kind)
    assert main(["train", str(tmp_path / "few"), *SMALL]) == 0
    assert "pixels, 6 times" in capsys.readouterr().err
    record = runs.read(tmp_path / "few" / "run" / bundle.RECORD)
    assert record.result["images"] == record.setting["test_images"] == record.setting["train_images"] == 20
    assert main(["train", str(tmp_path / "few"), *SMALL, "--examples_per_class", "2", "--subsets", "1"]) == 0
    assert "pixels, 5 times" in capsys.readouterr().err, "with few labels on purpose, no network sees all"
    few = runs.read(tmp_path / "few" / "run" / bundle.RECORD)
    assert few.setting["train_images"] == 4 and few.result["images"] == few.setting["test_images"] == 20
    assert few.setting["test_digest"] == record.setting["test_digest"]


@pytest.mark.parametrize("flags", ["--base_lr nan", "--base_lr 0", "--steps 0", "--recipe other", "--precision int8"])
def test_what_cannot_be_trained_is_refused_before_anything_is_read(shapes, capsys, monkeypatch, flags):
    monkeypatch.setattr("bitdoc.desk.look.survey", lambda *_, **__: pytest.fail("looked"))
    assert main(["train", str(shapes), *flags.split()]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_subsets_of_few_labels(shapes, tmp_path, capsys):
    flags = ["--examples_per_class", "2", "--subsets", "3", "--out", str(tmp_path / "run")]
    assert main(["train", str(shapes), *SMALL, *flags]) == 0
    assert "over 3 subsets: median" in capsys.readouterr().out
    assert runs.read(tmp_path / "run" / bundle.RECORD).setting["train_images"] == 6


def test_a_stopped_training_goes_on(divided, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(choosing, "PATIENCE", 99)
    line = ["train", str(divided), *SMALL]
    assert main([*line, "--out", str(tmp_path / "whole")]) == 0
    steps, call = [], session.Session.__call__

    def interrupted(self, step, lr, loss):
        steps.append(step)
        if step == 2 and len(steps) < 4:
            os.kill(os.getpid(), signal.SIGINT)
        return call(self, step, lr, loss)

    monkeypatch.setattr(session.Session, "__call__", interrupted)
    assert main([*line, "--out", str(tmp_path / "run")]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err and not (tmp_path / "run").exists()
    # A probe in between takes nothing from the training that waits.
    assert main(["probe", *line[1:6], "--out", str(tmp_path / "run")]) == 0
    assert sorted(path.suffix for path in (tmp_path / "run").iterdir()) == [".csv", ".html", ".json", ".safetensors"]
    assert main([*line, "--out", str(tmp_path / "run")]) == 0
    assert steps == [0, 1, 2, 3, 4, 5]
    one, two = (bitdoc.load(tmp_path / name) for name in ("whole", "run"))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    whole, stopped = (runs.read(tmp_path / name / bundle.RECORD) for name in ("whole", "run"))
    assert whole.result["kept"] == stopped.result["kept"] and len(stopped.result["kept"]["looks"]["step"]) > 3
    pages = [(tmp_path / name / bundle.PAGE).read_text() for name in ("whole", "run")]
    drawn = [page[page.index("How it learned") : page.index("What it was trained on")] for page in pages]
    assert drawn[0] == drawn[1], "the curve of the validation pictures is whole"


@pytest.mark.parametrize(("model", "able", "expected"), [("R26x1", True, "bfloat16"), ("R26x1", False, "float32")])
def test_a_wide_network_is_computed_in_bfloat16_where_the_processor_can(shapes, monkeypatch, model, able, expected):
    monkeypatch.setattr("bitdoc.desk.order.has_bfloat16", lambda: able)
    monkeypatch.setattr("bitdoc.desk.order.pick_device", lambda: torch.device("cpu"))
    monkeypatch.setattr("bitdoc.training.engine.pick_device", lambda _: torch.device("cpu"))

    def engine(model, **more):
        return tuning.TrainOrder(shapes, shapes / "x", model=model, **more).engine()

    assert engine(model).precision == expected
    assert engine("R26x0.5").precision == "float32", "on narrow layers it gains nothing"
    assert engine(model, precision="float32").precision == "float32"


def test_a_training_in_bfloat16_says_so(divided, tmp_path, capsys):
    flags = [*SMALL, "--precision", "bfloat16", "--out", str(tmp_path / "run")]
    assert main(["train", str(divided), *flags]) == 0
    assert "on cpu in bfloat16: about" in capsys.readouterr().err
    record = runs.read(tmp_path / "run" / bundle.RECORD)
    assert record.setting["precision"] == "bfloat16"
    assert bitdoc.load(tmp_path / "run").passport.recipe["precision"] == "bfloat16"


def test_two_steps_that_are_measured_change_nothing(shapes, monkeypatch):
    order = tuning.TrainOrder(shapes, shapes / "x", model="R14x0.125", side=32, steps=6, batch=8)
    survey = tuning.look.survey(shapes)
    work = tuning._Work(order, survey, tuning.Engine(), shapes, lambda _: None)
    piece = tuning.pieces(order, survey)[0][0]
    job = work.job(piece)
    before = {name: value.clone() for name, value in job.network.state_dict().items()}
    monkeypatch.setattr(work, "job", lambda _: job)
    work.tell(piece, 1)
    assert all(torch.equal(value, before[name]) for name, value in job.network.state_dict().items())


def arrow(count=6, side=24):
    """Pictures that are dark on the left and bright on the right."""
    pixels = torch.linspace(0, 255, side).byte().expand(count, 3, side, side).clone()
    return data.Images("folder", "train", "made", ("a", "b"), torch.arange(count) % 2, pixels)


@pytest.mark.parametrize("mirror", [True, False])
def test_without_mirror_left_stays_left(mirror):
    task, recipe = Task(arrow(), arrow(), {}), Recipe(24, 20, (0, 4), batch=6)
    batches = (finetune if mirror else upright).micro_batches(task, recipe, 0, torch.device("cpu"))
    rising = []
    for step in range(4):
        (batch,) = batches(step)[0]
        rising += (batch.images[:, 0, 0, -1] > batch.images[:, 0, 0, 0]).tolist()
    assert all(rising) != mirror and any(rising)


def test_unmirrored_crops_are_cut_somewhere_else_each_time():
    images = torch.arange(8 * 3 * 10 * 10).reshape(8, 3, 10, 10)
    cut = upright.crop(images, 7, generator(0))
    assert cut.shape == (8, 3, 7, 7)
    corners = {int(c[0, 0, 0] - i[0, 0, 0]) for c, i in zip(cut, images, strict=True)}
    assert len(corners) > 2 and max(corners) <= 33
