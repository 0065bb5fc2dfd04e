"""What all pages have in common as they are set: captions, heads of columns, names, commands, titles in the tab."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from built_site import ROOT, docs_module
from docutils import nodes

Pages = dict[str, BeautifulSoup]


@pytest.fixture(scope="module")
def typography():
    return docs_module("_ext/typography")


def test_a_name_is_kept_whole_and_a_word_with_a_hyphen_is_not(typography) -> None:
    found = typography.NAME.findall(
        "BiT-M-R50x1 and BiT-L's, top-1 of CIFAR-10, ImageNet-21k, NASNet-A; few-shot, pre-trained"
    )
    assert found == ["BiT-M-R50x1", "BiT-L", "top-1", "CIFAR-10", "ImageNet-21k", "NASNet-A"]
    paragraph = nodes.paragraph("", "", nodes.Text("See BiT-M, "), nodes.literal("", "BiT-S"), nodes.Text(" in ("))
    paragraph += [nodes.math("x", "x"), nodes.Text(", and "), nodes.math("y", "y"), nodes.Text(" too")]
    document = nodes.section("", paragraph)
    typography.keep_brackets(None, document, "")
    typography.keep_names_whole(None, document, "")
    assert [node.astext() for node in document.findall(nodes.inline)] == ["BiT-M", "(x,"]
    assert paragraph.astext() == "See BiT-M, BiT-S in (x, and y too", "no word is lost"


def test_heads_of_columns_and_rows_and_captions(typography) -> None:
    def table(*heads: str) -> nodes.table:
        row = nodes.row("", *(nodes.entry("", nodes.paragraph("", head)) for head in heads))
        return nodes.table("", nodes.title("", "What is told"), nodes.tgroup("", nodes.thead("", row), cols=len(heads)))

    document = nodes.section("", table("way", "timm", "α", "1", "BiT"))
    quoted = nodes.paragraph("", "", nodes.emphasis("", "out of memory"))
    code = nodes.paragraph("", "", nodes.literal("", "stride"))
    bold = nodes.paragraph("", "", nodes.Text(""), nodes.strong("", "cost"))
    rows = [[nodes.paragraph("", "linear probe"), nodes.paragraph("", "left as it is")], [bold], [quoted], [code]]
    body = nodes.tbody("", *(nodes.row("", *(nodes.entry("", cell) for cell in row)) for row in rows))
    document += nodes.table("", nodes.tgroup("", body, cols=2))
    typography.begin_columns(None, document)
    typography.end_captions(None, document)
    typography.end_captions(None, document)
    cells = [entry.astext() for entry in document.findall(nodes.entry)]
    assert cells[:5] == ["Way", "timm", "α", "1", "BiT"]
    assert cells[5:] == ["Linear probe", "left as it is", "Cost", "out of memory", "stride"]
    assert next(iter(document.findall(nodes.title))).astext() == "What is told."


def test_a_command_is_marked_and_copied_as_it_was(typography) -> None:
    space = '<span class="w"> </span>'
    code = f'bitdoc{space}look{space}my_pictures{space}<span class="se">\\</span>\n{space}--dry-run\necho{space}"a\n'
    context = {"body": f'<div class="highlight-bash notranslate"><div class="highlight"><pre>{code}</pre></div></div>'}
    plain = BeautifulSoup(context["body"], "html.parser").get_text()
    typography.set_commands(SimpleNamespace(builder=SimpleNamespace(format="html")), "a", "", context, nodes.section())
    page = BeautifulSoup(context["body"], "html.parser")
    assert page.get_text() == plain
    assert len(page.select(".command")) == 3
    assert [word.get_text() for word in page.select(".word")][:3] == ["bitdoc", "look", "my_pictures"]


def test_captions_end_in_a_sign_and_heads_of_columns_and_rows_begin_with_a_capital(pages: Pages) -> None:
    captions = {tag.get_text().rstrip("#") for page in pages.values() for tag in page.select("article .caption-text")}
    assert len(captions) > 40
    assert not [told for told in captions if not told.endswith((".", "?", "!", ":"))]
    heads = {tag.get_text().strip() for page in pages.values() for tag in page.select("article table.table thead th")}
    for cell in (tag for page in pages.values() for tag in page.select("article table.table tbody tr > :first-child")):
        first = next((text for text in cell.find_all(string=True) if text.strip()), None)
        if first is not None and not first.find_parent(["code", "em", "math"]):
            heads.add(cell.get_text().strip())
    kept = docs_module("_ext/typography").AS_WRITTEN
    assert not [head for head in heads if re.match(r"[a-z]", head) and re.match(r"\w+", head)[0] not in kept]


def test_code_written_for_a_page_fits_it(pages: Pages) -> None:
    """What a page includes from the package has the package's 120 signs, and scrolls."""
    for name, page in pages.items():
        for code in page.select("article :is(.highlight-Python, .highlight-python, .highlight-ipython3) pre"):
            assert not [line for line in code.get_text().splitlines() if len(line) > 90], name


