"""How the site is found and read: text versions, sitemap, cards, terms and citations that explain themselves."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup
from built_site import ROOT
from PIL import Image

WITHOUT_SOURCE = {"genindex.html", "search.html"}
BOOK = ("transfer-learning", "architecture", "normalization", "mixup", "models", "few-shot", "paper-vs-code", "run-it")


def written(pages: dict[str, BeautifulSoup]) -> dict[str, BeautifulSoup]:
    return {name: page for name, page in pages.items() if name not in WITHOUT_SOURCE}


def test_sitemap_names_every_page(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    found = ElementTree.parse(site / "sitemap.xml").iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    addresses = [place.text for place in found]
    base = min((a for a in addresses if a.endswith("/index.html")), key=len).removesuffix("index.html")
    assert urlsplit(base).scheme in {"http", "https"}
    assert sorted(address.removeprefix(base) for address in addresses) == sorted(written(pages))


def test_every_page_has_a_description_and_a_card(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    for name, page in written(pages).items():
        tags = {tag["property"]: tag["content"] for tag in page.select("meta[property^='og:']")}
        assert tags["og:title"] in page.title.get_text(), name
        assert tags["og:url"].endswith(name)
        described = page.select("meta[name=description]")
        assert (len(described) == 1 and len(described[0]["content"]) <= 200) or name == "index.html", name
        card = site / tags["og:image"].removeprefix(tags["og:url"].removesuffix(name))
        with Image.open(card) as picture:
            assert picture.size == (1200, 630)
        assert card.stat().st_size < 150_000
    cards = {page.select_one("meta[property='og:image']")["content"] for page in written(pages).values()}
    assert len(cards) > 8, "the pages of the book have cards of their own"


def test_every_page_has_a_text_version(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    index = (site / "llms.txt").read_text(encoding="utf-8")
    for name, page in written(pages).items():
        link = page.select_one("link[rel=alternate][type='text/plain']")
        path = ((site / name).parent / link["href"]).resolve()
        assert f"(text/{path.relative_to((site / 'text').resolve()).as_posix()})" in index, name
        text = " ".join(path.read_text(encoding="utf-8").split())
        # The title, without the sign that links to it.
        assert " ".join(page.select_one("article h1").get_text().rstrip("#").split()) in text, name
        assert "%s" not in text, f"{name}: a reference without its number"
    assert len(list((site / "text").rglob("*.txt"))) == len(written(pages)) == index.count("\n- [")


def test_texts_of_examples_tell_of_them_and_keep_their_code(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    examples = [name.removesuffix(".html") for name in pages if name.startswith("gallery/plot_")]
    told = [pages[f"{name}.html"].select_one("meta[name=description]")["content"] for name in examples]
    assert len(set(told)) == len(examples) > 5
    assert not [text for text in told if "Go to the end" in text]
    text = (site / "text" / "gallery" / "plot_norm_axes.txt").read_text(encoding="utf-8")
    assert '\n   axes = figures.draw("norm-axes")\n' in text
    assert "[Picture: Four drawings" in text


def test_texts_hold_figures_formulas_and_computed_numbers(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    for name in BOOK:
        text = " ".join((site / "text" / f"{name}.txt").read_text(encoding="utf-8").split())
        page = pages[f"{name}.html"]
        for figure in page.select("figure.bit-figure"):
            assert figure.select_one(".caption-number").get_text().strip() + ": " in text, name
            assert " ".join(figure.select_one("img")["alt"].split()) in text, name
        for number in page.select(".bit-value"):
            assert " ".join(number.get_text().split()) in text, name
        assert text.count("$") >= 2 * len(page.select("math")), name


def test_a_term_links_to_the_glossary_where_a_page_first_uses_it(pages: dict[str, BeautifulSoup]) -> None:
    explained = {tag["id"] for tag in pages["glossary.html"].select("dt[id]")}
    used = Counter()
    for name in BOOK:
        links = pages[f"{name}.html"].select("article a.term")
        anchors = [link["href"].partition("#")[2] for link in links]
        assert anchors, name
        assert len(anchors) == len(set(anchors)), f"{name}: once is enough"
        assert set(anchors) <= explained
        assert not pages[f"{name}.html"].select("h1 a.term, h2 a.term, figcaption a.term, table a.term, pre a.term")
        used.update(anchors)
    assert len(used) > len(explained) / 2


def test_term_is_the_first_of_its_page(pages: dict[str, BeautifulSoup]) -> None:
    page = BeautifulSoup(str(pages["normalization.html"].select_one("article")), "html.parser")
    for other in page.select("h1, h2, h3, figure, table, code, pre, aside"):
        other.decompose()
    text = page.get_text()
    link = page.select_one("a.term[href$='#term-group-norm']")
    before = "".join(string for string in link.find_all_previous(string=True))
    assert link.get_text().lower() == "group norm" and "group norm" in text.lower()
    assert not re.search("group norm", before, re.IGNORECASE)


def test_citations_and_terms_carry_their_explanations(pages: dict[str, BeautifulSoup]) -> None:
    entries = {tag["id"]: tag.p.get_text() for tag in pages["bibliography.html"].select(".citation")}
    cited = 0
    for name, page in written(pages).items():
        for link in page.select("article a[href*='bibliography.html#']"):
            anchor = link["href"].partition("#")[2]
            card = page.find(id=f"card-bibliography-{anchor}")
            assert card is not None, f"{name}: {link}"
            assert card.get_text().strip() == entries[anchor].strip()
            cited += 1
        for link in page.select("article a[href*='glossary.html#term-']"):
            assert page.find(id=f"card-glossary-{link['href'].partition('#')[2]}"), f"{name}: {link}"
        assert not page.select("#cards a.internal"), "a link on a card would lead astray from another folder"
    assert cited > 50


def test_bibliography_and_glossary_are_complete(pages: dict[str, BeautifulSoup]) -> None:
    for entry in pages["bibliography.html"].select(".citation"):
        assert entry["role"] == "listitem"
        assert "\\" not in entry.get_text(), entry.get_text()
        assert entry.get_text().strip().endswith("."), entry.get_text()
    for term in pages["glossary.html"].select("dt[id]"):
        assert term.find_next("dd").get_text().strip()


def test_the_bibliography_lists_each_work_once_under_the_name_the_text_uses(pages: dict[str, BeautifulSoup]) -> None:
    listed = pages["bibliography.html"].select("article .citation")
    labels = {entry["id"]: entry.select_one(".label").get_text().strip("[]") for entry in listed}
    assert len(listed) > 50
    assert len(set(labels.values())) == len(labels), "two works of one name would not be told apart"
    text = pages["bibliography.html"].select_one("article").get_text()
    for entry in listed:
        assert text.count(entry.select_one("p").get_text().strip()) == 1, entry["id"]
    wrong = set()
    for page in written(pages).values():
        for link in page.select("article p a[href*='bibliography.html#']"):
            said = re.sub(r"[()]", "", " ".join(link.get_text().split()))
            label = labels[link["href"].partition("#")[2]]
            if said not in {label, label.rpartition(", ")[2], label.rpartition(", ")[0], label.replace(", ", " ")}:
                wrong.add((said, label))
    assert not wrong


def test_the_sidebar_has_three_groups(pages: dict[str, BeautifulSoup]) -> None:
    for name in ("index.html", "gallery/index.html"):
        captions = pages[name].select("nav.bd-links p.caption")
        assert [caption.get_text().strip() for caption in captions] == ["Book", "Do", "Reference"]


def test_the_gallery_has_groups_with_a_sentence_and_pictures_for_both_themes(pages: dict[str, BeautifulSoup]) -> None:
    gallery = pages["gallery/index.html"].select_one("article")
    groups = gallery.select("section section")
    assert [group.h2.get_text().rstrip("#") for group in groups] == [
        "With your own pictures",
        "See how it works",
        "Measure again",
    ]
    for group in groups:
        assert group.p.get_text().endswith(".")
        for thumbnail in group.select(".sphx-glr-thumbcontainer"):
            themes = [{"only-light", "only-dark"} & set(image["class"]) for image in thumbnail.select("img")]
            assert themes == [{"only-light"}, {"only-dark"}]
    assert len(gallery.select(".sphx-glr-thumbcontainer")) == len(list((ROOT / "examples").glob("plot_*.py")))


def test_texts_set_tables_in_lines_and_number_equations(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    for name in BOOK:
        text = (site / "text" / f"{name}.txt").read_text(encoding="utf-8")
        for ruler in re.findall(r"^ *\+[-=+]+\+$", text, re.MULTILINE):
            assert min(map(len, re.findall(r"[-=]+", ruler))) >= 5, f"{name}: {ruler}"
        for equation in pages[f"{name}.html"].select("div.math .eqno"):
            number = re.search(r"\(.*?\)", equation.get_text())[0]
            assert f"$$ {number}" in text, f"{name}: {number}"


def test_summaries_of_the_reference_are_whole_sentences(pages: dict[str, BeautifulSoup]) -> None:
    for name, page in pages.items():
        for cell in page.select("table.autosummary td:nth-child(2)"):
            assert not re.search(r"\b(Fig|Eq|Sec|Tab)\.$", cell.get_text().strip()), f"{name}: {cell.get_text()}"


def test_examples_and_reference_link_to_one_another(pages: dict[str, BeautifulSoup]) -> None:
    norms = pages["api/generated/bitdoc.network.norms.html"]
    entry = norms.find(id="bitdoc.network.norms.normalize") or norms.select_one("dt[id^='bitdoc.network.norms.']")
    assert entry is not None
    examples = {link["href"] for link in norms.select(".sphx-glr-thumbcontainer a[href]")}
    assert any("plot_" in href for href in examples), "the reference shows the examples that use a function"
    back = {
        link["href"]
        for name, page in pages.items()
        if name.startswith("gallery/plot_")
        for link in page.select("pre a[href*='api/generated/bitdoc.']")
    }
    assert len(back) > 5, "an example's code links to the reference"


def test_every_executed_page_offers_its_notebook_with_outputs(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    offered = 0
    for name, page in pages.items():
        if page.select("article .cell_input, article .cell_output"):
            link = page.select_one("article a.download[href$='.ipynb']")
            assert link is not None, name
            notebook = ((site / name).parent / link["href"]).read_text(encoding="utf-8")
            assert '"outputs": [' in notebook and '"cell_type": "code"' in notebook
            offered += 1
        assert not page.select("a[href*='colab'], a[href*='mybinder']"), "no launch button that leads nowhere"
        assert "verified on 20" in page.select_one("footer.bd-footer-content").get_text()
    assert offered >= 5


def test_fonts_come_along_small_and_with_their_licences(site: Path) -> None:
    folder = ROOT / "docs" / "_fonts"
    fonts = list(folder.glob("*.woff2"))
    assert len(fonts) == 3 and sum(font.stat().st_size for font in fonts) < 150_000
    licences = [path.read_text(encoding="utf-8") for path in folder.glob("*OFL.txt")]
    assert len(licences) == 2 and all("SIL OPEN FONT LICENSE Version 1.1" in text for text in licences)
    assert (site / "_static" / "fonts.css").read_text(encoding="ascii").count("@font-face") == len(fonts)


def test_front_page_leads_everywhere(pages: dict[str, BeautifulSoup]) -> None:
    front = pages["index.html"].select_one("article")
    links = {link["href"] for link in front.select("a[href]")}
    assert {f"{name}.html" for name in BOOK[:6]} <= links
    assert {"gallery/index.html", "api/index.html", "own-pictures.html"} <= links
    assert len(front.select("img.only-light:not(.ten-pictures img)")) == 3, "its three best pictures"
    first = front.select_one("p").get_text()
    assert "Big Transfer" in first and len(first.split()) < 80, "ten seconds are eighty words, and a glance"
