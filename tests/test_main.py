"""The command ``bitdoc``: help, errors of one line, exit statuses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from built_site import ROOT
from folders import make_pictures

from bitdoc.main import main


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))


def test_help_shows_how_it_is_used(capsys):
    assert main([]) == 0
    assert "bitdoc look my_pictures" in capsys.readouterr().out
    assert main(["look", "--help"]) == 0
    assert "Examples:" in capsys.readouterr().out


REFUSED = {
    "look": "Missing argument 'PICTURES'.",
    "lok": "No such command 'lok'.",
    "look --fast x": "No such option",
    "predict nowhere x.jpg": "no run nowhere; expected a folder with model.safetensors",
    "look nowhere": "no folder nowhere; expected one that holds nowhere/<class>/<picture>",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_done_is_one_line_and_status_2(line, capsys):
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith("error: ") and err.count("\n") == 1 and REFUSED[line] in err


def test_look_ends_with_1_where_there_are_faults(tmp_path, capsys):
    root = make_pictures(tmp_path / "s", per_class=2)
    assert main(["look", str(root)]) == 0
    (root / "cross" / "000.jpg").write_bytes(b"")
    assert main(["look", str(root)]) == 1
    assert "fault   " in capsys.readouterr().out


def test_a_shell_completes_names():
    def completed(*words):
        told = {"_BITDOC_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        call = [sys.executable, "-m", "bitdoc"]
        done = subprocess.run(call, env=os.environ | told | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
        return [line.partition(",")[2] for line in done.stdout.split()]

    assert completed("bitdoc", "pr") == ["probe", "predict"]
    assert completed("bitdoc", "probe", "--model", "BiT-M-R50") == ["BiT-M-R50x1", "BiT-M-R50x3"]