def test_titles_and_descriptions_are_plain_and_tell_the_page(pages: Pages) -> None:
    assert pages["index.html"].title.get_text() == "Big Transfer, explained by experiments"
    titles = [page.title.get_text() for page in pages.values()]
    assert len(set(titles)) == len(titles)
    for name, page in pages.items():
        assert page.html["lang"] == "en" and page.select_one("link[rel=icon]"), name
        for tag in page.select("meta[name=description], meta[property^='og:']"):
            assert not re.search(r"\*|\\\w", tag["content"]), f"{name}: {tag['content']}"


def test_the_bibliography_is_in_the_order_of_its_names(pages: Pages) -> None:
    labels = [tag.get_text(strip=True) for tag in pages["bibliography.html"].select("div.citation > .label")]
    letters = [unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower() for label in labels]
    plain = [label.strip("[]").replace(" et al.", "~") for label in letters]
    assert len(plain) > 50 and plain == sorted(plain)


def test_cards_of_the_gallery_tell_whole_sentences_and_the_sidebar_keeps_their_order(pages: Pages) -> None:
    cards = pages["gallery/index.html"].select(".sphx-glr-thumbcontainer")
    for card in cards:
        assert re.search(r"(?<!Fig)[.?]$", card["tooltip"]) and "\\" not in card["tooltip"], card["tooltip"]
        assert all("-narrow" in image["src"] for image in card.select("img")), card["tooltip"]
    shown = [Path(card.a["href"]).name for card in cards]
    links = pages["gallery/index.html"].select("nav.bd-links a[href*='plot_']")
    assert [Path(link["href"]).name for link in links] == shown


def test_examples_show_their_figures_in_both_themes(pages: Pages) -> None:
    for name, page in pages.items():
        if name.startswith("gallery/plot_"):
            for image in page.select("article img"):
                place = image if "only-light" in image["class"] or "only-dark" in image["class"] else image.parent
                assert {"only-light", "only-dark"} & set(place.get("class", [])), f"{name}: {image['src']}"


def test_every_figure_of_the_book_is_seen_on_its_page(pages: Pages) -> None:
    page = pages["api/figures.html"]
    placed = {figure["id"] for book in pages.values() for figure in book.select("figure.bit-figure[id]")}
    named = {link["href"].partition("#")[2] for link in page.select("article p a[href*='#fig-']")}
    assert len(page.select(".bit-figure-plain img.only-light")) == len(placed) > 40
    assert named == placed


def test_the_table_of_computations_is_in_words(pages: Pages) -> None:
    table = pages["status.html"].select_one("article table")
    assert {row.select("td")[-1].get_text(strip=True) for row in table.select("tbody tr")} == {"passed"}
    assert "1. Transfer learning" in table.get_text() or "Transfer learning" in table.get_text()
    assert not re.search(r"[✅❌]|Run Time", table.get_text())


def test_both_systems_have_one_name_each(pages: Pages) -> None:
    labels = {tag.get_text(strip=True) for page in pages.values() for tag in page.select("label.sd-tab-label")}
    assert labels == {"Linux, macOS", "Windows"}
    assert (ROOT / "docs" / "run-it.md").is_file()
