"""Tasks of the project. ``nox`` builds the site; ``nox --list`` names the others.

All sessions share one environment, ``.nox/shared``: PyTorch is large, and once is enough. It is installed again only
when ``pyproject.toml``, ``constraints.txt`` or the Python version changes.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["docs"]
nox.options.default_venv_backend = "none"

ROOT = Path(__file__).parent
ENVIRONMENT = ROOT / ".nox" / "shared"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SITE = ROOT / "docs" / "_build" / "html"
QUIET = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
SPHINX = ("-m", "sphinx", "-d", "docs/_build/doctrees")
STRICT = ("-n", "-W", "--keep-going")
#: Rooms of the package and its rules; without the built site, the examples as scripts, and the commands as processes.
QUICK = (
    "tests/records",
    "tests/data",
    "tests/network",
    "tests/training",
    "tests/exchange",
    "tests/studies",
    "tests/figures",
    "tests/desk",
    "tests/test_house.py",
)


def prepare(session: nox.Session) -> None:
    """Make the shared environment, or bring it up to date."""
    recipe = hashlib.sha256(sys.version.encode())
    for name in ("pyproject.toml", "constraints.txt"):
        recipe.update((ROOT / name).read_bytes())
    stamp = ENVIRONMENT / "installed.txt"
    if PYTHON.exists() and stamp.is_file() and stamp.read_text() == recipe.hexdigest():
        return
    if not PYTHON.exists():
        # virtualenv comes with nox; the standard library's venv is missing from some Linux systems.
        session.run(sys.executable, "-m", "virtualenv", "--quiet", str(ENVIRONMENT), external=True)
    session.log("installing the package and its tools; the first time this downloads PyTorch")
    python(session, "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt", "--editable", ".[dev]")
    stamp.write_text(recipe.hexdigest())


def python(session: nox.Session, *arguments: str, **more: str) -> None:
    """Run Python of the shared environment; ``more`` are environment variables."""
    session.run(str(PYTHON), *arguments, external=True, env={**QUIET, **more})


def build_site(session: nox.Session, *arguments: str) -> None:
    """Build the site; a warning is an error."""
    python(session, *SPHINX, *STRICT, *arguments, "docs", str(SITE))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site and say where it is."""
    prepare(session)
    build_site(session, *session.posargs)
    session.log(f"the site: {(SITE / 'index.html').as_uri()}")


@nox.session
def live(session: nox.Session) -> None:
    """Serve the site, rebuild it when a file is saved, and reload the browser."""
    prepare(session)
    generated = ("docs/_build/*", "docs/gallery/*", "docs/api/generated/*", "*/__pycache__/*")
    ignore = [option for pattern in generated for option in ("--ignore", str(ROOT / pattern))]
    watch = ["--watch", "bitdoc", "--watch", "examples"]
    python(session, "-m", "sphinx_autobuild", *SPHINX[2:], *watch, *ignore, *session.posargs, "docs", str(SITE))


@nox.session
def tests(session: nox.Session) -> None:
    """Test the package, on all cores, and the built site; arguments after -- go to pytest instead."""
    prepare(session)
    if session.posargs:
        python(session, "-m", "pytest", "-m", "not browser", *session.posargs)
        return
    # Side by side, processes would each build the site.
    python(session, "-m", "pytest", "-m", "not browser", "-n", "auto", "--ignore", "tests/site")
    python(session, "-m", "pytest", "-m", "not browser", "tests/site")


@nox.session
def quick(session: nox.Session) -> None:
    """Test what a changed line most likely breaks, on all cores, in under three minutes; arguments go to pytest."""
    prepare(session)
    held = ("-m", "not browser and not slow", "--budget", "20")  # seconds of one core for a test
    python(session, "-m", "pytest", *held, "-n", "auto", *(session.posargs or QUICK))


@nox.session
def browser(session: nox.Session) -> None:
    """Build the site and look at it in a real browser, on all cores; arguments after -- go to pytest."""
    prepare(session)
    build_site(session, "-q")
    # Every process looks at the one site that is there now; what several tests share is made by one process.
    several = ("-n", "auto", "--dist", "loadgroup")
    python(session, "-m", "pytest", "-m", "browser", *several, *session.posargs, BITDOC_SITE=str(SITE))


@nox.session
def pdf(session: nox.Session) -> None:
    """Print the five sections as a report, tell their lengths, and let the site offer it."""
    prepare(session)
    build_site(session, "-q")
    python(session, "docs/_report/report.py", str(SITE), "docs/_build/pdf")
    build_site(session, "-q")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what the performance page shows; takes some minutes and wants an idle machine."""
    prepare(session)
    session.run(str(PYTHON), "tests/benchmarks/bench.py", *session.posargs, external=True)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Try wrong pictures, weights, checkpoints, records and flags for ten minutes; ``-- --minutes 60`` for longer."""
    prepare(session)
    python(session, "tests/fuzz/run.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and spelling."""
    prepare(session)
    failed = []
    for tool in (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("codespell_lib",)):
        try:
            python(session, "-m", *tool)
        except CommandFailed:
            failed.append(tool[0])
    if failed:
        session.error(f"not clean: {', '.join(failed)}")


@nox.session
def linkcheck(session: nox.Session) -> None:
    """Follow every link that leaves the site."""
    prepare(session)
    python(session, *SPHINX, "-b", "linkcheck", *session.posargs, "docs", "docs/_build/linkcheck")
