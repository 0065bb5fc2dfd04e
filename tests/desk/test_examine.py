"""Near-duplicates are found, other pictures are not; a cache is read, and done without."""

from __future__ import annotations

import numpy as np
import pytest
from folders import drawn
from PIL import Image

from bitdoc.desk import examine


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(1)
    for i, shape in enumerate(("circle", "square", "cross", "circle", "square")):
        drawn(shape, rng).save(tmp_path / f"{i}.png")
    return [tmp_path / f"{i}.png" for i in range(5)]


def test_copies_are_found_and_others_are_not(files, tmp_path):
    with Image.open(files[1]) as image:
        image.save(tmp_path / "poor.jpg", quality=30)
        image.resize((48, 36)).save(tmp_path / "small.gif")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirror.png")
    (tmp_path / "same.png").write_bytes(files[3].read_bytes())
    paths = [*files, *(tmp_path / name for name in ("poor.jpg", "small.gif", "mirror.png", "same.png"))]
    assert examine.duplicates(examine.examine(paths)) == [[1, 5, 6], [3, 8]]


def test_flat_pictures_are_not_all_alike(tmp_path, files):
    for shade in (10, 200):
        Image.new("RGB", (20, 20), (shade,) * 3).save(tmp_path / f"flat{shade}.png")
    assert not examine.duplicates(examine.examine([tmp_path / "flat10.png", tmp_path / "flat200.png"]))


def test_of_nothing_there_are_no_copies():
    assert examine.duplicates([]) == []


def test_what_cannot_be_read_is_told_in_its_place(files, tmp_path):
    files[2].write_bytes(files[2].read_bytes()[:200])
    (tmp_path / "text.jpg").write_text("no picture")
    seen = examine.examine([*files, tmp_path / "text.jpg"])
    assert [isinstance(one, str) for one in seen] == [False, False, True, False, False, True]
    assert "2.png cannot be read as an image" in seen[2] and "text.jpg cannot be read" in seen[5]


def test_a_picture_is_read_once_and_again_when_it_changed(files, monkeypatch):
    first = examine.examine(files)
    monkeypatch.setattr(examine, "see", lambda path: pytest.fail("read again"))
    assert examine.examine(files) == first
    monkeypatch.undo()


def test_a_damaged_cache_is_done_without(files, tmp_path):
    first = examine.examine(files)
    for file in tmp_path.glob("**/looked/*.json"):
        file.write_text('{"a": 3, "' + str(files[0]) + '": [1, 2')
    assert examine.examine(files) == first
