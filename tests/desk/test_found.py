"""What lies in a user's folder or table: layouts that are understood, and every fault at once."""

from __future__ import annotations

import pytest
from folders import make_folders, make_pictures

from bitdoc.desk import found
from bitdoc.training.command import Refused


def test_class_folders_alone(tmp_path):
    root = make_pictures(tmp_path / "shapes", per_class=2)
    (root / "run").mkdir()
    (root / "run" / "model.safetensors").write_bytes(b"")  # what an earlier command left
    told = found.find(root)
    assert told.classes == ("circle", "cross", "square", "stripes", "triangle")
    assert len(told.pictures) == 10 and told.given == () and not told.faults and not told.left


def test_given_splits_are_honored(tmp_path):
    make_folders(tmp_path)
    (tmp_path / "test").rename(tmp_path / "valid")
    told = found.find(tmp_path)
    assert told.given == ("train", "val") and told.classes == ("cat", "dog") and not told.faults


def test_a_class_may_be_called_train(tmp_path):
    make_pictures(tmp_path / "s", per_class=2, classes=("circle", "square"))
    (tmp_path / "s" / "circle").rename(tmp_path / "s" / "train")
    told = found.find(tmp_path / "s")
    assert told.classes == ("square", "train") and told.given == ()


@pytest.mark.parametrize(("mark", "head"), [(",", "path,label"), (";", "File;Class"), ("\t", "filename\tcategory")])
def test_a_table(tmp_path, mark, head):
    make_pictures(tmp_path / "s", per_class=2, classes=("circle", "square"))
    rows = [f"s/{kind}/{file}{mark}{kind}" for kind in ("circle", "square") for file in ("000.jpg", "001.png")]
    (tmp_path / "t.csv").write_text("\n".join([head, *rows, ""]))
    told = found.find(tmp_path / "t.csv")
    assert [p.label for p in told.pictures] == ["circle", "circle", "square", "square"] and not told.faults


def test_all_faults_of_a_table_are_listed(tmp_path):
    make_pictures(tmp_path / "s", per_class=1, classes=("circle", "square"))
    rows = ["path,label,split", "s/circle/000.jpg,round,train", "gone.jpg,round,", ",flat,", "s/square/000.jpg,flat,x"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    faults = found.find(tmp_path / "t.csv").faults
    assert faults == [
        "t.csv, line 3: there is no file gone.jpg",
        "t.csv, line 4: no path",
        "t.csv, line 5: unknown split 'x', expected train, val or test",
    ]


def test_faults_of_folders(tmp_path):
    make_folders(tmp_path, classes=("cat", "dog"))
    make_pictures(tmp_path / "more", per_class=1, classes=("circle",))
    (tmp_path / "more" / "circle").rename(tmp_path / "test" / "cow")
    assert found.find(tmp_path).faults == ["test has classes that train has not: cow"]
    (tmp_path / "train" / "pig" / "deeper").mkdir(parents=True)
    (tmp_path / "train" / "cat" / "0.png").rename(tmp_path / "train" / "pig" / "deeper" / "0.png")
    assert found.find(tmp_path).faults == [
        "train/pig: no pictures in this class folder; its pictures lie one folder deeper"
    ]


def test_one_class_is_too_few(tmp_path):
    make_pictures(tmp_path / "s", per_class=2, classes=("circle",))
    (fault,) = found.find(tmp_path / "s").faults
    assert "one class, 'circle'; expected two classes or more" in fault


def test_one_picture_cannot_both_teach_and_test(tmp_path):
    make_pictures(tmp_path / "s", per_class=1, classes=("circle", "square"))
    (fault,) = found.find(tmp_path / "s").faults
    assert "only one picture of circle, square" in fault
    make_pictures(tmp_path / "t" / "train", per_class=1, classes=("circle", "square"))
    make_pictures(tmp_path / "t" / "test", per_class=1, classes=("circle", "square"))
    assert not found.find(tmp_path / "t").faults


@pytest.mark.parametrize("name", ["gone", "t.csv"])
def test_what_is_neither_folder_nor_table_is_refused(tmp_path, name):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Refused, match="expected"):
        found.find(tmp_path / name)
