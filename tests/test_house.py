"""The rules of the house: which module may import which, how long files and functions may be, what importing does."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import bitdoc

PACKAGE = Path(bitdoc.__file__).parent

#: The rooms from the ground up: a room imports only from its own floor and from those below. Whatever stands in no
#: folder (the commands, the package's face) may use all of them.
FLOORS = ({"records"}, {"data", "network"}, {"training", "literature", "exchange"}, {"studies"}, {"figures", "desk"})

FILE_LINES, FUNCTION_LINES = 300, 40


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Dotted names that a module imports; ``if TYPE_CHECKING`` blocks do not count."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree(path))
    return found


def by_name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def floor(name: str) -> int:
    """Floor of a dotted name of the package, told by the folder that it begins with."""
    room = name.split(".")[1] if "." in name else ""
    return next((n for n, rooms in enumerate(FLOORS) if room in rooms), len(FLOORS))


def module(path: Path) -> str:
    return ".".join(("bitdoc", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


@pytest.mark.parametrize("path", sources(), ids=by_name)
def test_imports_point_down(path):
    for other in (name for name in imports(path) if name.startswith("bitdoc.")):
        assert floor(other) <= floor(module(path)), f"{module(path)} imports {other}, which stands above it"


def test_every_folder_is_a_room_on_a_floor():
    folders = {entry.name for entry in PACKAGE.iterdir() if entry.is_dir() and not entry.name.startswith("_")}
    assert folders == set().union(*FLOORS)


#: Files of one name in several rooms, and what all of them are about. The name of a page is such a name everywhere, and
#: within ``figures`` the folder tells which page a file belongs to.
NAMESAKES = {
    "memorize": "a study, and its figures",
    "middle": "a study, and its figures",
    "ten_pictures": "a study, and its figures",
    "rivals": "what others report, and its figures",
    "official": "what the authors' code prints, and its figures",
    "published": "what papers printed, and figures of it",
    "weights": "files of weights, and figures of filters",
    "pictures": "files of pictures, and figures of photographs",
    "pretrain": "the command, and its work",
    "probe": "the linear probe, and the command of that name",
}


def test_a_name_tells_which_file_to_open():
    """A newcomer who has only the tree finds one file a name, or several about the same thing."""
    pages = {entry.name for entry in (PACKAGE / "figures").iterdir() if entry.is_dir()}
    rooms: dict[str, set[str]] = {}
    for path in sources():
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
        rooms.setdefault(name, set()).add(parts[0])
    twice = {name for name, where in rooms.items() if len(where) > 1} - pages
    assert twice == NAMESAKES.keys(), "files of one name in several rooms: what are they about?"


def test_imports_run_in_no_circle():
    known = {module(path) for path in sources()}
    faces = {module(path) for path in sources() if path.name == "__init__.py"}
    graph: dict[str, set[str]] = {}
    for path in sources():
        own = module(path)
        needs = {name if name in known else name.rpartition(".")[0] for name in imports(path)} & known - {own}
        # A face hands its parts on, which does not make them need one another.
        graph[own] = {name for name in needs if not (own in faces and name.startswith(f"{own}."))}
    while graph:
        free = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert free, f"these import one another in a circle: {', '.join(sorted(graph))}"
        graph = {name: needs for name, needs in graph.items() if name not in free}


@pytest.mark.parametrize("path", sources(), ids=by_name)
def test_foreign_imports(path):
    """Sphinx nowhere; torchvision and the hub's library only where they are needed, and only when they are."""
    everywhere = {name.split(".")[0] for name in imports(path)}
    assert not everywhere & {"sphinx", "docutils", "myst_nb", "sphinx_gallery", "timm", "pytest"}
    if "torchvision" in everywhere:
        assert path.stem in {"datasets", "detector"} or "figures" in path.parts
    assert "huggingface_hub" not in everywhere or path.stem == "hub"
    assert not {"torchvision", "huggingface_hub"} & {name.split(".")[0] for name in imports(path, top_level_only=True)}


