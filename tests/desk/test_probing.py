"""``bitdoc probe`` as a user meets it: from a folder of pictures to a run that can be given away."""

from __future__ import annotations

import csv
import re
import shutil
import time

import pytest
import torch
from folders import make_pictures

import bitdoc
from bitdoc.desk import bundle, probing
from bitdoc.main import main
from bitdoc.records import runs


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("shapes") / "shapes", per_class=24)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path_factory.getbasetemp() / "probing-cache"))


@pytest.fixture(scope="module")
def run(shapes, tmp_path_factory):
    """The run of one probe, for all tests of what is in it."""
    patch = pytest.MonkeyPatch()
    patch.setenv("BITDOC_CACHE", str(tmp_path_factory.getbasetemp() / "probing-cache"))
    assert main(["probe", str(shapes)]) == 0
    patch.undo()
    return shapes / "run"


def test_the_network_says_what_the_table_says(run, shapes):
    classifier = bitdoc.load(run)
    assert classifier.classes == ("circle", "cross", "square", "stripes", "triangle")
    rows = [row for row in csv.DictReader((run / bundle.TABLE).open()) if row["said"]]
    assert len(rows) == 25 and {row["side"] for row in rows} == {"test"}
    with torch.no_grad():
        shares = classifier(classifier.preprocess.read([shapes / row["path"] for row in rows])).softmax(1)
    for row, found in zip(rows, shares, strict=True):
        assert row["said"] == classifier.classes[found.argmax()]
        assert float(row["probability"]) == pytest.approx(found.max().item(), abs=1e-3)


def test_it_tells_shapes_apart(run):
    record = runs.read(run / bundle.RECORD)
    assert record.result["top1"] > 60 and record.result["images"] == 25
    assert record.setting["method"] == "linear-probe" and record.setting["train_images"] == 95
    low, high = record.result["interval"]
    assert low < record.result["top1"] <= high


def test_the_file_says_what_it_is(run):
    passport = bitdoc.load(run).passport
    assert passport.license == "MIT" and passport.origin == "BiT-T-R26x0.5" and passport.side == 64
    assert passport.recipe["method"] == "linear probe" and passport.recipe["pictures"] == 120


def test_the_page_needs_no_other_file(run, shapes):
    page = (run / bundle.PAGE).read_text()
    for part in ("right (95 % interval", "Which classes", "most certain mistakes", "believed?", "more labels help?"):
        assert part in page
    for address in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert address.startswith("data:")
    assert str(shapes) not in page, "a page that is given away names no folder of its owner"


def test_nothing_of_the_owners_folders_is_given_away(run, shapes):
    for file in run.iterdir():
        assert str(shapes).encode() not in file.read_bytes(), file.name


def test_a_second_probe_computes_no_features(run, shapes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(probing, "_seconds_each", lambda *_: pytest.fail("computed again"))
    assert main(["probe", str(shapes), "--out", str(tmp_path / "again")]) == 0
    assert "all 120 are kept from before" in capsys.readouterr().err
    one, two = ((folder / bundle.NETWORK).read_bytes() for folder in (run, tmp_path / "again"))
    assert one == two


def test_a_dry_run_tells_the_time_and_leaves_nothing(shapes, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    assert main(["probe", str(shapes), "--dry-run", "--out", str(tmp_path / "never")]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"120 pictures, about (a|\d+) (second|minute)", err) and not out
    assert not (tmp_path / "never").exists()


def test_few_labels(shapes, tmp_path, capsys):
    line = ["probe", str(shapes), "--examples-per-class", "3", "--subsets", "4", "--out", str(tmp_path / "few")]
    assert main(line) == 0
    assert "over 4 subsets: median" in capsys.readouterr().out
    assert len(runs.read(tmp_path / "few" / bundle.RECORD).result["subsets"]) == 4
    assert main([*line[:3], "99"]) == 2
    assert "99 examples per class asked for, but 'circle' has 19 to train on" in capsys.readouterr().err


def test_few_pictures_are_cross_validated(shapes, tmp_path):
    for kind in ("circle", "square", "stripes"):
        (tmp_path / "few" / kind).mkdir(parents=True)
        for path in sorted((shapes / kind).iterdir())[:10]:
            shutil.copy(path, tmp_path / "few" / kind)
    assert main(["probe", str(tmp_path / "few")]) == 0
    record = runs.read(tmp_path / "few" / "run" / bundle.RECORD)
    assert record.result["images"] == 30 and "cross-validation" in record.setting["sides"]
    assert "in cross-validation" in (tmp_path / "few" / "run" / bundle.PAGE).read_text()


REFUSED = {
    "--model BiT-M-R51x1": "unknown model 'BiT-M-R51x1'",
    "--model BiT-L-R50x1": "BiT-L was never released",
    "--side 3": "a network cannot see pictures of 3 pixels",
    "--seed x": "'x' is not a valid integer",
    "--out {shapes}": "is there and is no run",
    "--weights_dir {shapes}/none": "no folder",
}


@pytest.mark.parametrize("flags", REFUSED)
def test_what_cannot_be_done_is_refused_before_anything_is_read(shapes, capsys, monkeypatch, flags):
    monkeypatch.setattr("bitdoc.desk.look.survey", lambda *_, **__: pytest.fail("looked"))
    assert main(["probe", str(shapes), *flags.format(shapes=shapes).split()]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and REFUSED[flags] in err


def test_faults_are_all_listed_and_nothing_is_made(shapes, tmp_path, capsys):
    shutil.copytree(shapes, tmp_path / "bad", ignore=shutil.ignore_patterns("run"))
    for name in ("circle/000.jpg", "square/002.bmp"):
        (tmp_path / "bad" / name).write_bytes(b"nothing")
    assert main(["probe", str(tmp_path / "bad")]) == 2
    err = capsys.readouterr().err
    assert "2 faults" in err and "000.jpg" in err and "002.bmp" in err
    assert not (tmp_path / "bad" / "run").exists() and "--leave-out does without" in err
    assert main(["probe", str(tmp_path / "bad"), "--leave-out"]) == 0
    assert "118 pictures in 5 classes (2 that cannot be read are left out)" in capsys.readouterr().err


@pytest.mark.slow
def test_from_pictures_to_predictions_in_three_minutes(tmp_path, monkeypatch, capsys):
    """Five classes of forty pictures in eight formats; installing is the first of the four commands."""
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    root = make_pictures(tmp_path / "my_pictures")
    began = time.process_time()
    assert [main(line) for line in (["look", str(root)], ["probe", str(root)])] == [0, 0]
    new = make_pictures(tmp_path / "new", per_class=8, seed=1)
    capsys.readouterr()
    assert main(["predict", str(root / "run"), str(new), "--to", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    right = sum(row["class"] in row["path"] for row in rows)
    assert len(rows) == 40 and right > 30
    assert time.process_time() - began < 180
