"""What is said of a folder before anything is trained."""

from __future__ import annotations

import pytest
from folders import make_pictures
from PIL import Image

from bitdoc.desk import look
from bitdoc.training.command import Refused


@pytest.fixture
def shapes(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    return make_pictures(tmp_path / "shapes", per_class=24)


def told(root):
    return "\n".join(look.text(look.survey(root)))


def test_the_whole_is_told(shapes):
    text = told(shapes)
    assert "120 pictures in 5 classes (JPEG 30, PNG 15" in text
    assert "circle        15       4       5" in text
    assert "split by a hash of each file" in text and "fault" not in text and "notice" not in text


def test_the_size_is_the_median_not_the_first(shapes):
    Image.new("RGB", (60, 45)).save(shapes / "circle" / "0000.png")
    result = look.survey(shapes)
    assert min(result.size) > 60
    assert "from 60 x 45" in told(shapes)


def test_all_faults_at_once_and_nothing_is_trained(shapes):
    (shapes / "circle" / "000.jpg").write_bytes(b"")
    (shapes / "square" / "002.bmp").write_bytes(b"BM")
    (shapes / "empty").mkdir()
    result = look.survey(shapes)
    assert len(result.found.faults) == 3 and told(shapes).count("fault ") == 3
    with pytest.raises(Refused, match="3 faults in .*nothing was trained\n  - empty: no pictures"):
        result.refuse()


def test_unequal_classes_and_contradictions_are_noticed(shapes):
    for path in sorted((shapes / "cross").iterdir())[5:]:
        path.unlink()
    (shapes / "square" / "copy.png").write_bytes((shapes / "circle" / "001.png").read_bytes())
    text = told(shapes)
    assert "classes are unequal: 25 of 'square', 5 of 'cross'" in text
    assert "near-duplicates under different labels (circle, square): circle/001.png, square/copy.png" in text


def test_copies_across_given_splits_are_noticed(shapes):
    for split in ("train", "test"):
        (shapes / split).mkdir()
    for kind in ("circle", "cross", "square", "stripes", "triangle"):
        (shapes / "test" / kind).mkdir()
        (shapes / kind / "001.png").rename(shapes / "test" / kind / "1.png")
        (shapes / kind).rename(shapes / "train" / kind)
    (shapes / "train" / "cross" / "copy.png").write_bytes((shapes / "test" / "cross" / "1.png").read_bytes())
    text = told(shapes)
    assert "2 near-duplicates stand on both sides of train and test" in text
    assert "split as the folders say; val is a part of train" in text


def test_few_pictures_are_cross_validated(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    result = look.survey(make_pictures(tmp_path / "shapes", per_class=10))
    assert sorted(set(result.folds)) == [0, 1, 2, 3, 4] and set(result.sides) == {"train"}
    assert "each is tested once, by cross-validation" in result.how
