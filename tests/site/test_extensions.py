"""Extensions of the site that change pages from build to build, on a site of two pages."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from built_site import ROOT, docs_module
from docutils import nodes
from fontTools.ttLib import TTFont

CONF = """import sys
sys.path[:0] = [{extensions!r}, {root!r}]
extensions = ["report", "terms", "cards"]
terms_by_hand = ["root"]
terms_not_on = ["glossary"]
"""
INDEX = """Title
=====

A batch, a root, ``batch`` and a micro-batch; batch norms and the Batch again.

.. report::

.. toctree::

   glossary
"""
GLOSSARY = """Glossary
========

.. glossary::

   batch
      Images of a step.

   batch norm
      A norm.

   root
      The first layers.
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    conf = CONF.format(extensions=str(ROOT / "docs" / "_ext"), root=str(ROOT))
    for name, text in (("conf.py", conf), ("index.rst", INDEX), ("glossary.rst", GLOSSARY)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def page(source: Path) -> str:
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", str(source), str(source / "_build" / "html")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return (source / "_build" / "html" / "index.html").read_text(encoding="utf-8")


def test_the_report_is_offered_while_it_is_there(source: Path) -> None:
    how_to_make_it = "one printable report, with their lengths on its title page: run <code class"
    assert how_to_make_it in page(source)
    report = source / "_build" / "pdf" / "bitdoc.pdf"
    report.parent.mkdir()
    report.write_bytes(b"%PDF" + bytes(3_000_000))
    offered = page(source)
    assert "(PDF, 3 MB)" in offered and how_to_make_it not in offered
    (copy,) = (source / "_build" / "html" / "_downloads").rglob("bitdoc.pdf")
    assert copy.stat().st_size == report.stat().st_size
    report.unlink()
    assert how_to_make_it in page(source)


def test_first_uses_of_terms_are_linked_and_follow_the_glossary(source: Path) -> None:
    link = '<a class="term reference internal" href="glossary.html#term-{}">{}</a>'
    first = page(source)
    assert first.count('class="term ') == 2
    assert f"A {link.format('batch', 'batch')}, a root, <code" in first
    assert f"micro-batch; {link.format('batch-norm', 'batch norms')} and the Batch again" in first
    assert '<div id="card-glossary-term-batch"><p>Images of a step.</p>' in first
    glossary = source / "glossary.rst"
    glossary.write_text(GLOSSARY.replace("batch norm", "micro-batch"), encoding="utf-8")
    assert link.format("micro-batch", "micro-batch") in page(source), "the page is written again"


def test_long_names_break_between_their_parts_and_tags_stay_whole() -> None:
    text = docs_module("_ext/access").breakable_text
    assert text('<span class="section-number">1. </span>Transfer') == '<span class="section-number">1. </span>Transfer'
    assert text("<code>bitdoc.network.norms</code>") == "<code>bitdoc.<wbr>network.<wbr>norms</code>"


def test_the_search_tells_words_of_a_page_and_no_formula() -> None:
    root = nodes.document(SimpleNamespace(), SimpleNamespace())
    section = nodes.section("", nodes.title("", "Norms"), ids=["norms"])
    root += nodes.paragraph("", "Before all.")
    root += section
    section += nodes.paragraph("", "", nodes.Text("A mean of "), nodes.math("", "x^2"), nodes.Text(" is\ntaken."))
    item = nodes.definition_list_item("", nodes.term("", "batch"))
    item += nodes.definition("", nodes.paragraph("", "Images of a step."))
    section += nodes.definition_list("", item)
    assert docs_module("_ext/search").paragraphs(root) == [
        ("", "Before all."),
        ("norms", "A mean of … is taken."),
        ("norms", "batch: Images of a step."),
    ]


def test_all_sizes_of_a_root_are_of_one_width() -> None:
    """A browser leaves a root the room of the widest of its sizes, whichever it draws."""
    mathml = docs_module("_ext/mathml")
    data = re.search(r"base64,([^)]+)", mathml.font_style_sheet())[1]
    font = TTFont(io.BytesIO(base64.b64decode(data)))
    table, root = font["MATH"].table.MathVariants, font.getBestCmap()[0x221A]
    sizes = table.VertGlyphConstruction[table.VertGlyphCoverage.glyphs.index(root)]
    names = [size.VariantGlyph for size in sizes.MathGlyphVariantRecord]
    names += [part.glyph for part in sizes.GlyphAssembly.PartRecords]
    assert len(names) > 5 and {font["hmtx"][name][0] for name in names} == {font["hmtx"][root][0]}


def test_edit_links_lead_somewhere() -> None:
    access = docs_module("_ext/access")
    app = SimpleNamespace(srcdir=ROOT / "docs")

    def edit_links(page: str) -> list[str]:
        kept = {"label": "source-issues-button", "url": "issues"}
        button = {"label": "source-edit-button", "url": f"https://host/edit/main/docs/{page}.rst"}
        context = {"header_buttons": [{"buttons": [kept, button]}, {"label": "fullscreen-button"}]}
        access.mend_edit_link(app, page, "page.html", context, None)
        assert kept in context["header_buttons"][0]["buttons"]
        return [each["url"] for each in context["header_buttons"][0]["buttons"] if each is not kept]

    assert edit_links("api/index") == ["https://host/edit/main/docs/api/index.rst"]
    assert edit_links("gallery/plot_widths") == ["https://host/edit/main/examples/plot_widths.py"]
    assert edit_links("gallery/index") == edit_links("api/generated/bitdoc.network.norms") == []


WORKS = """@inproceedings{a, author = {He, Ann and Li, Bo and Wu, Cy}, title = {Deep}, year = {2016}, booktitle = {X}}
@inproceedings{b, author = {He, Ann and Li, Bo and Wu, Cy}, title = {Clear}, year = {2016}, booktitle = {X}}
@inproceedings{c, author = {Wu, Cy and H{\\'e}naff, Ann}, title = {Groups}, year = {2018}, booktitle = {X}}
"""


def test_each_work_is_listed_once_under_the_name_the_text_uses(source: Path) -> None:
    settings = 'extensions += ["sphinxcontrib.bibtex", "citations"]\nbibtex_bibfiles = ["works.bib"]\n'
    settings += 'bibtex_default_style = bibtex_reference_style = "author_year"\n'
    with (source / "conf.py").open("a", encoding="utf-8") as conf:
        conf.write(settings)
    (source / "works.bib").write_text(WORKS, encoding="utf-8")
    (source / "bibliography.rst").write_text("Works\n=====\n\n.. bibliography::\n", encoding="utf-8")
    cited = ":cite:p:`a`, :cite:p:`b` and :cite:t:`c`.\n\n.. toctree::\n\n   bibliography\n"
    (source / "index.rst").write_text(INDEX + "\n" + cited, encoding="utf-8")
    text = re.sub("<[^>]+>", "", page(source))
    assert "[He et al., 2016b], [He et al., 2016a] and Wu and Hénaff [2018]" in text
    listed = re.sub("<[^>]+>", "", (source / "_build" / "html" / "bibliography.html").read_text(encoding="utf-8"))
    for label in ("He et al., 2016a", "He et al., 2016b", "Wu and Hénaff, 2018"):
        assert listed.count(f"[{label}]") == 1, label
    assert listed.count("Deep.") == listed.count("Clear.") == listed.count("Groups.") == 1


def test_numbers_of_figures_and_tables_are_not_those_of_a_paper(tmp_path: Path) -> None:
    """Pages in the numbered contents count 1.1, 1.2; all others have a letter, also when a site is built again."""
    conf = CONF.format(extensions=str(ROOT / "docs" / "_ext"), root=str(ROOT)).splitlines()[:2]
    tree = "\n.. toctree::\n   :numbered: 1\n\n   section\n\n.. toctree::\n\n   first\n   second\n"
    table = "\n.. table:: A table\n   :name: {name}\n\n   == ==\n   1  2\n   == ==\n\n{words} :numref:`{name}`.\n"
    files = {
        "conf.py": "\n".join([*conf, 'extensions = ["bitfig"]', "numfig, numfig_secnum_depth = True, 1"]),
        "index.rst": f"Title\n=====\n{tree}",
        "section.rst": "Section\n=======\n" + table.format(name="a", words="See"),
        "first.rst": "First\n=====\n" + table.format(name="b", words="See") + table.format(name="c", words="See"),
        "second.rst": "Second\n======\n" + table.format(name="d", words="See"),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for words in ("See", "Look at"):
        (tmp_path / "second.rst").write_text("Second\n======\n" + table.format(name="d", words=words), encoding="utf-8")
        page(tmp_path)
        found = {
            name: re.findall(
                r"Table [\w.]+", (tmp_path / "_build" / "html" / f"{name}.html").read_text(encoding="utf-8")
            )
            for name in ("section", "first", "second")
        }
        assert {name: sorted(set(numbers)) for name, numbers in found.items()} == {
            "section": ["Table 1.1"],
            "first": ["Table A.1", "Table A.2"],
            "second": ["Table B.1"],
        }
