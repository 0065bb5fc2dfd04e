"""Sphinx extension: every page as plain text too, for programs and for whoever reads that way.

``text/<page>.txt`` holds the words, numbers, code with outputs, formulas as LaTeX, and figures as their alt texts and
captions; the page's head links to it. ``llms.txt`` lists all of them with a line on each.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import bitfig
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.math import get_node_equation_number
from sphinx.writers.text import TextTranslator

# A hyphen at which a line is not broken, so that words can be found.
_HYPHEN = "\u2011"
# A column of a table is no wider; a longer cell goes on in the next line.
_WIDEST = 36


class PlainText(TextTranslator):
    """Sphinx's text, with pictures told and formulas marked; whatever else is unknown shows its content."""

    def add_text(self, text: str) -> None:
        """Add text whose hyphens break no line."""
        super().add_text(text.replace("-", _HYPHEN))

    def visit_image(self, node: nodes.image) -> None:
        """Write a picture's alt text; of two themes, the light one stands for both."""
        if not {"only-dark", "narrow"} & set(node["classes"]):
            self.new_state(0)
            self.add_text(f"[Picture: {node.get('alt', '')}]")
            self.end_state()
        raise nodes.SkipNode

    def visit_imgsgnode(self, node: nodes.Element) -> None:
        """Write the alt text of an example's picture."""
        self.visit_image(node)

    def visit_note(self, node: nodes.note) -> None:
        """Write a note, but not the one that leads from an example's head to its downloads."""
        if "sphx-glr-download-link-note" in node["classes"]:
            raise nodes.SkipNode
        super().visit_note(node)

    def visit_code_links_block(self, node: nodes.Element) -> None:
        """Write an example's code line by line."""
        self.visit_literal_block(node)

    def depart_code_links_block(self, node: nodes.Element) -> None:
        """End the code."""
        self.depart_literal_block(node)

    def visit_container(self, node: nodes.container) -> None:
        """Skip what only the dark theme shows."""
        if "only-dark" in node["classes"]:
            raise nodes.SkipNode

    def _numbered(self, kind: str, label: str, node: nodes.Element) -> str:
        """Return "Fig. 3.2: " for a figure or table that has a number."""
        numbers = self.builder.env.toc_fignumbers.get(self.builder.current_docname, {}).get(kind, {})
        number = next((numbers[id] for id in node["ids"] if id in numbers), None)
        return f"{label} {'.'.join(map(str, number))}: " if number else ""

    def visit_title(self, node: nodes.title) -> None:
        """Begin a heading, or a table's title with its number."""
        super().visit_title(node)
        if isinstance(node.parent, nodes.table):
            self.add_text(self._numbered("table", "Table", node.parent))

    def visit_tgroup(self, node: nodes.tgroup) -> None:
        """Give each column the width of its longest cell, within bounds: a page's widths are shares, not signs."""
        cells = [list(row.findall(nodes.entry)) for row in node.findall(nodes.row)]
        for number, column in enumerate(node.findall(nodes.colspec)):
            longest = [len(row[number].astext()) for row in cells if number < len(row)]
            column["colwidth"] = min(_WIDEST, max([3, *longest]))
        super().visit_tgroup(node)

    def visit_caption(self, node: nodes.caption) -> None:
        """Write a caption with the figure's number."""
        self.new_state(0)
        self.add_text(self._numbered("figure", "Fig.", node.parent))

    def _as_it_reads(self, node: nodes.Element) -> None:
        """Write a reference to a figure by its text, which holds the number."""

    visit_number_reference = depart_number_reference = _as_it_reads

    def visit_legend(self, node: nodes.legend) -> None:
        """Write how a figure was measured, and skip the link to its code."""
        for told in node.findall(bitfig.measured):
            self.new_state(0)
            self.add_text(f"How measured: {told.astext()}")
            self.end_state()
        raise nodes.SkipNode

    def visit_math(self, node: nodes.math) -> None:
        """Write a formula as LaTeX."""
        self.add_text(f"${node.astext()}$")
        raise nodes.SkipNode

    def visit_math_block(self, node: nodes.math_block) -> None:
        """Write a displayed formula as LaTeX."""
        self.new_state()
        number = f" ({get_node_equation_number(self, node)})" if node.get("number") else ""
        self.add_text(f"$${node.astext()}$${number}")
        self.end_state(wrap=False)
        raise nodes.SkipNode

    def unknown_visit(self, node: nodes.Node) -> None:
        """Write the content of a node that text does not know; a block gets lines of its own."""
        if not isinstance(node, nodes.Inline | nodes.Text):
            self.new_state(0)

    def unknown_departure(self, node: nodes.Node) -> None:
        """End the block."""
        if not isinstance(node, nodes.Inline | nodes.Text):
            self.end_state()

    depart_caption = unknown_departure


def as_text(app: Sphinx, doctree: nodes.document) -> str:
    """Return a resolved page as plain text."""
    writer = PlainText(doctree, app.builder)
    doctree.walkabout(writer)
    # Sections of a page have no number; Sphinx's text leaves its full stop.
    text = re.sub(r"^\. ", "", writer.body.replace(_HYPHEN, "-"), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def without_latex(words: str) -> str:
    """Return words whose Greek letters are letters, for places that hold neither formulas nor marks of emphasis."""
    letters = re.sub(r"\\([a-z]+)", lambda name: html.unescape(f"&{name[1]};"), words.replace("$", ""))
    return re.sub(r"\*+([^*]+)\*+", r"\1", letters)


def first_paragraph(text: str) -> str:
    """Return the words under a text's title, in one line."""
    parts = text.split("\n\n")
    return " ".join(parts[1].split()) if len(parts) > 1 else ""


def write_text(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Write the text of a page beside the site, and link to it from the page's head."""
    if doctree is None or app.builder.format != "html":
        return
    path = Path(app.outdir) / "text" / f"{pagename}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = as_text(app, doctree)
    path.write_text(text, encoding="utf-8")
    context["plain_text"] = text
    uri = "../" * pagename.count("/") + f"text/{pagename}.txt"
    context["metatags"] += f'<link rel="alternate" type="text/plain" title="Plain text" href="{uri}">\n'


def in_order(app: Sphinx, page: str) -> list[str]:
    """Return a page and those below it in the order of the tables of contents."""
    below = [page for entry in app.env.toctree_includes.get(page, []) for page in in_order(app, entry)]
    return [page, *below]


def write_index(app: Sphinx, error: Exception | None) -> None:
    """List the texts in ``llms.txt``, and remove those whose page is gone."""
    folder = Path(app.outdir) / "text"
    if error is not None or app.builder.format != "html":
        return
    for path in folder.rglob("*.txt"):
        if path.relative_to(folder).with_suffix("").as_posix() not in app.env.found_docs:
            path.unlink()
    lines = [f"# {app.config.html_title}", ""]
    for page in in_order(app, app.config.root_doc):
        path = folder / f"{page}.txt"
        if path.is_file():
            told = first_paragraph(path.read_text(encoding="utf-8"))
            lines.append(f"- [{app.env.titles[page].astext()}](text/{page}.txt): {told}".removesuffix(": "))
    (Path(app.outdir) / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict:
    """Register the hooks; others use a page's text, so it is made first."""
    app.connect("html-page-context", write_text, priority=300)
    app.connect("build-finished", write_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
