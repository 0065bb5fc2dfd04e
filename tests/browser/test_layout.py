"""The pages at every width, on paper, under a finger, and for those who want nothing to move."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page
from pypdf import PdfReader

Open = Callable[..., Page]
WIDTHS = (360, 480, 768, 992, 1024, 1100, 1199, 1440, 1920)
SECTIONS = ("transfer-learning", "architecture", "normalization", "mixup", "models", "few-shot")

TOO_WIDE = """() => {
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    return [`${document.documentElement.scrollWidth} px`, ...[...document.querySelectorAll('body *')]
        .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > room + 1)
        .slice(0, 5).map(e => e.outerHTML.slice(0, 120))];
}"""
# A note is as wide as the paragraphs beside it, or stands in the margin.
NARROW_NOTES = """() => [...document.querySelectorAll('article aside.margin')].filter(a => a.checkVisibility())
    .filter(a => a.getBoundingClientRect().width < Math.min(180, innerWidth * 0.7)).map(a => a.textContent.trim())"""
# A piece of code without a place to break stands on one line, if that line has room for it.
BROKEN_WORDS = """() => [...document.querySelectorAll('article .pre')]
    .filter(e => e.checkVisibility() && !e.querySelector('wbr') && e.getClientRects().length > 1)
    .map(e => e.textContent)"""
CUT_COMMANDS = """() => [...document.querySelectorAll('.highlight-bash pre, .highlight-powershell pre')]
    .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""
ON_PAPER = """() => [...document.querySelectorAll('figure.bit-figure, .bit-figure-plain')].map(f =>
    [...f.querySelectorAll('img')].filter(i => i.checkVisibility()).map(i => i.className))"""
MOVING = """() => [...document.querySelectorAll('*')].filter(e => { const s = getComputedStyle(e);
    return s.transitionDuration.split(', ').some(d => d !== '0s') || s.animationName !== 'none'; })
    .slice(0, 5).map(e => e.outerHTML.slice(0, 100))"""


def test_no_page_scrolls_sideways(open_page: Open, addresses: list[str]) -> None:
    trouble = {}
    for address in addresses:
        page = open_page(address, width=WIDTHS[0])
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if found := page.evaluate(TOO_WIDE):
                trouble[f"{address} at {width}"] = found
        page.close()
    assert not trouble


