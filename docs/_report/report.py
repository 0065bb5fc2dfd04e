"""The five sections as a printable report: ``python docs/_report/report.py SITE FOLDER`` writes ``FOLDER/bitdoc.pdf``.

The built pages are put into one document with a style sheet for paper, and Chromium prints it. Formulas stay MathML and
figures SVG, so both are sharp at any size; pictures of photographs become JPEG, which a PDF holds as it is; the
sections' widgets, which need a hand, give way to the still figures that the pages hold anyway. The report is the text
of the sections; what is folded on the site, the questions after each, stays there. The title page tells the length of
each section, and the works cited follow the last.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bs4 import BeautifulSoup, Tag
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader

HERE = Path(__file__).parent
#: Pages asked for, at 500 words a page and without figures; none was set for the models.
ASKED = {"transfer-learning": 2, "architecture": 2, "normalization": 4, "mixup": 2, "models": None}
WORDS_A_PAGE = 500
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge", "chrome")
#: Where macOS and Windows keep Chrome, which is not on the path there.
INSTALLED = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)
ONLY_ON_SCREEN = (
    "script, link, noscript, source, a.headerlink, .only-dark, button, .bit-figure-source, .copybtn, "
    ".sd-summary-state-marker, [data-hyperrule], .reading-time, .cell.tag_remove-input, p:has(> a.download), #cards, "
    "details"
)
#: Running text is what is left of a section without these.
NOT_TEXT = "figure, table, details, aside, pre, .cell, .pst-scrollable-table-container"
MISSING = """() => [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"""


def find_chromium(bundled: str = "") -> str | None:
    """Return the path of a Chromium: ``BITDOC_CHROMIUM``, one on the path, an installed one, or Playwright's own."""
    candidates = (os.environ.get("BITDOC_CHROMIUM"), *map(shutil.which, BROWSERS), *INSTALLED, bundled)
    return next((path for path in candidates if path and Path(path).exists()), None)


def article(site: Path, name: str) -> Tag:
    """Return what a page says, ready for paper: ids bear the page's name, links lead into the report or go."""
    path = site / f"{name}.html"
    if not path.is_file():
        raise SystemExit(f"{path} is not there: build the site first (nox -s docs)")
    found = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").select_one("article.bd-article")
    for element in found.select(ONLY_ON_SCREEN):
        element.decompose()
    for section in found.select("section"):
        # Nothing but its heading is left of a section of questions.
        if not section.find(lambda tag: tag.name not in {"h1", "h2", "h3", "span"}):
            section.decompose()
    # A table of a dozen columns lies across (report.css); what came after it would have a page of a few lines.
    for section in found.select("section:not(:has(section)):has(th:nth-child(12))"):
        section.parent.append(section)
    for element in found.select("[id]"):
        element["id"] = f"{name}--{element['id']}"
    for image in found.select("img"):
        image["src"] = (path.parent / image["src"]).resolve().as_uri()
        del image["loading"]
    for link in found.select("a[href]"):
        _lead_inside(link, name)
    return found


def _lead_inside(link: Tag, name: str) -> None:
    """Point a link into the report, leave one that leaves the site, and make text of any other."""
    if re.match(r"[a-z]+:", link["href"]):
        return
    page, _, anchor = link["href"].partition("#")
    page = page.removesuffix(".html") or name
    if page in ASKED or page == "bibliography":
        link["href"] = f"#{page}--{anchor}" if anchor else f"#{page}"
    else:
        link.name = "span"
        del link["href"]


def words(section: Tag) -> int:
    """Count the words of a section's running text; a formula in a sentence counts as one, a sign alone as none."""
    text = BeautifulSoup(str(section), "html.parser")
    for element in text.select(NOT_TEXT + ", div.math"):
        element.decompose()
    for formula in text.select("math"):
        formula.replace_with(" formula ")
    return sum(any(map(str.isalnum, word)) for word in text.get_text(" ").split())


def works_cited(site: Path, sections: dict[str, Tag]) -> Tag:
    """Return the bibliography, cut down to what the sections cite."""
    listed = article(site, "bibliography")
    cited = {link["href"][1:] for section in sections.values() for link in section.select('a[href^="#bibliography--"]')}
    for entry in listed.select(".citation"):
        if entry["id"] not in cited:
            entry.decompose()
        else:
            entry.select_one(".label").decompose()
    listed.select_one("h1").string = "Works cited"
    return listed


def with_jpegs(html: str, folder: Path) -> str:
    """Return a document whose WebP pictures are JPEG files in ``folder``: Chromium would store them uncompressed."""

    def as_jpeg(match: re.Match) -> str:
        source = Path(url2pathname(urlsplit(match[1]).path))
        target = folder / f"{source.stem}.jpg"
        if not target.exists():
            Image.open(source).convert("RGB").save(target, quality=85, optimize=True)
        return f'src="{target.resolve().as_uri()}"'

    return re.sub(r'src="(file:[^"]+\.webp)"', as_jpeg, html)


def lengths(parts: dict[str, Tag], text_only: dict[str, int], numbers: dict[str, int], last: int) -> list[tuple]:
    """Return name, words, pages of text and pages with figures of each section."""
    found = []
    names = list(parts)
    for name, following in zip(names, [*names[1:], None], strict=True):
        if name in ASKED:
            whole = (numbers[following] if following else last + 1) - numbers[name]
            found.append((name, words(parts[name]), text_only[following] - text_only[name], whole))
    return found


def told_lengths(parts: dict[str, Tag], found: list[tuple]) -> str:
    """Return the table of the title page."""
    rows = ""
    for name, count, _, whole in found:
        title = " ".join(parts[name].select_one("h1").get_text().split())
        asked = ASKED[name] or "–"
        rows += (
            f"<tr><td>{title}</td><td>{count:,}</td><td>{count / WORDS_A_PAGE:.1f}</td><td>{asked}</td>"
            f"<td>{whole}</td></tr>"
        )
    heads = "".join(f"<th>{head}</th>" for head in ("Section", "Words", "Pages of text", "Asked", "With figures"))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def contents(parts: dict[str, Tag], pages: dict[str, int]) -> Iterator[str]:
    """Yield the lines of the table of contents; page numbers are known from the second printing on."""
    for name, part in parts.items():
        for heading in part.select("h1, h2"):
            target = name if heading.name == "h1" else heading.find_parent("section")["id"]
            number = f"<span>{pages.get(target, '')}</span>"
            yield f'<li class="{heading.name}"><a href="#{target}">{heading.get_text()}{number}</a></li>'


def document(site: Path, parts: dict[str, Tag], pages: dict[str, int], table: str = "") -> str:
    """Return the report as one HTML document, with the table of lengths on its title page."""
    sheets = [*(site / "_static" / f"{name}.css" for name in ("fonts", "mathfont", "pygments")), HERE / "report.css"]
    head = "".join(f'<link rel="stylesheet" href="{sheet.resolve().as_uri()}">' for sheet in sheets)
    running = "".join(_running_title(name, part) for name, part in parts.items())
    body = "".join(
        f'<section class="part" id="{name}">{part.decode_contents()}</section>' for name, part in parts.items()
    )
    title = (HERE / "title.html").read_text(encoding="utf-8")
    title = title.replace("CONTENTS", "".join(contents(parts, pages))).replace("DATE", date.today().isoformat())
    title = title.replace("LENGTHS", table)
    return (
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>Big Transfer, explained by experiments</title>{head}<style>{running}</style></head>"
        f"<body>{title}{body}</body></html>"
    )


def _running_title(name: str, part: Tag) -> str:
    text = " ".join(part.select_one("h1").get_text().split()).replace('"', "'")
    return f'#{name} {{ page: {name} }} @page {name} {{ @top-left {{ content: "{text}" }} }}\n'


def printed(page: Page, source: Path, html: str, target: Path) -> PdfReader:
    """Print a document; raise if a figure is missing."""
    source.write_text(html, encoding="utf-8")
    page.goto(source.resolve().as_uri())
    page.evaluate("document.fonts.ready")
    if missing := page.evaluate(MISSING):
        raise SystemExit(f"figures are missing: {missing}")
    page.pdf(path=target, prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
    return PdfReader(target)


def page_numbers(reader: PdfReader) -> dict[str, int]:
    """Return the page, counted from 1, of each place that a link of the report leads to."""
    found = reader.named_destinations
    return {name.lstrip("/"): reader.get_destination_page_number(place) + 1 for name, place in found.items()}


def make(site: Path, folder: Path, browser: Browser) -> str:
    """Write ``folder/bitdoc.pdf`` and return a table of words and pages."""
    folder.mkdir(parents=True, exist_ok=True)
    source, target = folder / "report.html", folder / "bitdoc.pdf"
    sections = {name: article(site, name) for name in ASKED}
    parts = {**sections, "bibliography": works_cited(site, sections)}
    page = browser.new_page()
    page.set_default_timeout(300_000)  # a hundred drawings, on a machine that may do much else
    with TemporaryDirectory() as jpegs:

        def pages(html: str, name: str) -> PdfReader:
            return printed(page, source, with_jpegs(html, Path(jpegs)), folder / name)

        bare = document(site, parts, {}).replace("</head>", f"<style>{NOT_TEXT} {{ display: none }}</style></head>")
        text_only = page_numbers(pages(bare, "text.pdf"))
        first = pages(document(site, parts, {}), target.name)
        # The table and the numbers of the contents have their places from the first printing on; now they are known.
        numbers, last = page_numbers(first), len(first.pages)
        found = lengths(parts, text_only, numbers, last)
        pages(document(site, parts, numbers, told_lengths(parts, found)), target.name)
    page.close()
    (folder / "text.pdf").unlink()
    source.unlink()
    return summary(found, last)


def summary(found: list[tuple], last: int) -> str:
    """Return the lengths of the sections as lines of text."""
    lines = [f"{'section':<20}{'words':>7}{'/ 500':>7}{'text only':>11}{'asked':>7}{'with figures':>14}"]
    for name, count, pages, whole in found:
        asked = ASKED[name] or "-"
        lines.append(f"{name:<20}{count:>7}{count / WORDS_A_PAGE:>7.1f}{pages:>11}{asked:>7}{whole:>14}")
    return "\n".join([*lines, f"{last} pages in all"])


def main() -> None:
    """Make the report of a built site."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("site", type=Path, help="folder of the built site")
    parser.add_argument("folder", type=Path, help="where bitdoc.pdf is to stand")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        chromium = find_chromium(playwright.chromium.executable_path)
        if chromium is None:
            sys.exit("no Chromium here: install one (apt-get install chromium) or set BITDOC_CHROMIUM to its path")
        root = getattr(os, "geteuid", lambda: 1)() == 0
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if root else [])
        print(make(options.site, options.folder, browser))
        browser.close()
    print(f"the report: {(options.folder / 'bitdoc.pdf').resolve().as_uri()}")


if __name__ == "__main__":
    main()
