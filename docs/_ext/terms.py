"""Sphinx extension: where a page first uses a term of the glossary, the word links to its explanation.

Writers write plain words; the links are made when a page is written. Headings, captions, tables, code and links are
left alone. A term that also has an everyday meaning is named in ``terms_by_hand`` and linked with the role ``term``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_NOT_IN = (
    nodes.reference,
    nodes.title,
    nodes.rubric,
    nodes.caption,
    nodes.legend,
    nodes.table,
    nodes.literal,
    nodes.math,
    nodes.FixedTextElement,
    nodes.raw,
    addnodes.download_reference,
)


def known_terms(app: Sphinx) -> dict[str, tuple[str, str]]:
    """Return page and anchor of each term, by the words that stand for it, in lower case."""
    terms = app.env.get_domain("std").data.get("terms", {})
    plain = {re.sub(r"\s*\(.*\)$", "", term): place for term, place in terms.items()}
    return {term: place for term, place in plain.items() if term not in app.config.terms_by_hand}


def link_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Link the first use of each term on a page of the book."""
    terms = known_terms(app)
    if app.builder.format != "html" or "/" in docname or docname in app.config.terms_not_on or not terms:
        return
    longest_first = "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w-])({longest_first})s?(?![\w-])", re.IGNORECASE)
    linked = {node["refid"] for node in doctree.findall(nodes.reference) if node.get("refid")}
    linked |= {node["refuri"].rpartition("#")[2] for node in doctree.findall(nodes.reference) if "refuri" in node}
    for text in list(_prose(doctree)):
        pieces: list[nodes.Node] = []
        end = 0
        for match in pattern.finditer(text):
            page, anchor = terms[match[1].lower()]
            if anchor in linked:
                continue
            linked.add(anchor)
            uri = f"{app.builder.get_relative_uri(docname, page)}#{anchor}"
            link = nodes.reference("", match[0], internal=True, refuri=uri, classes=["term"])
            pieces += [nodes.Text(text[end : match.start()]), link]
            end = match.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(text[end:])])


def _prose(doctree: nodes.document) -> Iterator[nodes.Text]:
    for text in doctree.findall(nodes.Text):
        above, in_paragraph = text.parent, False
        while above is not None and not isinstance(above, _NOT_IN):
            in_paragraph = in_paragraph or isinstance(above, nodes.paragraph)
            above = above.parent
        if above is None and in_paragraph:
            yield text


def write_again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have all pages written again if the terms have changed."""
    now = sorted(known_terms(app).items())
    before, env.bitdoc_terms = getattr(env, "bitdoc_terms", now), now
    return [] if now == before else list(env.found_docs)


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    app.add_config_value("terms_by_hand", [], "env", list)
    app.add_config_value("terms_not_on", [], "env", list)
    app.connect("doctree-resolved", link_terms)
    app.connect("env-updated", write_again)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
