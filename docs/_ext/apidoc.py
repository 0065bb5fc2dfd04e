"""The API reference: entries link to the examples that use them, constants print no value, summaries are whole."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.ext import autosummary

_SPHINX_KNOWS = autosummary.WELL_KNOWN_ABBREVIATIONS


def link_examples(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Show below a function or class the examples of the gallery that use it."""
    examples = Path(app.srcdir) / "gallery" / "backreferences" / f"{name}.examples"
    if what in {"function", "class"} and examples.is_file() and examples.stat().st_size:
        lines += ["", ".. rubric:: Used in", "", f".. minigallery:: {name}", ""]


def hide_values(app: Sphinx, doctree: nodes.document) -> None:
    """Remove the value from each constant: it may be a path of this machine, or longer than a phone is wide."""
    for annotation in list(doctree.findall(addnodes.desc_annotation)):
        if annotation.astext().startswith(" = "):
            annotation.parent.remove(annotation)


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    # A summary is a docstring's first sentence, and Sphinx would end it at the full stop of "Fig.".
    autosummary.WELL_KNOWN_ABBREVIATIONS = (*_SPHINX_KNOWS, "Fig.", "Figs.", "Eq.", "Sec.", "Tab.", "cf.", "resp.")
    app.connect("autodoc-process-docstring", link_examples, priority=900)
    app.connect("doctree-read", hide_values)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
