"""Sphinx extension: below each page that has cells, a link to the executed notebook.

The theme's download button would give the page's source, without outputs.
"""

from __future__ import annotations

from sphinx.application import Sphinx


def offer_notebook(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append the link to the source of a page with cells."""
    if "```{code-cell}" in source[0]:
        notebook = docname.rsplit("/", 1)[-1] + ".ipynb"
        source[0] += f"\n\n{{nb-download}}`Download this page as a notebook with its outputs <{notebook}>`\n"


def setup(app: Sphinx) -> dict:
    """Register the hook."""
    app.connect("source-read", offer_notebook)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
