"""Sphinx extension: the executed notebook of each page with cells, its text written so that plain Jupyter shows it.

myst-nb's notebook holds the page's source, whose figures, numbers and references mean something to Sphinx alone. Here
the text between its code cells is written anew as Markdown, from the resolved page: what the site shows. Code cells and
their outputs stay as they are. This is done whenever the page is written, so that notebook and page say the same.

Every picture is attached as WebP, also where the site has SVG: JupyterLab refuses attachments that are SVG
(https://github.com/jupyterlab/jupyterlab/issues/10464).
"""

from __future__ import annotations

import base64
import dataclasses
import html
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import nbformat
from bitfig import draw_to_file, measured, picture
from docutils import nodes
from nbformat.v4 import new_markdown_cell
from sphinx.application import Sphinx

from bitdoc import figures

# What Markdown would take for markup. A bracket counts only where it would make a link, "_" only beside a word.
_MARKUP = re.compile(r"[\\`*~$<]|(?<!\w)_|_(?!\w)|\](?=[(\[:])|&(?=#?\w+;)")
# Code that names no language is Python, as it is for Sphinx.
_LANGUAGES = {"default": "python", "ipython3": "python"}


def escaped(text: str) -> str:
    """Return a text as Markdown that shows just this text, in one line."""
    return " ".join(_MARKUP.sub(r"\\\g<0>", text).split("\n"))


class Markdown:
    """Writes the nodes of a resolved page as Markdown, and collects the pictures that go with it in ``attachments``."""

    def __init__(self, app: Sphinx, page: str):
        self.figures = Path(app.config.bitfig_cache)
        self.numbers = app.env.toc_fignumbers.get(page, {})
        self.section = "".join(f"{part}." for part in app.env.toc_secnumbers.get(page, {}).get("", ()))
        self.attachments: dict[str, dict[str, str]] = {}

    def write(self, node: nodes.Node) -> str:
        """Write a node by the method of its name; if there is none, write what is in it."""
        if method := getattr(self, f"_{type(node).__name__}", None):
            return method(node)
        return self.inline(node) if isinstance(node, nodes.TextElement | nodes.Inline) else self.blocks(node)

    def inline(self, node: nodes.Element) -> str:
        """Write what is in a paragraph or in a part of one."""
        return "".join(map(self.write, node.children))

    def blocks(self, node: nodes.Element) -> str:
        """Write the paragraphs, lists, figures, ... that are in a node."""
        return "\n\n".join(filter(None, map(self.write, node.children)))

    def number(self, kind: str, node: nodes.Element) -> str:
        """Return the number that the site gives a figure, table or equation, or nothing if it has none."""
        numbers = self.numbers.get(kind, {})
        return ".".join(str(part) for id in node["ids"] for part in numbers.get(id, ()))

    def _raw(self, node: nodes.Element) -> str:
        return ""

    _target = _download_reference = _raw

    def _legend(self, node: nodes.legend) -> str:
        return "\n\n".join(map(self.write, node.findall(measured)))

    def _measured(self, node: measured) -> str:
        return f"<details>\n<summary>how measured</summary>\n\n{self.blocks(node)}\n\n</details>"

    def _Text(self, node: nodes.Text) -> str:
        return escaped(node.astext())

    def _emphasis(self, node: nodes.emphasis) -> str:
        return f"*{self.inline(node)}*"

    def _strong(self, node: nodes.strong) -> str:
        return f"**{self.inline(node)}**"

    def _literal(self, node: nodes.literal) -> str:
        text = " ".join(node.astext().split("\n"))
        return f"`` {text} ``" if "`" in text else f"`{text}`"

    def _math(self, node: nodes.math) -> str:
        # A bar would end the cell of a table.
        latex = " ".join(node.astext().split()).replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        return f"${latex}$"

    def _math_block(self, node: nodes.math_block) -> str:
        number = self.number("displaymath", node)
        return "\n".join(["$$", node.astext().strip(), *([rf"\tag{{{number}}}"] if number else []), "$$"])

    def _reference(self, node: nodes.reference) -> str:
        # The pages of the site are not beside the notebook; their titles have to do.
        inside = self.inline(node)
        return inside if node.get("internal") or "refuri" not in node else f"[{inside}]({node['refuri']})"

    def _title(self, node: nodes.title) -> str:
        level, above = 0, node.parent
        while isinstance(above, nodes.section):
            level, above = level + 1, above.parent
        if level:
            return " ".join(filter(None, ["#" * level, self.section if level == 1 else "", self.inline(node)]))
        number = self.number("table", node.parent)
        if number:
            return f"**Table {number}** {self.inline(node)}"
        # A remark in the margin may have an empty title.
        return f"**{self.inline(node)}**" if node.children else ""

    def _caption(self, node: nodes.caption) -> str:
        number = self.number("figure", node.parent)
        return f"**Fig. {number}** {self.inline(node)}" if number else self.inline(node)

    def _picture(self, node: picture) -> str:
        if {"only-dark", "narrow"} & set(node["classes"]):
            return ""
        entry = figures.registry()[Path(node["uri"]).stem.removesuffix("-narrow").removesuffix("-light")]
        path = draw_to_file(dataclasses.replace(entry, format="png"), "light", self.figures)
        self.attachments[path.name] = {"image/webp": base64.b64encode(path.read_bytes()).decode()}
        return f"![{escaped(node['alt'])}](attachment:{path.name})"

    def _image(self, node: nodes.image) -> str:
        return f"[Picture: {escaped(node.get('alt', ''))}]"

    def _literal_block(self, node: nodes.literal_block) -> str:
        lines = node.astext().splitlines()
        if node.get("linenos"):
            first = node.get("highlight_args", {}).get("linenostart", 1)
            lines = [f"{number:4}  {line}".rstrip() for number, line in enumerate(lines, first)]
        language = node.get("language", "")
        return "\n".join(["```" + _LANGUAGES.get(language, language), *lines, "```"])

    def _bullet_list(self, node: nodes.Element) -> str:
        ordered = isinstance(node, nodes.enumerated_list)
        marks = [f"{count}. " if ordered else "- " for count in range(1, len(node.children) + 1)]
        items = zip(marks, map(self.blocks, node.children), strict=True)
        return "\n".join(mark + indent(item, " " * len(mark)).lstrip() for mark, item in items)

    _enumerated_list = _bullet_list

    def _row(self, node: nodes.row) -> str:
        cells = (" ".join(self.blocks(entry).split()).replace("|", r"\|") for entry in node.children)
        return f"| {' | '.join(cells)} |"

    def _table(self, node: nodes.table) -> str:
        rows = list(node.findall(nodes.row))
        marks = ("---:" if "bit-number" in entry["classes"] else "---" for entry in rows[-1].children)
        title = [self.write(child) for child in node.children if isinstance(child, nodes.title)]
        header, *body = map(self.write, rows)
        return "\n\n".join([*title, "\n".join([header, f"| {' | '.join(marks)} |", *body])])

    def _sidebar(self, node: nodes.Element) -> str:
        return "\n".join(f"> {line}".rstrip() for line in self.blocks(node).split("\n"))

    _block_quote = _note = _sidebar

    def _dropdown_main(self, node: nodes.Element) -> str:
        # Markdown means nothing inside the tag. What is raw is the drawing of an arrow.
        title = "".join(text for text in node[0].findall(nodes.Text) if not isinstance(text.parent, nodes.raw))
        inside = "\n\n".join(map(self.write, node[1:]))
        return f"<details>\n<summary>{html.escape(title, quote=False)}</summary>\n\n{inside}\n\n</details>"


