"""The notebooks that the pages offer: what somebody sees who opens one in plain Jupyter."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup
from built_site import ROOT, docs_module
from docutils import nodes

from bitdoc import figures

SOURCES = {
    path.stem: text
    for path in sorted((ROOT / "docs").glob("*.md"))
    if "```{code-cell}" in (text := path.read_text(encoding="utf-8"))
}
# Markup that only Sphinx understands.
MARKUP = re.compile(
    r"\{(?:bit-\w+|numref|cite(?::\w)?|doc|ref|eq|term|func|class|mod|meth|dropdown|margin|table|raw|literalinclude"
    r"|code-cell|div|nb-[\w-]+)\}"
)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?::[^\n]*\n)*(.*?)\n```$", re.MULTILINE | re.DOTALL)
# What JupyterLab shows of attachments; SVG it refuses.
PICTURES = {"image/bmp", "image/png", "image/jpeg", "image/gif", "image/webp"}


@pytest.fixture(scope="module")
def notebooks(site: Path, pages: dict[str, BeautifulSoup]) -> dict[str, nbformat.NotebookNode]:
    """The downloaded notebooks by the names of their pages."""
    found = {}
    for name in SOURCES:
        link = pages[f"{name}.html"].select_one("article a.download[href$='.ipynb']")
        found[name] = nbformat.read(site / link["href"], as_version=nbformat.NO_CONVERT)
    return found


def text_of(notebook: nbformat.NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", SOURCES)
def test_notebook_is_valid_and_keeps_the_cells_of_the_page(name: str, notebooks: dict) -> None:
    nbformat.validate(notebooks[name])
    code = [cell for cell in notebooks[name].cells if cell.cell_type == "code"]
    assert [cell.source for cell in code] == CELL.findall(SOURCES[name])
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "they were run"
    assert any(cell.outputs for cell in code)


@pytest.mark.parametrize("name", SOURCES)
def test_no_markup_of_sphinx_is_left(name: str, notebooks: dict) -> None:
    text = without_code(text_of(notebooks[name]))
    assert not MARKUP.findall(text)
    assert not re.findall(r"^(?::::|\([\w-]+\)=|:\w+: )", text, re.MULTILINE), "no fence, label or option"


@pytest.mark.parametrize("name", SOURCES)
def test_every_figure_is_attached_to_the_cell_that_shows_it(name: str, notebooks: dict) -> None:
    attached = set()
    for cell in notebooks[name].cells:
        shown = set(re.findall(r"\(attachment:([^)]+)\)", cell.source)) if cell.cell_type == "markdown" else set()
        assert set(cell.get("attachments", {})) == shown
        for file, content in cell.get("attachments", {}).items():
            (kind,) = content
            assert kind in PICTURES
            assert base64.b64decode(content[kind], validate=True)[8:12] == b"WEBP"
            attached.add(file.removesuffix("-light.webp"))
    parts = re.findall(r"\{include\} (\S+)", SOURCES[name])
    source = SOURCES[name] + "".join((ROOT / "docs" / part).read_text(encoding="utf-8") for part in parts)
    assert attached == set(re.findall(r"\{bit-figure\} ([\w-]+)", source))


@pytest.mark.parametrize("name", SOURCES)
def test_numbers_are_those_of_the_page(name: str, notebooks: dict, pages: dict[str, BeautifulSoup]) -> None:
    text, page = text_of(notebooks[name]), pages[f"{name}.html"]
    for number in page.select(".caption-number"):
        assert f"**{number.get_text().strip()}** " in text
    for number in page.select(".eqno"):
        assert rf"\tag{{{number.get_text().strip('()# ')}}}" in text
    for value in page.select("p > .bit-value"):
        assert value.get_text() in text
    for citation in page.select("section p > .bibtex-citation"):  # cards of terms stand behind the sections
        assert citation.get_text() in text.replace("*", "")
    assert text.split("\n")[0] == f"# {page.select_one('article h1').get_text().rstrip('#')}"


def test_a_known_number_stands_in_the_text(notebooks: dict) -> None:
    text = text_of(notebooks["normalization"])
    assert f"twenty layers make the activations {figures.values()['norm-depth-grow']()} times as large" in text


# -- The writer by itself ---------------------------------------------------------------------------------------------
@pytest.fixture
def portable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    return docs_module("_ext/portable")


@pytest.fixture
def markdown(portable):
    env = SimpleNamespace(
        toc_fignumbers={"page": {"table": {"tab": (3, 1)}, "displaymath": {"eq": (3, 2)}}},
        toc_secnumbers={"page": {"": (3,)}},
    )
    return portable.Markdown(SimpleNamespace(config=SimpleNamespace(bitfig_cache="."), env=env), "page")


def paragraph(*children: nodes.Node) -> nodes.paragraph:
    return nodes.paragraph("", "", *children)


def test_what_looks_like_markup_stays_text(markdown) -> None:
    text = nodes.Text("2 * 3 * 4, ~5, a_b _c_ <d> [e](f) `g` &amp; \\h")
    assert markdown.write(text) == r"2 \* 3 \* 4, \~5, a_b \_c\_ \<d> [e\](f) \`g\` \&amp; \\h"
    assert markdown.write(nodes.literal("", "a `b` c")) == "`` a `b` c ``"


def test_a_bar_ends_no_cell_of_a_table(markdown) -> None:
    cells = [[nodes.Text("a|b")], [nodes.math("", r"|x| \| y \|")], [nodes.literal("", "p|q")]]
    rows = [nodes.row("", *(nodes.entry("", paragraph(*cell), classes=["bit-number"]) for cell in cells))]
    rows.insert(0, nodes.row("", *(nodes.entry("", paragraph(nodes.Text(name))) for name in "rst")))
    group = nodes.tgroup("", nodes.thead("", rows[0]), nodes.tbody("", rows[1]))
    table = nodes.table("", nodes.title("", "What"), group, ids=["tab"])
    bars = r"| a\|b | $\vert x\vert \Vert y \Vert $ | `p\|q` |"
    assert markdown.write(table) == f"**Table 3.1** What\n\n| r | s | t |\n| ---: | ---: | ---: |\n{bars}"


def test_equation_code_list_remark_and_link(markdown) -> None:
    assert markdown.write(nodes.math_block("", "x = 1", ids=["eq"])) == "$$\nx = 1\n\\tag{3.2}\n$$"
    code = nodes.literal_block("", "a\nb", language="default", linenos=True, highlight_args={"linenostart": 9})
    assert markdown.write(code) == "```python\n   9  a\n  10  b\n```"
    inner = nodes.bullet_list("", nodes.list_item("", paragraph(nodes.Text("c"))))
    outer = nodes.enumerated_list("", nodes.list_item("", paragraph(nodes.Text("a\nb")), inner))
    assert markdown.write(outer) == "1. a b\n\n   - c"
    remark = nodes.sidebar("", nodes.title(), paragraph(nodes.Text("a")), paragraph(nodes.Text("b")))
    assert markdown.write(remark) == "> a\n>\n> b"
    away = nodes.reference("", "there", refuri="https://host/")
    assert markdown.write(paragraph(away)) == "[there](https://host/)"
    inside = nodes.reference("", "here", refuri="page.html", internal=True)
    assert markdown.write(paragraph(inside)) == "here"


def test_cells_that_the_page_does_not_show_are_kept(portable, markdown) -> None:
    new = nbformat.v4
    written = [new.new_markdown_cell("old"), *(new.new_code_cell(name, outputs=[]) for name in "abc")]
    notebook = new.new_notebook(cells=written, metadata={"source_map": [1]})
    shown = nodes.container(nb_element="cell_code", cell_index=2)
    doctree = nodes.section("", nodes.title("", "T"), paragraph(nodes.Text("x")), shown, paragraph(nodes.Text("y")))
    portable.make_portable(notebook, nodes.section("", doctree), markdown)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == ["## T\n\nx", "a", "b", "y", "c"]
    assert [cell.id for cell in notebook.cells] == [f"cell-{number}" for number in range(5)]
    assert notebook.metadata == {}


# -- From build to build ----------------------------------------------------------------------------------------------
CONF = """import sys
sys.path[:0] = [{extensions!r}, {root!r}]
extensions = ["myst_nb", "sphinx_design", "bitfig", "portable", "notebooks"]
exclude_patterns = ["_build"]
nb_execution_mode = "off"
numfig = True
numfig_secnum_depth = 1
bitfig_cache = {cache!r}
"""
INDEX = "# Index\n\n```{{toctree}}\n:numbered: 1\n\n{}\n```\n"
PAGE = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# Page

See {numref}`fig-norm-running`.

```{bit-figure} norm-running
```

```{code-cell}
1 + 1
```
"""