@pytest.mark.parametrize("path", sources(), ids=by_name)
def test_files_can_be_read_in_one_sitting(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES, f"{path.name} has {lines} lines: why?"


@pytest.mark.parametrize("path", sources(), ids=by_name)
def test_functions_can_be_seen_at_once(path):
    """Lines of code; docstring, signature and decorators are not counted."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            name = f"{by_name(path)}:{node.name}"
            assert lines <= FUNCTION_LINES, f"{name} has {lines} lines: why?"


def public_things(path: Path):
    """Public functions, classes and their public methods, as (name, node)."""
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                methods = (m for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_"))
                yield from ((f"{node.name}.{method.name}", method) for method in methods)


@pytest.mark.parametrize("path", sources(), ids=by_name)
def test_public_things_are_documented(path):
    assert ast.get_docstring(tree(path)), f"{path.name} does not say what it is for"
    bare = [name for name, node in public_things(path) if not ast.get_docstring(node)]
    assert not bare, f"{path.name}: no docstring for {', '.join(bare)}"


@pytest.mark.parametrize("path", sources(), ids=by_name)
def test_documented_parameters_exist(path):
    """A ``Parameters`` section names only parameters (or fields) that are there."""
    for name, node in public_things(path):
        text = inspect.cleandoc(ast.get_docstring(node) or "")
        if "Parameters\n----------" not in text:
            continue
        section = text.split("Parameters\n----------\n")[1].split("\n\n")[0]
        documented = [
            word.strip(" *")
            for line in section.splitlines()
            if " : " in line
            for word in line.split(" : ")[0].split(",")
        ]
        documented = [word for word in documented if word.isidentifier()]
        holder = node
        if isinstance(node, ast.ClassDef):
            holder = next((m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"), node)
        known = {child.arg for child in ast.walk(holder) if isinstance(child, ast.arg)}
        assert set(documented) <= known, f"{path.name}: {name} documents {set(documented) - known}, which it lacks"


#: Imports all of bitdoc in a fresh process and reports what that changed.
PROBE = """
import importlib, os, random, sys
from pathlib import Path
import numpy, torch
sys.modules["torchvision"] = None  # importing it fails
before = (torch.random.get_rng_state(), random.getstate(), str(numpy.random.get_state()), torch.get_num_threads(),
          torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), dict(os.environ))
for name in sys.argv[1:]:
    importlib.import_module(name)
after = (torch.random.get_rng_state(), random.getstate(), str(numpy.random.get_state()), torch.get_num_threads(),
         torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), dict(os.environ))
assert torch.equal(before[0], after[0]), "torch's random state"
for one, two in zip(before[1:], after[1:]):
    assert one == two, (one, two)
assert not any(name.split(".")[0] == "sphinx" for name in sys.modules), "sphinx"
print("ok", [str(p) for p in Path.cwd().rglob("*")])
"""


def test_importing_has_no_side_effects(tmp_path):
    """No random numbers, no settings, no files, no output, and no torchvision."""
    modules = [module(path) for path in sources()]
    # Matplotlib keeps a cache of fonts of its own; what is watched is the working folder and bitdoc's cache.
    home = os.environ | {"BITDOC_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(PACKAGE.parent)}
    home |= {"PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", PROBE, *modules]
    done = subprocess.run(command, cwd=tmp_path, env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ok []\n"
    assert list(tmp_path.iterdir()) == []


def test_quick_tests_every_room_and_no_slow_test():
    """``nox -s quick`` goes through all rooms that have tests; what takes long is marked, a budget holds the rest."""
    tests, nox = Path(__file__).parent, (Path(__file__).parents[1] / "noxfile.py").read_text(encoding="utf-8")
    values = {ast.unparse(node.targets[0]): node.value for node in ast.parse(nox).body if isinstance(node, ast.Assign)}
    rooms = {f"tests/{room}" for room in set().union(*FLOORS) if (tests / room).is_dir()}
    assert rooms <= set(ast.literal_eval(values["QUICK"])), "a room that quick leaves out"
    quick = nox.split("def quick(")[1].split("@nox.session")[0]
    assert "not slow" in quick and "--budget" in quick


def test_a_test_over_the_budget_fails(tmp_path):
    """What is not marked slow and takes long is an error, by the time of the processor."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_long(): sum(range(30_000_000))\n"
        "@pytest.mark.slow\ndef test_slow(): sum(range(30_000_000))\n"
        "def test_short(): pass\n"
    )
    (tmp_path / "conftest.py").write_text("from budget import *")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow: as in the project\n")
    command = [sys.executable, "-m", "pytest", "-q", "--budget", "0.2", "-p", "no:cacheprovider", str(tmp_path)]
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, check=False)
    assert "1 failed, 2 passed" in done.stdout and "mark it slow, or make it smaller" in done.stdout, done.stdout


def test_no_random_seed_is_set_in_a_library_module():
    """Only a module that starts a run may seed the global generator, and only inside a function."""
    for path in sources():
        for node in tree(path).body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert "manual_seed" not in ast.unparse(node), path.name
