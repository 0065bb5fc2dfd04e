"""The caches see what their pages depend on: a changed package changes the page, and no change costs no time."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from built_site import ROOT, docs_module, run_sphinx

PAGE = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# Page

A cell and a figure.

```{code-cell}
from bitdoc.figures import tiny
print("the package says", tiny.NUMBER)
```

```{bit-figure} tiny
```

```{bit-table} tiny
```

The value is {bit-value}`tiny`.

```{toctree}
gallery/index
api/index
```
"""
FIGURES = '''"""One figure."""
from bitdoc.figures import figure, style, table, value
NUMBER = 1234
@figure("tiny", caption="Caption.", alt="A line.")
def tiny():
    fig, ax = style.new()
    ax.set_title(f"title {NUMBER}")
    return fig
@table("tiny", caption="A table.")
def rows():
    return [["Name", "Number"], ["cell", str(NUMBER)]]
@value("tiny")
def number():
    return f"value {NUMBER}"
'''
SCRIPT = '''"""
Example
=======

A script.
"""
from bitdoc.figures import tiny
print("the script says", tiny.NUMBER)
figure = tiny.tiny()
'''
TITLED = "Title\n=====\n\nText.\n"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and of the build's machinery, with one page, one figure and one example.

    It stands where a home may: in a folder whose name holds a space and an umlaut.
    """
    root = tmp_path_factory.mktemp("checkout") / "Frau Müller"
    package = root / "bitdoc"
    (package / "figures").mkdir(parents=True)
    (package / "__init__.py").write_text('"""A copy."""\n', encoding="utf-8")
    for name in ("__init__.py", "register.py", "style.py"):
        text = (ROOT / "bitdoc" / "figures" / name).read_text(encoding="utf-8")
        text = re.sub(r"^PAGES = \([^)]*\)", 'PAGES = ("tiny",)', text, flags=re.MULTILINE)
        (package / "figures" / name).write_text(text, encoding="utf-8")
    (package / "figures" / "tiny.py").write_text(FIGURES, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "_ext", root / "docs" / "_ext", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_static", "_templates", "_fonts"):
        shutil.copytree(ROOT / "docs" / name, root / "docs" / name)
    for name in ("conf.py", "references.bib"):
        shutil.copy(ROOT / "docs" / name, root / "docs" / name)
    (root / "docs" / "index.md").write_text(PAGE, encoding="utf-8")
    (root / "docs" / "api").mkdir()
    (root / "docs" / "api" / "index.rst").write_text(TITLED, encoding="utf-8")
    (root / "examples").mkdir()
    (root / "examples" / "GALLERY_HEADER.rst").write_text(TITLED, encoding="utf-8")
    (root / "examples" / "plot_tiny.py").write_text(SCRIPT, encoding="utf-8")
    return root


def built(root: Path) -> dict[str, bytes]:
    """Build, and return the page, the example's page and the figure."""
    done = run_sphinx(root)
    assert done.returncode == 0, done.stderr[-4000:]
    site = root / "docs" / "_build" / "html"
    names = ("index.html", "gallery/plot_tiny.html", "_images/tiny-light.svg", "_images/tiny-dark.svg")
    return {name: (site / name).read_bytes() for name in names}


def renumber(root: Path, old: str, new: str) -> None:
    """Change the number in the package, nothing else."""
    path = root / "bitdoc" / "figures" / "tiny.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_change_in_the_package_reaches_every_output(checkout: Path) -> None:
    before = built(checkout)
    page = before["index.html"].decode()
    for shown in ("the package says 1234", "<p>1234</p>", "value 1234"):
        assert shown in page
    assert b"the script says 1234" in before["gallery/plot_tiny.html"]

    renumber(checkout, "1234", "5678")
    after = built(checkout)
    page = after["index.html"].decode()
    for shown in ("the package says 5678", "<p>5678</p>", "value 5678"):
        assert shown in page
    assert b"the script says 5678" in after["gallery/plot_tiny.html"]
    for name in ("_images/tiny-light.svg", "_images/tiny-dark.svg"):
        assert before[name] != after[name], name


def test_build_without_change_runs_nothing(checkout: Path) -> None:
    built(checkout)
    page = checkout / "docs" / "_build" / "html" / "index.html"
    written = page.stat().st_mtime_ns
    before = sum(os.times()[2:4])
    built(checkout)
    # Seconds of processor time (0 on Windows, which does not tell), so that a busy machine does not fail the test.
    assert sum(os.times()[2:4]) - before < 20
    assert page.stat().st_mtime_ns == written


def test_unknown_id_and_failing_cell_fail_the_build(checkout: Path) -> None:
    path = checkout / "docs" / "index.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("{bit-figure} tiny", "{bit-figure} tinny"), encoding="utf-8")
    done = run_sphinx(checkout)
    assert done.returncode != 0
    assert "no figure is called 'tinny'; the figures are: tiny" in done.stderr
    assert run_sphinx(checkout).returncode != 0, "the warning is forgotten"
    path.write_text(text.replace("tiny.NUMBER)", "tiny.MISSING)"), encoding="utf-8")
    done = run_sphinx(checkout)
    assert done.returncode != 0
    assert "MISSING" in done.stderr
    assert run_sphinx(checkout).returncode != 0, "the failure is forgotten"
    path.write_text(text, encoding="utf-8")


def test_failing_example_fails_every_build(checkout: Path) -> None:
    built(checkout)
    package = checkout / "bitdoc" / "figures" / "tiny.py"
    text = package.read_text(encoding="utf-8")
    package.write_text(text.replace("def tiny():", "def tiny(missing=None):\n    missing.sign"), encoding="utf-8")
    for _ in range(2):
        done = run_sphinx(checkout)
        assert done.returncode != 0
        assert "plot_tiny.py" in done.stderr
    package.write_text(text, encoding="utf-8")


def test_digest_sees_code_results_and_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = docs_module("_ext/freshness")
    (tmp_path / "bitdoc" / "results").mkdir(parents=True)
    code, record = tmp_path / "bitdoc" / "a.py", tmp_path / "bitdoc" / "results" / "run.json"
    seen = [module.digest(tmp_path)]
    code.write_bytes(b"x = 1\n")
    seen.append(module.digest(tmp_path))
    code.write_bytes(b"x = 2\n")
    seen.append(module.digest(tmp_path))
    record.write_bytes(b"{}")
    seen.append(module.digest(tmp_path))
    (tmp_path / "bitdoc" / "batch.png").write_bytes(b"a picture")
    seen.append(module.digest(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "run.json").write_bytes(b"{}")
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path / "elsewhere"))
    seen.append(module.digest(tmp_path))
    monkeypatch.setattr(module, "version", lambda name: "0")
    seen.append(module.digest(tmp_path))
    assert len(set(seen)) == len(seen)
    code.write_bytes(b"x = 2\r\n")
    assert module.digest(tmp_path) == seen[-1], "line ends of Windows make no difference"


def test_cache_keeps_the_newest_three(tmp_path: Path) -> None:
    module = docs_module("_ext/freshness")
    for name in ("a", "b", "c", "d"):
        module.cache_folder(tmp_path, name)
        time.sleep(0.02)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c", "d"]
