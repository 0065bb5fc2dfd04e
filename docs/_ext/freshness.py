"""What the build's caches depend on, as one short digest.

jupyter-cache looks only at the text of a notebook's cells, and sphinx-gallery only at the text of a script; neither
sees a change in the package that the cell or the script calls. Both caches are therefore kept under the digest of
everything that can change an output: the package's code, the cached runs, and the libraries that compute and draw.
"""

from __future__ import annotations

import hashlib
import shutil
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("torch", "numpy", "matplotlib", "pillow")
_SUFFIXES = (".py", ".json", ".npz", ".txt")


def digest(root: Path) -> str:
    """Return 16 hexadecimal digits that change with the package, its data under ``root``, or a library's version."""
    total = hashlib.sha256()
    for path in sorted((root / "bitdoc").rglob("*")):
        if path.suffix in _SUFFIXES and path.is_file():
            # Line ends are evened out, so that a checkout on Windows has the same digest.
            content = path.read_bytes()
            content = content if path.suffix == ".npz" else content.replace(b"\r\n", b"\n")
            total.update(path.relative_to(root).as_posix().encode())
            total.update(hashlib.sha256(content).digest())
    for name in LIBRARIES:
        total.update(f"{name} {version(name)}\n".encode())
    return total.hexdigest()[:16]


def cache_folder(parent: Path, current: str, keep: int = 3) -> Path:
    """Return ``parent/current`` (made if need be) and remove all but the ``keep`` newest folders beside it."""
    folder = parent / current
    folder.mkdir(parents=True, exist_ok=True)
    folder.touch()
    others = sorted((p for p in parent.iterdir() if p.is_dir() and p != folder), key=lambda p: p.stat().st_mtime)
    for old in others[: max(0, len(others) - (keep - 1))]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def gallery_is_stale(gallery: Path, current: str) -> bool:
    """Tell whether the generated ``gallery`` was made under another digest than ``current``."""
    stamp = gallery / ".digest"
    return not stamp.is_file() or stamp.read_text(encoding="utf-8").strip() != current


def stamp_gallery(gallery: Path, current: str) -> None:
    """Note that the gallery has been made under the digest ``current``."""
    if gallery.is_dir():
        (gallery / ".digest").write_text(current + "\n", encoding="utf-8")
