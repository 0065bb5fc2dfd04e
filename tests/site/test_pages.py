"""What a reader of the built site relies on."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from built_site import ROOT, wire

SECTIONS = ("transfer-learning", "architecture", "normalization", "mixup", "models")
EXPECTED = (*SECTIONS, "index", "few-shot", "paper-vs-code", "run-it", "bibliography", "api/index", "gallery/index")
LOADED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "link": "href", "use": "href"}
LINKED_ONLY = {"canonical", "next", "prev", "search", "index", "author", "license", "alternate"}


@pytest.mark.parametrize("name", EXPECTED)
def test_page_exists(name: str, pages: dict[str, BeautifulSoup]) -> None:
    page = pages.get(f"{name}.html")
    assert page is not None
    assert len(page.select("article h1")) == 1


@pytest.mark.parametrize("name", SECTIONS)
def test_section_shows_a_numbered_figure_and_a_citation(name: str, pages: dict[str, BeautifulSoup]) -> None:
    page = pages[f"{name}.html"]
    assert page.select("figure.bit-figure .caption-number")
    assert page.select('article a[href^="bibliography.html#"]')


def test_sections_are_numbered_one_to_five(pages: dict[str, BeautifulSoup]) -> None:
    titles = [pages[f"{name}.html"].select_one("article h1").get_text() for name in (*SECTIONS, "few-shot")]
    assert [title.split(".")[0] for title in titles] == ["1", "2", "3", "4", "5", "6"]


def test_few_shot_figure_is_figure_6(pages: dict[str, BeautifulSoup]) -> None:
    figure = pages["few-shot.html"].select_one("#fig-few-shot")
    assert figure is not None
    assert figure.select_one(".caption-number").get_text().strip() == "Fig. 6"


def test_every_figure_number_is_given_once(pages: dict[str, BeautifulSoup]) -> None:
    for kind in ("figure .caption-number", "table .caption-number"):
        numbers = [tag.get_text().strip() for page in pages.values() for tag in page.select(kind)]
        assert numbers
        assert sorted(numbers) == sorted(set(numbers))


def test_no_number_looks_like_one_of_a_paper(pages: dict[str, BeautifulSoup]) -> None:
    numbers = [tag.get_text().strip() for page in pages.values() for tag in page.select(".caption-number")]
    assert [number for number in numbers if not re.fullmatch(r"(Fig\.|Table) [1-9A-Z]\.\d+", number)] == ["Fig. 6"]


def test_every_figure_and_table_is_referred_to_by_number(pages: dict[str, BeautifulSoup]) -> None:
    forgotten = []
    for name, page in pages.items():
        led_to = {link["href"] for link in page.select("article p a.reference.internal[href^='#']")}
        numbered = [tag.find_parent(["figure", "table"])["id"] for tag in page.select(".caption-number")]
        forgotten += [f"{name}#{id}" for id in numbered if f"#{id}" not in led_to]
    assert not forgotten


def test_every_equation_with_a_number_is_referred_to(pages: dict[str, BeautifulSoup]) -> None:
    links = {link["href"].split("#")[-1] for page in pages.values() for link in page.select("article a[href*='#']")}
    for name, page in pages.items():
        for equation in page.select("div.math[id]:has(.eqno)"):
            assert equation["id"] in links, f"{name}: {equation['id']}"


def test_every_heading_has_text_under_it(pages: dict[str, BeautifulSoup]) -> None:
    bare = []
    for name, page in pages.items():
        for heading in page.select("article h1, article h2, article h3"):
            following = heading.find_next_sibling()
            if following is None or following.name == "section":
                bare.append(f"{name}: {heading.get_text()}")
    assert not bare


def test_every_picture_has_alt_text(pages: dict[str, BeautifulSoup]) -> None:
    wrong = []
    for name, page in pages.items():
        for image in page.select("img"):
            # A picture that only feeds a script is hidden from everybody.
            if image.has_attr("hidden"):
                continue
            alt = image.get("alt", "").strip()
            is_path = re.search(r"_images/|\.(png|svg|jpe?g|gif)$", alt)
            if is_path or len(alt) < 4:
                wrong.append(f"{name}: {image.get('src')}: {alt!r}")
    assert not wrong


def test_every_figure_has_a_light_and_a_dark_picture(pages: dict[str, BeautifulSoup]) -> None:
    for page in pages.values():
        for figure in page.select("figure.bit-figure, .bit-figure-plain"):
            assert [image["class"] for image in figure.select("img")] == [["only-light"], ["only-dark"]]
        for figure in page.select("figure.bit-figure"):
            pictures = [image["src"] for image in figure.select("img")]
            assert [link["href"] for link in figure.select("a.only-light, a.only-dark")] == pictures
            narrow = [source["srcset"] for source in figure.select("picture > source[media^=screen]")]
            assert all("-narrow" in picture for picture in narrow)
            # Where the site was built before, Sphinx numbers a picture that was drawn anew.
            named = [[re.sub(r"(light|dark)[-\w]*", r"\1", each) for each in some] for some in (narrow, pictures)]
            assert named[0] == named[1]


def test_the_comparison_can_be_fetched_for_a_slide(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    links = pages["normalization.html"].select("#fig-norm-compare a.download")
    assert [link.get_text() for link in links] == ["PNG", "PDF"]
    starts = [(site / unquote(link["href"])).read_bytes()[:4] for link in links]
    assert starts == [b"\x89PNG", b"%PDF"]


def test_gallery_pages_show_captured_figures(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    shown = {name: page for name, page in pages.items() if name.startswith("gallery/plot_")}
    scripts = {path.stem for path in (ROOT / "examples").glob("plot_*.py")}
    assert {Path(name).stem for name in shown} == scripts
    for name, page in shown.items():
        assert page.select("img.sphx-glr-single-img, img.sphx-glr-multi-img, .bit-figure-plain img"), name
        assert page.select(".sphx-glr-download"), name


def test_thumbnails_bear_the_title_of_their_example(pages: dict[str, BeautifulSoup]) -> None:
    found = 0
    for page in pages.values():
        for thumbnail in page.select(".sphx-glr-thumbcontainer"):
            found += 1
            assert thumbnail.img["alt"] == thumbnail.select_one(".sphx-glr-thumbnail-title").get_text()
    assert found > 10


def test_no_formula_is_left_as_latex(pages: dict[str, BeautifulSoup]) -> None:
    formulas = 0
    for name, page in pages.items():
        for formula in page.select("span.math, div.math"):
            formulas += 1
            assert formula.find("math") is not None, f"{name}: {formula}"
    assert formulas > 10


def _loads(page: BeautifulSoup) -> set[str]:
    """Addresses that the browser fetches by itself."""
    addresses = set()
    for tag, attribute in LOADED.items():
        for element in page.select(f"{tag}[{attribute}]"):
            if not LINKED_ONLY & set(element.get("rel", [])):
                addresses.add(element[attribute])
    for element in page.select("[srcset]"):
        addresses |= {part.split()[0] for part in element["srcset"].split(",") if part.strip()}
    return addresses


def test_no_page_asks_another_host(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    outside = {(name, a) for name, page in pages.items() for a in _loads(page) if urlsplit(a).netloc}
    assert not outside
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        found = re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^'\")]+", text)
        assert not found, f"{sheet}: {found}"


def test_scripts_of_this_project_name_no_host() -> None:
    for script in (ROOT / "docs" / "_static").rglob("*.js"):
        text = script.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "://" not in text, script
        assert not re.search(r"\b(fetch|XMLHttpRequest|sendBeacon|WebSocket|EventSource)\b", text), script


def test_internal_links_and_anchors_resolve(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    anchors: dict[str, set[str]] = {}

    def ids(target: str) -> set[str]:
        if target not in anchors:
            page = pages.get(target) or BeautifulSoup((site / target).read_text(encoding="utf-8"), "html.parser")
            anchors[target] = {tag["id"] for tag in page.select("[id]")} | {
                tag["name"] for tag in page.select("a[name]")
            }
        return anchors[target]

    dead = []
    for name, page in pages.items():
        for link in page.select("a[href]"):
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc or link["href"] == "#":
                continue
            path = (site / name).parent / unquote(parts.path) if parts.path else site / name
            if not path.exists():
                dead.append(f"{name} -> {link['href']}")
            elif parts.fragment and path.suffix == ".html":
                target = path.resolve().relative_to(site.resolve()).as_posix()
                if unquote(parts.fragment) not in ids(target):
                    dead.append(f"{name} -> {link['href']} (no such anchor)")
    assert not dead


def test_no_page_is_heavy(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    """A page, with its pictures of one theme, stays under 1.5 MB, and under 3 MB with the font for its formulas."""
    heavy = {}
    for name, page in pages.items():
        plain, fonts = wire(site / name), 0
        dark = {image["src"] for image in page.select('.only-dark[loading="lazy"], .only-dark [loading="lazy"]')}
        for address in _loads(page) - dark:
            if address.startswith("data:"):
                continue
            path = (site / name).parent / unquote(urlsplit(address).path)
            if path.name == "mathfont.css":
                fonts += wire(path)
            elif path.is_file():
                plain += wire(path)
        if plain > 1_500_000 or plain + fonts > 3_000_000:
            heavy[name] = (plain, fonts)
    assert not heavy


def test_symbols_are_in_the_search_index(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8").lower()
    for word in ("stdconv2d", "resnetv2", "standard"):
        assert word in index


def test_every_module_is_in_the_api_reference(pages: dict[str, BeautifulSoup]) -> None:
    modules = {path.stem for path in (ROOT / "bitdoc").glob("*.py")} - {"__init__", "__main__"}
    missing = sorted(name for name in modules if f"api/generated/bitdoc.{name}.html" not in pages)
    assert not missing, f"name them in docs/api/index.rst: {missing}"
