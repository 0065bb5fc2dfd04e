"""Sphinx extension: what a careful setter does to every page alike, so that no writer has to think of it.

Names such as BiT-M and CIFAR-10 are not broken at their hyphen, a bracket stays with the formula behind it, captions
end in a full stop, and the heads of a table's columns and rows begin with a capital letter, unless they begin with a
name that has none. A short cell stays on one line, and a table of sentences becomes a list on a phone. A command is
broken between its words only, each of its lines set in.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

#: A name whose last part is a number, a letter, or an architecture: BiT-M-R50x1, CIFAR-10, NASNet-A, top-1.
NAME = re.compile(r"\b[A-Za-z]+(?:-[A-Z](?![\w])|-\d+[a-zA-Z]?(?![\w])|-R\d+x[\d.]*\d)+")
#: Names that begin a column or a row as they are written, and signs that no capital letter stands for.
AS_WRITTEN = {"bitdoc", "timm", "torchvision", "transformers", "v1", "v2", "float32", "bfloat16"}
#: Signs of a cell that stays on one line, "128 px" or "not drawn".
SHORT = 9
#: Signs of a cell that is too long for a column of a phone.
LONG = 60
_COMMANDS = re.compile(
    r'(<div class="highlight-(?:bash|console|powershell|text) notranslate"><div class="highlight"><pre>)'
    r"(.*?)(</pre>)",
    re.DOTALL,
)
_SPACE = re.compile(r'(<span class="w">\s+</span>|\s+(?![^<]*>))')
_NOT_IN = (nodes.literal, nodes.math, nodes.FixedTextElement, nodes.raw, nodes.comment)


def end_captions(app: Sphinx, doctree: nodes.document) -> None:
    """Put a full stop after each caption that ends without a sign of its own."""
    captions = [node for node in doctree.findall(nodes.caption) if isinstance(node.parent, nodes.figure)]
    captions += [node for node in doctree.findall(nodes.title) if isinstance(node.parent, nodes.table)]
    for caption in captions:
        if not caption.astext().rstrip().endswith((".", "?", "!", ":")):
            caption += nodes.Text(".")


def _begin(entry: nodes.entry) -> None:
    """Let a cell begin with a capital letter, unless it begins with code, a formula, a quotation or a name."""
    first = next((text for text in entry.findall(nodes.Text) if text.strip()), None)  # bold begins with an empty one
    if first is None or isinstance(first.parent, (*_NOT_IN, nodes.emphasis)):
        return
    word = re.match(r"[a-z]\w*", first.astext())
    if word and word[0].isascii() and word[0] not in AS_WRITTEN:
        first.parent.replace(first, nodes.Text(first[0].upper() + first[1:]))


def begin_columns(app: Sphinx, doctree: nodes.document) -> None:
    """Let the heads of a table's columns, and the names of its rows, begin with a capital letter."""
    for head in doctree.findall(nodes.thead):
        for entry in head.findall(nodes.entry):
            _begin(entry)
    for row in (row for body in doctree.findall(nodes.tbody) for row in body.findall(nodes.row)):
        _begin(row[0])


def keep_short_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Mark the cells of a table that need one line only."""
    for entry in doctree.findall(nodes.entry):
        if 0 < len(entry.astext()) <= SHORT:
            entry["classes"].append("short")


def mark_sentences(app: Sphinx, doctree: nodes.document) -> None:
    """Mark tables of three columns and more that hold sentences; ``access.js`` names their cells for a phone."""
    for table in doctree.findall(nodes.table):
        cells = [entry.astext() for body in table.findall(nodes.tbody) for entry in body.findall(nodes.entry)]
        columns = next((group["cols"] for group in table.findall(nodes.tgroup)), 0)
        if columns >= 3 and any(table.findall(nodes.thead)) and max(map(len, cells), default=0) > LONG:
            table["classes"].append("sentences")


def keep_brackets(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Mark a formula with the bracket before it and the sign behind it, which stay on one line."""
    for formula in list(doctree.findall(nodes.math)):
        parent = formula.parent
        place = parent.index(formula)
        before = parent[place - 1] if place else None
        behind = parent[place + 1] if place + 1 < len(parent) else None
        opens = isinstance(before, nodes.Text) and before.endswith(("(", "["))
        closes = isinstance(behind, nodes.Text) and behind.startswith((",", ".", ";", ":", ")", "]"))
        if not opens and not closes:
            continue
        around = [nodes.Text(before[-1])] if opens else []
        around += [formula, nodes.Text(behind[0])] if closes else [formula]
        parent[place] = nodes.inline("", "", *around, classes=["whole"])
        if opens:
            parent[place - 1] = nodes.Text(before[:-1])
        if closes:
            parent[place + 1] = nodes.Text(behind[1:])


def keep_names_whole(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Mark names with a hyphen, so that the style sheet keeps them on one line."""
    for text in list(doctree.findall(nodes.Text)):
        above = text.parent
        while above is not None and not isinstance(above, _NOT_IN):
            above = above.parent
        if above is not None or not NAME.search(text):
            continue
        pieces: list[nodes.Node] = []
        end = 0
        for match in NAME.finditer(text):
            pieces += [nodes.Text(text[end : match.start()]), nodes.inline("", match[0], classes=["whole"])]
            end = match.end()
        text.parent.replace(text, [piece for piece in [*pieces, nodes.Text(text[end:])] if piece.astext()])


def _is_whole(code: str) -> bool:
    return code.count("<span") == code.count("</span>")


def _command(line: str) -> str:
    """Return a line of a command with its words marked, as far as no string goes over several of them."""
    words = (
        f'<span class="word">{part}</span>' if part and not _SPACE.fullmatch(part) and _is_whole(part) else part
        for part in _SPACE.split(line)
    )
    return f'<span class="command">{"".join(words)}</span>'


def set_commands(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Mark lines and words of the commands on a page; what is copied from it stays the same."""

    def marked(match: re.Match) -> str:
        lines = match[2].splitlines(keepends=True)
        return match[1] + "".join(map(_command, lines)) + match[3] if all(map(_is_whole, lines)) else match[0]

    if doctree is not None and app.builder.format == "html":
        context["body"] = _COMMANDS.sub(marked, context["body"])


def setup(app: Sphinx) -> dict:
    """Register the hooks; names come after the terms of the glossary, which are looked for in whole sentences."""
    app.connect("doctree-read", end_captions)
    app.connect("doctree-read", begin_columns)
    app.connect("doctree-read", keep_short_cells)
    app.connect("doctree-read", mark_sentences)
    app.connect("doctree-resolved", keep_brackets)
    app.connect("doctree-resolved", keep_names_whole, priority=700)
    app.connect("html-page-context", set_commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
