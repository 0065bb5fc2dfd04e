"""The age of a run: a fingerprint of the code that decides results, wherever in the package that code stands.

The fingerprint begins at the functions named in :data:`ROOTS` and follows every name they use to its definition in the
package. What it keeps of a definition is what is computed: comments, docstrings, layout, the wording of errors, the
module a definition lives in, types, and the way it is imported do not count, a constant or an operation does.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]

#: Where results are decided: which images are read and drawn, how they are cut and mixed, the network, the rule, the
#: loop, the score.
ROOTS = (
    *("_cifar", "_tiny_imagenet", "class_folders", "Images", "few_shot_indices"),
    *("sample_indices", "crop_and_flip", "random_resized_crop", "mixed_micro_batches"),
    *("build", "ResNetV1", "standardize", "Norm2d", "normalize", "with_products", "widen", "deepen", "perturb"),
    *("get_schedule", "get_resolution", "get_mixup", "get_lr", "learning_rate"),
    *("train", "evaluate", "Engine", "Upstream", "part_of", "_batch_at", "_drawing", "test_batches"),
)
#: Rooms in which the roots are looked for; a page's study may have a ``train`` of its own.
ROOMS = ("data", "network", "training")
#: Code that fetches, keeps and reports decides nothing; weights are told by the hash of their file.
SILENT = ("records", "network.weights", "network.npz")


#: The digest of the code as it is now, where it was rewritten without a change of what it computes, and the older one
#: that it goes by: records and checkpoints of the older code are its own. Another rewrite makes the entry void.
#:
#: A network may grow in depth too, or be trained on as large as it is, and one that grows has group norm; what was
#: accepted before is computed as before.
SAME = {"e67ee3639b75fc03": "d5b914a99fccc438"}


class CodeError(RuntimeError):
    """The package's source cannot be read as expected."""


@cache
def code_digest(package: Path = PACKAGE) -> str:
    """Fingerprint of the code that decides results, 16 hexadecimal digits; of code in :data:`SAME`, the older one."""
    found = fingerprint(package)
    return SAME.get(found, found)


def fingerprint(package: Path = PACKAGE) -> str:
    """Fingerprint of the code that decides results as it is written."""
    house = _House(package)
    text = "\n".join(sorted(house.bare(place) for place in house.reached()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_version() -> dict[str, Any]:
    """Git commit of the checkout, if there is one, and :func:`code_digest`.

    Both are looked up once a process: what is loaded stays what it is, whatever is committed while a sweep goes on.
    """
    return {"commit": _commit(), "digest": code_digest()}


@cache
def _commit() -> str | None:
    command = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        commit = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git on this machine
        commit = ""
    return commit or None


Place = tuple[str, str]  # a module, dotted from the package on, and a name in it


class _House:
    """All definitions of the rooms that decide, and of what stands below them, and what each module calls them."""

    def __init__(self, package: Path) -> None:
        self.definitions: dict[Place, ast.stmt] = {}
        self.imports: dict[Place, str] = {}  # dotted name, from the package on
        self.modules: set[str] = set()
        for path in sorted(path for room in (*ROOMS, "records") for path in (package / room).rglob("*.py")):
            parts = path.relative_to(package).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.modules.add(module)
            self._read(module, _Unannotated().visit(ast.parse(path.read_text(encoding="utf-8"))), package.name)

    def _read(self, module: str, tree: ast.Module, package: str) -> None:
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.definitions[module, node.name] = node
            for target in getattr(node, "targets", None) or [getattr(node, "target", None)]:
                for name in ast.walk(target) if target is not None else ():
                    if isinstance(name, ast.Name):
                        self.definitions[module, name.id] = node
        for line in ast.walk(tree):
            if isinstance(line, ast.ImportFrom) and (line.module or "").split(".")[0] == package:
                source = (line.module or "").partition(".")[2]
                for alias in line.names:
                    dotted = f"{source}.{alias.name}".strip(".")
                    self.imports[module, alias.asname or alias.name] = dotted

    def find(self, module: str, name: str) -> Place | None:
        """Where the thing that ``module`` calls ``name`` is defined; None for what is not the package's."""
        if (module, name) in self.definitions:
            return module, name
        dotted = self.imports.get((module, name))
        if dotted is None or dotted in self.modules:
            return None
        source, _, original = dotted.rpartition(".")
        return None if (source, original) == (module, name) else self.find(source, original)

    def meant(self, module: str, node: ast.AST) -> Place | None:
        """The definition that a name or a ``module.name`` in the code of ``module`` stands for."""
        if isinstance(node, ast.Name):
            return self.find(module, node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            other = self.imports.get((module, node.value.id))
            return self.find(other, node.attr) if other in self.modules else None
        return None

    def reached(self) -> set[Place]:
        """Everything that the roots use, themselves included."""
        waiting = [place for name in ROOTS for place in self._roots(name)]
        found: set[Place] = set()
        while waiting:
            place = waiting.pop()
            if place in found or f"{place[0]}.".startswith(tuple(f"{name}." for name in SILENT)):
                continue
            found.add(place)
            uses = (self.meant(place[0], node) for node in ast.walk(self.definitions[place]))
            waiting += [use for use in uses if use is not None]
        return found

    def _roots(self, name: str) -> Iterator[Place]:
        found = [(m, n) for m, n in self.definitions if n == name and m.split(".")[0] in ROOMS]
        if not found:
            raise CodeError(f"no definition of {name!r} in {', '.join(ROOMS)}: what decides results cannot be told")
        yield from found

    def bare(self, place: Place) -> str:
        """A definition as text, without what does not count."""
        return f"{place[1]}: {_text(_Bare(self, place[0]).visit(_copy(self.definitions[place])))}"


def _text(part: Any) -> str:
    """A part of the tree as text. Unlike :func:`ast.dump`, alike in every Python: what is empty is left out."""
    if isinstance(part, list):
        return f"[{', '.join(map(_text, part))}]"
    if not isinstance(part, ast.AST):
        return repr(part)
    told = [f"{name}={_text(value)}" for name, value in ast.iter_fields(part) if value is not None and value != []]
    return f"{type(part).__name__}({', '.join(told)})"


def _copy(node: ast.AST) -> ast.AST:
    return ast.parse(ast.unparse(node)).body[0]


class _Unannotated(ast.NodeTransformer):
    """Take types out: they say what is meant, and compute nothing."""

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Keep the name of an argument alone."""
        return ast.copy_location(ast.arg(node.arg), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Drop what is said of the returned value."""
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Keep the name and its value."""
        node.annotation = ast.copy_location(ast.Constant(None), node)
        return self.generic_visit(node)


class _Bare(ast.NodeTransformer):
    """Take docstrings and the wording of errors out; call the package's things by their own names."""

    def __init__(self, house: _House, module: str) -> None:
        self.house, self.module = house, module

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """Drop a text that stands alone: a docstring."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if is_text else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Keep that an error is raised, not how it is worded."""
        return ast.Raise()

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Use the name a thing has where it is defined."""
        place = self.house.meant(self.module, node)
        return ast.Name(place[1], node.ctx) if place else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """``module.thing`` is ``thing``."""
        place = self.house.meant(self.module, node)
        return ast.Name(place[1], node.ctx) if place else self.generic_visit(node)
