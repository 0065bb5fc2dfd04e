"""The pictures to try the command on, and the page that is made with them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from built_site import ROOT

from bitdoc.data import pictures
from bitdoc.desk import found, sample


def test_a_folder_as_a_user_has_it(tmp_path):
    told = found.find(sample.make(tmp_path))
    assert told.classes == sample.CLASSES and len(told.pictures) == 195 and not told.faults
    new = sorted((tmp_path / "new").iterdir())
    assert [path.name for path in new] == [f"{n}.png" for n in range(1, 6)]
    every = [pictures.read(one.path) for one in told.pictures]
    for path in new:
        assert not any(np.array_equal(pictures.read(path), other) for other in every), "what is new was not seen"


def test_nothing_is_written_over(tmp_path, capsys):
    assert sample.main([str(tmp_path)]) == 0
    assert sample.main([str(tmp_path)]) == 2
    assert "is there already; name another folder" in capsys.readouterr().err


def test_every_command_that_the_page_runs_stands_above_its_output():
    page = (ROOT / "docs" / "own-pictures.md").read_text(encoding="utf-8")
    run = re.findall(r'^sample\.shown\("(.*)"\)$', page, re.MULTILINE)
    assert len(run) == 6
    for line in run:
        assert f"```bash\n{line}\n```" in page


def test_output_and_notes_are_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    sample.make(tmp_path)
    sample.shown("bitdoc look my_pictures")
    assert "195 pictures in 5 classes" in capsys.readouterr().out


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
