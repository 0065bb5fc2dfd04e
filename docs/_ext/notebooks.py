"""Sphinx extension: above each section how long it takes to read, below each page with cells its executed notebook.

The table of the notebooks' computations names pages and results in words, like the rest of the site.

The theme's download button would give the page's source, without outputs; ``portable`` writes the notebook.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx

WORDS_A_MINUTE = 200
_HEADS = {
    "Document": "Page",
    "Modified": "Computed",
    "Method": "How",
    "Run Time (s)": "Seconds",
    "Status": "Result",
}
_RESULTS = {"✅": "passed", "❌": "failed", "cache": "kept"}


def offer_notebook(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None
) -> None:
    """Append the link to a page that has a notebook."""
    if "notebook" in context:
        link = f'<a class="reference download internal" download="" href="{context["notebook"]}">'
        context["body"] += f"<p>{link}Download this page as a notebook with its outputs</a></p>\n"


def tell_length(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Write the reading time under the title of each numbered page."""
    if doctree is None or not app.env.toc_secnumbers.get(pagename, {}).get(""):
        return
    words = sum(len(paragraph.astext().split()) for paragraph in doctree.findall(nodes.paragraph))
    told = f'<p class="reading-time">{max(1, round(words / WORDS_A_MINUTE))} minutes to read</p>'
    context["body"] = context["body"].replace("</h1>", f"</h1>\n{told}", 1)


def name_in_words(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write the table of computations in words: titles of pages, "passed", heads like those of other tables."""
    for table in doctree.findall(nodes.table):
        heads = [entry.astext() for entry in table.findall(nodes.entry)][: len(_HEADS)]
        if heads != list(_HEADS):
            continue
        for text in list(table.findall(nodes.Text)):
            title = app.env.titles.get(text.astext())
            words = title.astext() if title else _HEADS.get(text.astext()) or _RESULTS.get(text.astext())
            if words:
                text.parent.replace(text, nodes.Text(words))


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    app.connect("html-page-context", offer_notebook)
    app.connect("html-page-context", tell_length)
    app.connect("doctree-resolved", name_in_words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
