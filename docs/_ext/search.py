"""Sphinx extension: the search knows where the book explains a term, and reads no formula as words.

The glossary's entries link to the pages that explain them; the search page carries that list, and
``_static/search-scorer.js`` puts those pages first. A formula's letters are no words: a search for "x" is not one.

Beside the page's name the search tells some words of it. Sphinx would read the found page for that, which browsers
refuse where pages are opened from disk; a script they do load. So each page's paragraphs stand in one of their own,
``_static/search/<page>.js``, which ``_static/search-snippets.js`` asks for when the page is found.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

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


def paragraphs(doctree: nodes.document) -> list[tuple[str, str]]:
    """Return the text of each paragraph of a page, and the id of its section; formulas are left out, terms named."""
    found = []
    for paragraph in doctree.findall(nodes.paragraph):
        section = paragraph.parent
        while not isinstance(section, nodes.section | nodes.document):
            section = section.parent
        words = ["…" if isinstance(text.parent, nodes.math) else text for text in paragraph.findall(nodes.Text)]
        told = " ".join("".join(words).split())
        if isinstance(paragraph.parent, nodes.definition):
            terms = paragraph.parent.parent.findall(nodes.term)
            told = f"{', '.join(term.astext() for term in terms)}: {told}"
        if told:
            found.append(((section.get("ids") or [""])[0], told))
    return found


def write_words(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Write a page's paragraphs as a script, and let the search page have the script that asks for it."""
    if app.builder.format != "html":
        return
    if pagename == "search":
        app.add_js_file("search-snippets.js", defer="defer")
    if doctree is not None:
        path = Path(app.outdir) / "_static" / "search" / f"{pagename}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        told = json.dumps([pagename, paragraphs(doctree)], ensure_ascii=False)
        path.write_text(f"bitdocFound(...{told});\n", encoding="utf-8")


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    app.connect("doctree-resolved", hide_formulas)
    app.connect("html-page-context", carry)
    app.connect("html-page-context", write_words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
