"""New pictures: from files, folders, patterns and standard input, into three forms."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import pytest
import torch
from built_site import ROOT
from folders import make_pictures

from bitdoc import exchange
from bitdoc.desk import bundle, predict
from bitdoc.main import main
from bitdoc.training.command import Refused


@pytest.fixture
def run(tmp_path, tiny):
    passport = exchange.Passport("R14x0.125", ("a", "b", "c", "d", "long name"), 32, "bicubic")
    exchange.save(tiny, tmp_path / "run" / bundle.NETWORK, passport)
    return tmp_path / "run"


@pytest.fixture
def new(tmp_path):
    return make_pictures(tmp_path / "new", per_class=3, classes=("circle", "square"))


def test_probabilities_are_the_networks(run, new):
    classifier, paths = bundle.load(run), sorted(new.rglob("*.*"))
    with torch.no_grad():
        shares = classifier(torch.stack([classifier.preprocess(path) for path in paths])).softmax(1)
    found = list(predict.predict(classifier, paths, top=2, batch=4))
    assert [one.path for one in found] == paths
    for one, row in zip(found, shares, strict=True):
        best = row.topk(2)
        assert [name for name, _ in one.best] == [classifier.classes[i] for i in best.indices]
        assert [share for _, share in one.best] == pytest.approx(best.values.tolist(), abs=1e-3)


def test_files_folders_patterns_and_names_on_standard_input(new):
    names = sorted(str(path) for path in new.rglob("*.*"))
    assert [str(p) for p in predict.named([str(new)], [])] == names
    assert [str(p) for p in predict.named([str(new / "*" / "*.jpg")], [])] == [n for n in names if n.endswith("jpg")]
    assert [str(p) for p in predict.named([names[0], "-"], [f"{names[1]}\n", "\n"])] == names[:2]
    for name in (str(new / "gone.jpg"), str(new / "*.webp"), str(new.parent / "empty")):
        (new.parent / "empty").mkdir(exist_ok=True)
        with pytest.raises(Refused, match="no picture"):
            list(predict.named([name], []))


def test_a_table_for_people(run, new, capsys):
    assert main(["predict", str(run), str(new / "circle")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(" %  " in line and line.endswith(tuple("012jpgngbmp")) for line in lines)


def test_csv_for_spreadsheets(run, new, capsys):
    assert main(["predict", str(run), str(new), "--to", "csv", "--top", "9"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 6 and "class_5" in rows[0] and "class_6" not in rows[0]
    shares = [float(value) for name, value in rows[0].items() if name.startswith("probability")]
    assert sum(shares) == pytest.approx(1, abs=1e-3) and shares == sorted(shares, reverse=True)


def test_a_picture_that_cannot_be_read_stops_no_other(run, new, capsys, monkeypatch):
    (new / "circle" / "001.png").write_bytes(b"no picture")
    assert main(["predict", str(run), str(new), "--to", "jsonl", "--top", "2"]) == 1
    out, err = capsys.readouterr()
    told = [json.loads(line) for line in out.splitlines()]
    assert len(told) == 5 and [one["class"] for one in told] == [one["top"][0]["class"] for one in told]
    assert err.count("\n") == 1 and err.startswith("error: ") and "001.png" in err


@pytest.mark.slow
def test_who_reads_may_stop_reading(run, new):
    call = f"{sys.executable} -m bitdoc predict {run} {new} {new} | head -n 1"
    done = subprocess.run(call, shell=True, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.stdout.count("\n") == 1 and done.stderr == ""
