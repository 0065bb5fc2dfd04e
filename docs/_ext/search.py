"""Sphinx extension: the search knows where the book explains a term, and reads no formula as words.

The glossary's entries link to the pages that explain them; the search page carries that list, and
``_static/search-scorer.js`` puts those pages first. A formula's letters are no words: a search for "x" is not one.
"""

from __future__ import annotations

import json
from html import escape

from docutils import nodes
from sphinx.application import Sphinx


def hide_formulas(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Keep formulas out of the index."""
    for formula in doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block)):
        formula["classes"].append("no-search")


def explained(app: Sphinx) -> dict[str, str]:
    """Return, for each term of the glossary, the page to which its entry links first."""
    found = {}
    glossary = app.env.get_and_resolve_doctree("glossary", app.builder)
    for entry in glossary.findall(nodes.definition_list_item):
        links = [link.get("refuri", "") for link in entry.findall(nodes.reference)]
        pages = [link.partition("#")[0].removesuffix(".html") for link in links]
        page = next((p for p in pages if p in app.env.found_docs and p not in {"glossary", "bibliography"}), None)
        if page:
            found |= {term.astext().lower(): page for term in entry.findall(nodes.term)}
    return found


def carry(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Let the search page carry the list."""
    if pagename == "search" and "glossary" in app.env.found_docs:
        listed = escape(json.dumps(explained(app)), quote=True)
        context["metatags"] = context.get("metatags", "") + f'<meta name="bitdoc-explained" content="{listed}">\n'


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    app.connect("doctree-resolved", hide_formulas)
    app.connect("html-page-context", carry)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