def build(source: Path) -> bytes:
    """Build the little site and return the notebook of its page."""
    command = [sys.executable, "-m", "sphinx", "-v", "-N", "-W", str(source), str(source / "_build" / "html")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    (source / "log.txt").write_text(done.stdout, encoding="utf-8")
    return (source / "_build" / "html" / "_downloads" / "page.ipynb").read_bytes()


@pytest.mark.slow
def test_notebook_follows_a_page_that_was_not_read_again(tmp_path: Path) -> None:
    extensions, cache = str(ROOT / "docs" / "_ext"), tmp_path / "figures"
    cache.mkdir()
    conf = CONF.format(extensions=extensions, root=str(ROOT), cache=str(cache))
    files = {"conf.py": conf, "index.md": INDEX.format("page"), "page.md": PAGE}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    first = build(tmp_path)
    assert b"# 1. Page" in first and b"See Fig. 1.1." in first and b"**Fig. 1.1** " in first
    assert build(tmp_path) == first, "nothing has changed"
    (tmp_path / "before.md").write_text("# Before\n\nAnother page.\n", encoding="utf-8")
    (tmp_path / "index.md").write_text(INDEX.format("before\npage"), encoding="utf-8")
    second = build(tmp_path)
    assert "reading sources... [100%] index" in (log := (tmp_path / "log.txt").read_text(encoding="utf-8"))
    assert not re.search(r"reading sources\.\.\. .*page", log), "the page was not read again"
    assert second == first.replace(b"# 1. Page", b"# 2. Page").replace(b"Fig. 1.1", b"Fig. 2.1")