def test_notes_have_room_and_code_is_whole(open_page: Open, addresses: list[str]) -> None:
    trouble = {}
    for address in addresses:
        page = open_page(address, width=WIDTHS[0])
        for width in (360, 1100, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            if found := page.evaluate(NARROW_NOTES) + page.evaluate(BROKEN_WORDS) + page.evaluate(CUT_COMMANDS):
                trouble[f"{address} at {width}"] = found[:5]
        page.close()
    assert not trouble


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_on_paper_is_light_and_whole(open_page: Open, name: str, theme: str) -> None:
    page = open_page(f"{name}.html", theme=theme, width=720)
    answers = page.locator("article details .sd-summary-content > p:first-child").all_text_contents()
    pdf = PdfReader(io.BytesIO(page.pdf(format="A4")))
    assert page.evaluate("document.documentElement.dataset.theme") != "light" or theme == "light", "as it was"
    printed = re.sub(r"\W+", "", "".join(sheet.extract_text() for sheet in pdf.pages))
    for answer in answers:
        words = re.sub(r"\W+", "", re.split(r"[^\w ,']", answer)[0])[:40]
        assert words in printed, answer
    assert "codeofthisfigure" not in printed
    page.emulate_media(media="print", color_scheme=theme)
    shown = page.evaluate(ON_PAPER)
    assert shown and all(classes == ["only-light"] for classes in shown), shown
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function("[...document.images].filter(i => i.checkVisibility()).every(i => i.naturalWidth > 0)")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(34, 40, 50)", "dark words on paper"
    assert not page.evaluate(TOO_WIDE)
    for note in page.locator("article aside.margin").all():
        assert note.bounding_box()["width"] > 500, "a note stands in the text"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.evaluate("document.querySelectorAll('article details[open]').length") == 0


@pytest.mark.parametrize("width", [360, 1440])
def test_a_figure_opens_over_the_page(open_page: Open, width: int) -> None:
    page = open_page("mixup.html", width=width)
    figure = page.locator("figure.bit-figure").first
    drawn = int(figure.locator("img").first.get_attribute("width"))
    before = page.url
    figure.locator("a.bit-enlarge:visible").click()
    dialog = page.locator("dialog.bit-enlarged")
    assert dialog.is_visible() and page.url == before
    box = dialog.bounding_box()
    assert (box["width"], box["height"]) == (width, 900)
    assert dialog.locator("img").bounding_box()["width"] >= drawn, "never smaller than drawn"
    assert "pinch-zoom" in dialog.locator("div").evaluate("e => getComputedStyle(e).touchAction")
    assert dialog.locator("img").get_attribute("alt") and dialog.locator("p").text_content().startswith("Fig.")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.className").count("bit-enlarge") == 1, "the focus is where it was"
    figure.locator("img:visible").click()
    assert dialog.is_visible()
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible() and not page.trouble


@pytest.mark.parametrize("kind", ["bibliography.html#", "glossary.html#", "#fig-", "#tab-", "#equation-"])
def test_the_first_tap_shows_a_card_and_the_second_goes_there(open_page: Open, kind: str) -> None:
    page = open_page("architecture.html", width=390, touch=True)
    link, before = page.locator(f"article p a[href^='{kind}']:visible").first, page.url
    link.tap()
    card = page.locator("#card-shown")
    assert card.is_visible() and page.url == before
    box = card.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 900
    link.tap()
    page.wait_for_function("before => location.href !== before", arg=before)
    assert link.get_attribute("href").partition("#")[2] == page.url.partition("#")[2] if kind[0] == "#" else True
    assert not page.trouble


def test_a_tap_beside_a_card_closes_it(open_page: Open) -> None:
    page = open_page("normalization.html", width=390, touch=True)
    page.locator("article a[href^='bibliography.html#']").first.tap()
    assert page.locator("#card-shown").is_visible()
    page.touchscreen.tap(200, 880)
    page.locator("#card-shown").wait_for(state="hidden")


def test_a_reference_to_a_figure_shows_the_figure(open_page: Open) -> None:
    page = open_page("normalization.html")
    link = page.locator("article p a[href^='#fig-']").first
    link.focus()
    card = page.locator("#card-shown")
    assert card.locator("img:visible").count() == 1 and "Fig." in card.text_content()
    assert "code of this figure" not in card.text_content()
    assert page.evaluate(
        "[...document.querySelectorAll('[id]')].length === new Set("
        "[...document.querySelectorAll('[id]')].map(e => e.id)).size"
    ), "no name stands twice"


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("weight standardization", "normalization.html"),
        ("group norm", "normalization.html"),
        ("hyperrule", "transfer-learning.html"),
        ("own images", "run-it.html#fine-tune-on-your-own-images"),
        ("mixup", "mixup.html"),
        ("focal loss", "models.html"),
    ],
)
def test_a_search_finds_first_what_explains(open_page: Open, words: str, place: str) -> None:
    page = open_page("search.html", width=360)
    page.goto(f"{page.url}?q={words.replace(' ', '+')}")
    page.wait_for_selector("#search-results li a", timeout=15_000)
    page.wait_for_function("document.querySelector('.search-summary').textContent.includes('found')")
    links = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.getAttribute('href'))")
    assert links[0].startswith(place), links[:8]
    assert not page.evaluate(TOO_WIDE)


def test_nothing_moves_for_those_who_ask(open_page: Open) -> None:
    for address in ("index.html", "run-it.html", "normalization.html"):
        assert not open_page(address).evaluate(MOVING), address
