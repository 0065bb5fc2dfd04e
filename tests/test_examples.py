"""Every example runs as a script, in a folder where nothing is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from built_site import ROOT

SCRIPTS = sorted((ROOT / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_code_fits_its_page(script: Path) -> None:
    """A page shows 90 signs of a line; prose (comments, and the text above) is set by the page."""
    text, code = re.split(r"(?<=\n)\"{3}\n", script.read_text(encoding="utf-8"), maxsplit=1)
    commands = [line.strip() for line in text.splitlines() if line.startswith("   ")]
    lines = [line for line in code.splitlines() if not line.startswith("#")]
    assert len(lines) > 10
    assert not [line for line in commands + lines if len(line) > 90]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example_runs_alone(script: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg", "TQDM_DISABLE": "1"}
    environment |= {"OMP_NUM_THREADS": "1", "HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "settings")}
    environment.pop("BITDOC_DATA", None)
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, str(script)], cwd=work, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    left = {path.suffix for path in work.rglob("*") if path.is_file()}
    assert left == {".png"}, "an example leaves pictures, and nothing else"
