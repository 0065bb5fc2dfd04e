"""Every command that the README and the guide show is one that works.

``nox`` commands are those that ``.ci/run`` runs on every change, ``pip`` asks for extras that exist, and scripts that
only draw are run. What trains, or needs the network, is asked for its ``--help`` with the flags as shown: the parser
refuses a wrong value, and each flag has to be among those that it names. A command of any other kind fails this test.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from built_site import ROOT

DOCUMENTS = ("README.md", "docs/own-pictures.md", "docs/run-it.md", "docs/performance.md", "CONTRIBUTING.md")
BLOCK = re.compile(r"^(`{3,}|~{3,})(?:bash|powershell|console)\n(.*?)^\1", re.MULTILINE | re.DOTALL)
#: Programs that start others, and the modules behind them.
LAUNCHERS = {"torchrun": "torch.distributed.run", "accelerate": "accelerate.commands.accelerate_cli"}
INLINE = re.compile(r"`(python (?:-m |examples/)[^`]+)`")


def commands(document: str) -> list[str]:
    """Command lines of a document, those in a sentence included; continued lines are joined."""
    path = ROOT / document
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    shown = [line for block in BLOCK.finditer(text) for line in _lines(block[2])]
    shown += [" ".join(match[1].split()) for match in INLINE.finditer(BLOCK.sub("", text))]
    return [part.strip() for line in dict.fromkeys(shown) for part in line.split("&&")]


def _lines(block: str) -> list[str]:
    joined = re.sub(r"[\\`]\n\s*", " ", block)
    # A # begins a comment; $VARIABLES of an example line are left alone.
    return [" ".join(line.split("  #")[0].split()) for line in joined.splitlines() if line.strip() and line[0] != "#"]


# The same command in two documents, or with the slashes of Windows, is tested once.
CASES = list({c.replace("\\", "/"): (document, c) for document in DOCUMENTS for c in commands(document)}.values())


def test_commands_are_found() -> None:
    assert len({document for document, _ in CASES}) >= 3
    assert any("bitdoc.train" in command for _, command in CASES)


@pytest.mark.parametrize(("document", "command"), CASES, ids=[f"{d}: {c}"[:90] for d, c in CASES])
def test_command_works(document: str, command: str, tmp_path: Path) -> None:
    words = shlex.split(command.replace("\\", "/"))
    if words[0] in LAUNCHERS:  # that they start two processes is tested in test_engine.py
        words = _check_launcher(words, tmp_path)
    if words[0] == "bitdoc":
        words = ["python", "-m", *words]
    assert words[0] == "python", f"say in this test how {words[0]} is tested"
    program, arguments = (words[1:3], words[3:]) if words[1] == "-m" else (words[1:2], words[2:])
    if program[-1] == "pip":
        _check_pip(arguments)
    elif program[-1] == "nox":
        assert set(arguments[arguments.index("-s") + 1 :]) <= sessions()
    elif program == ["-c"] or (program[0].startswith("examples/") and not {"--run", "--check"} & set(arguments)):
        # The script itself: without --run or --check it only draws.
        done = run([*program, *arguments], tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
    else:
        assert program[-1].startswith(("bitdoc", "examples/")), f"say in this test how {program} is tested"
        done = run([*program, *arguments, "--help"], tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        _check_flags(arguments, done.stdout)


def _check_flags(arguments: list[str], told: str) -> None:
    for flag in (word for word in arguments if word.startswith("--")):
        assert re.search(rf"(?<![\w-]){flag}(?![\w-])", told), f"there is no {flag}"


def _check_launcher(words: list[str], folder: Path) -> list[str]:
    """Check the flags of a program that starts a script in several processes; return the command it starts."""
    script = next(place for place, word in enumerate(words) if word.endswith(".py"))
    module = LAUNCHERS[words[0]]
    if importlib.util.find_spec(module.split(".")[0]):
        done = run(["-m", module, *(["launch"] if "launch" in words else []), "--help"], folder)
        assert done.returncode == 0, done.stderr[-2000:]
        _check_flags(words[1:script], done.stdout)
    return ["python", *words[script:]]


def _check_pip(arguments: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert arguments[0] == "install"
    for asked in re.findall(r"\[([\w,]+)\]", " ".join(arguments)):
        assert set(asked.split(",")) <= set(extras)


@cache
def sessions() -> set[str]:
    text = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    return set(re.findall(r"@nox\.session\ndef (\w+)", text))


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    if words[0].startswith("examples/"):
        words = [str(ROOT / words[0]), *words[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )


def test_the_readme_builds_and_tests_as_ci_does() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for session in ("docs", "tests"):
        assert any(command.endswith(f"nox -s {session}") for command in commands("README.md"))
        assert f"nox -s {session}" in script