def is_cell(node: nodes.Node) -> bool:
    """Tell whether a node is a code cell."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def parts(section: nodes.Element) -> Iterator[nodes.Node]:
    """Yield what a page consists of, without the sections around it."""
    for node in section.children:
        yield from parts(node) if isinstance(node, nodes.section) else (node,)


def make_portable(notebook: nbformat.NotebookNode, doctree: nodes.document, markdown: Markdown) -> None:
    """Replace the text of a page's executed notebook; each heading begins a cell."""
    code = [(index, cell) for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    # The cache of executed notebooks keeps outputs and forgets the order, which is that of the page.
    for count, (_, cell) in enumerate(code, 1):
        cell.execution_count = count
    cells: list[nbformat.NotebookNode] = []
    text: list[str] = []

    def end_text() -> None:
        if source := "\n\n".join(filter(None, text)):
            attached = {"attachments": dict(markdown.attachments)} if markdown.attachments else {}
            cells.append(new_markdown_cell(source, **attached))
        text.clear()
        markdown.attachments.clear()

    for node in parts(doctree):
        if is_cell(node) or isinstance(node, nodes.title):
            end_text()
        if is_cell(node):
            # With the cells before it that the page does not show.
            while code and code[0][0] <= node["cell_index"]:
                cells.append(code.pop(0)[1])
        else:
            text.append(markdown.write(node))
    end_text()
    notebook.cells = cells + [cell for _, cell in code]
    # In place of random ones, so that the same page gives the same file.
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"
    # What else stands there describes the page's source.
    for key in set(notebook.metadata) - {"kernelspec", "language_info"}:
        del notebook.metadata[key]


def executed(app: Sphinx, page: str) -> Path:
    """Return the path of the notebook that myst-nb has made of a page."""
    return Path(app.env.mystnb_config.output_folder) / f"{page}.ipynb"


def note_notebook(app: Sphinx, doctree: nodes.document) -> None:
    """Have a page with cells read again when its executed notebook is gone."""
    if any(doctree.findall(is_cell)):
        app.env.note_dependency(str(executed(app, app.env.docname)))


def write_notebook(app: Sphinx, page: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Write the notebook of a page with cells among the site's downloads, and note its address for others."""
    if doctree is None or app.builder.format != "html" or not any(doctree.findall(is_cell)):
        return
    notebook = nbformat.read(executed(app, page), as_version=4)
    make_portable(notebook, doctree, Markdown(app, page))
    path = Path(app.outdir) / "_downloads" / f"{page}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    context["notebook"] = "../" * page.count("/") + f"_downloads/{page}.ipynb"


def setup(app: Sphinx) -> dict:
    """Register the hooks; others use the notebook's address, so it is made first."""
    app.connect("doctree-read", note_notebook)
    app.connect("html-page-context", write_notebook, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
