"""The built site: the fixture that the tests of the pages and the tests in the browser share."""

from __future__ import annotations

import functools
import gzip
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = ("-q", "-n", "-W", "--keep-going", "-d", "docs/_build/doctrees")


def run_sphinx(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Build the site of the checkout ``root`` as ``nox -s docs`` does."""
    command = [sys.executable, "-m", "sphinx", *OPTIONS, *options, "docs", "docs/_build/html"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, encoding="utf-8", errors="replace")


def docs_module(name: str) -> ModuleType:
    """Import a module of the docs, which is no package: ``docs_module("_ext/freshness")``."""
    spec = importlib.util.spec_from_file_location(Path(name).name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def build() -> Path:
    """Return the folder of the site: ``BITDOC_SITE`` if that is set, else built now into ``docs/_build/html``."""
    if given := os.environ.get("BITDOC_SITE"):
        return Path(given).resolve()
    done = run_sphinx(ROOT)
    if done.returncode:
        pytest.fail(f"the site does not build:\n{done.stderr[-6000:]}", pytrace=False)
    return ROOT / "docs" / "_build" / "html"


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    return build()


def pages_of(site: Path) -> list[Path]:
    """All pages of the site that a reader meets, without the sources that the API reference shows."""
    return sorted(p for p in site.rglob("*.html") if not {"_static", "_modules"} & set(p.relative_to(site).parts))


def wire(path: Path) -> int:
    """Bytes of a file as a server sends it: text compressed, pictures as they are."""
    content = path.read_bytes()
    return len(gzip.compress(content)) if path.suffix in {".html", ".css", ".js", ".svg", ".json"} else len(content)
