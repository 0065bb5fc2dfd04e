"""Sphinx extension: what the build's caches depend on, as one short digest.

jupyter-cache looks only at the text of a notebook's cells, and sphinx-gallery only at the text of a script; neither
sees a change in the package that the cell or the script calls. Both caches are therefore kept under the digest of
everything that can change an output: the package's code, its pictures, the cached runs (those that ``BITDOC_RESULTS``
names too), and the libraries that compute and draw.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from importlib.metadata import version
from pathlib import Path

from sphinx.application import Sphinx

LIBRARIES = ("torch", "numpy", "matplotlib", "pillow")
_TEXTS = (".py", ".json", ".txt")
_BINARIES = (".npz", ".png", ".webp", ".jpg", ".jpeg")


def digest(root: Path) -> str:
    """Return 16 hexadecimal digits that change with the package, its data under ``root``, or a library's version."""
    total = hashlib.sha256()
    _add(total, root / "bitdoc", root)
    if results := os.environ.get("BITDOC_RESULTS"):
        _add(total, Path(results), Path(results))
    for name in LIBRARIES:
        total.update(f"{name} {version(name)}\n".encode())
    return total.hexdigest()[:16]


def _add(total, folder: Path, root: Path) -> None:
    """Add the names, within ``root``, and the contents of a folder's files."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TEXTS + _BINARIES and path.is_file():
            # Line ends are evened out, so that a checkout on Windows has the same digest.
            content = path.read_bytes()
            content = content if path.suffix in _BINARIES else content.replace(b"\r\n", b"\n")
            total.update(path.relative_to(root).as_posix().encode())
            total.update(hashlib.sha256(content).digest())


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


def forget_source_pages(app: Sphinx) -> None:
    """Remove the pages that show the package's source, if it has changed: viewcode trusts the clock alone."""
    if app.builder.format == "html" and gallery_is_stale(Path(app.srcdir) / "gallery", app.config.freshness_digest):
        shutil.rmtree(Path(app.outdir) / "_modules", ignore_errors=True)


def stamp_gallery(app: Sphinx) -> None:
    """After the gallery is made, note under which digest, and see to it that an example that failed runs again."""
    gallery = Path(app.srcdir) / "gallery"
    for script in app.config.sphinx_gallery_conf.get("failing_examples", {}):
        (gallery / f"{Path(script).name}.md5").unlink(missing_ok=True)
    if gallery.is_dir():
        (gallery / ".digest").write_text(app.config.freshness_digest + "\n", encoding="utf-8")


def remove_orphans(app: Sphinx) -> None:
    """Remove the pages whose source is gone."""
    kept = {*app.env.found_docs, "genindex", "search"}
    for path in Path(app.outdir).rglob("*.html"):
        inside = path.relative_to(app.outdir)
        if inside.parts[0] not in {"_static", "_modules"} and inside.with_suffix("").as_posix() not in kept:
            path.unlink()


def finish(app: Sphinx, error: Exception | None) -> None:
    """After a good build, tidy up; after any other, forget what was read.

    Sphinx tells a warning only when it reads the page; without this, the build after a failed one would pass.
    """
    if error is None and app._warncount == 0:
        if app.builder.format == "html":
            remove_orphans(app)
    else:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict:
    """Register the hooks; the last is to run after those of all other extensions."""
    app.add_config_value("freshness_digest", "", "", str)
    app.connect("builder-inited", forget_source_pages, priority=10)
    # sphinx-gallery makes the gallery at 500.
    app.connect("builder-inited", stamp_gallery, priority=600)
    app.connect("build-finished", finish, priority=990)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
