"""Sphinx extension: a citation, or a term of the glossary, shows what it refers to on hovering and on focus.

A page carries the references and definitions that its links lead to, hidden, and ``cards.js`` shows them, and the
page's own figures, tables and equations; nothing is fetched. Without JavaScript the links lead there, as ever.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

_LINK = re.compile(r'href="[./]*(bibliography|glossary)\.html#([^"]+)"')
_INTERNAL = re.compile(r'<a class="reference internal"[^>]*>(.*?)</a>', re.DOTALL)


def explanations(app: Sphinx, page: str) -> dict[str, str]:
    """Return the HTML of each entry of a page of references or definitions, by its anchor; read once per build."""
    found = app.bitdoc_explanations
    if page not in found:
        found[page] = {}
        if page in app.env.found_docs:
            doctree = app.env.get_and_resolve_doctree(page, app.builder)
            for entry in doctree.findall(lambda node: isinstance(node, nodes.citation | nodes.definition_list_item)):
                found[page].update(_explanation(app, entry))
    return found[page]


def _explanation(app: Sphinx, entry: nodes.Element) -> dict[str, str]:
    if isinstance(entry, nodes.citation):
        anchors, told = entry["ids"], entry.children[1:]
    else:
        terms = [child for child in entry if isinstance(child, nodes.term)]
        anchors, told = [id for term in terms for id in term["ids"]], entry.children[-1].children
    html = "".join(app.builder.render_partial(node.deepcopy())["fragment"] for node in told)
    html = _INTERNAL.sub(r"\1", html)
    return dict.fromkeys(anchors, html)


def carry(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Append the explanations that the page's links lead to."""
    if app.builder.format != "html" or doctree is None:
        return
    cards = []
    for page, anchor in dict.fromkeys(_LINK.findall(context["body"])):
        if page != pagename and (html := explanations(app, page).get(anchor)):
            cards.append(f'<div id="card-{page}-{anchor}">{html}</div>')
    if cards:
        context["body"] += f'<div id="cards" hidden>{"".join(cards)}</div>\n'


def setup(app: Sphinx) -> dict:
    """Register the hook."""
    app.bitdoc_explanations = {}
    app.connect("html-page-context", carry)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
